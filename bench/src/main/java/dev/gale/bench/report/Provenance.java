package dev.gale.bench.report;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// With what something is measured. What cannot be found out is `unknown`.
final class Provenance {
    private static final String UNKNOWN = "unknown";
    private static final Set<String> KNOWN_APART = Set.of("gale.products", "gale.root");
    private static final Path NVIDIA = Path.of("/proc/driver/nvidia/version");

    private Provenance() {}

    /// Version of NVIDIA's driver.
    static String driver() {
        if (Files.isReadable(NVIDIA)) {
            Matcher version = Pattern.compile("\\b\\d{3}\\.\\d+(\\.\\d+)?\\b").matcher(read(NVIDIA));
            if (version.find()) return version.group();
        }
        String said = output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader");
        return said.isEmpty() ? UNKNOWN : said.lines().findFirst().orElseThrow();
    }

    /// Version of TornadoVM, as its API's jar in the SDK has it in its name.
    static String tornadoVm() {
        String home = System.getenv("TORNADOVM_HOME");
        if (home == null) return UNKNOWN;
        Pattern name = Pattern.compile("tornado-api-(.*)\\.jar");
        try (Stream<Path> jars = Files.list(Path.of(home, "share", "java", "tornado"))) {
            return jars.map(jar -> name.matcher(jar.getFileName().toString())).filter(Matcher::matches).map(jar -> jar.group(1))
                    .findFirst().orElse(UNKNOWN);
        } catch (IOException e) {
            return UNKNOWN;
        }
    }

    /// System properties of Gale that were given, products apart.
    static String options() {
        Set<String> names = new TreeSet<>(System.getProperties().stringPropertyNames());
        names.removeIf(name -> !name.startsWith("gale.") || KNOWN_APART.contains(name));
        return names.stream().map(name -> name + "=" + System.getProperty(name)).collect(Collectors.joining(" "));
    }

    /// The commit of the sources in the current folder, with `+` when they have changes; away from sources, that of this jar.
    static String commit() {
        if (!Files.exists(Path.of("bench/pom.xml"))) return commitOf(Provenance.class.getPackage().getImplementationVersion());
        String hash = output("git", "rev-parse", "--short", "HEAD");
        if (hash.isEmpty()) return UNKNOWN;
        String changes = output("git", "status", "--porcelain", "--untracked-files=no", "--", ":!bench/results");
        return changes.isEmpty() ? hash : hash + "+";
    }

    /// @param version as the launcher puts it into jars, e.g. `0.1.0 (1a2b3c4-dirty)`; null when there is none
    static String commitOf(String version) {
        Matcher build = Pattern.compile(".*\\((.*)\\)").matcher(version == null ? "" : version);
        return build.matches() ? build.group(1).replace("-dirty", "+") : UNKNOWN;
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String output(String... command) {
        try {
            Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            try (var reader = process.inputReader()) {
                return reader.lines().collect(Collectors.joining("\n")).strip();
            }
        } catch (IOException e) {
            return "";
        }
    }
}
