package dev.gale.bench.report;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// Appends measurements to a CSV file, each with the machine, the JDK and the commit it was made with.
public final class BenchCsv {
    private static final String HEADER = "date,op,shape,threads,value,unit,machine,jdk,commit";

    private final Path file;

    public BenchCsv(Path file) {
        this.file = file;
    }

    public void add(String op, String shape, double value, String unit) {
        String row = String.format(Locale.ROOT, "%s,%s,%s,%d,%.4g,%s,%s,%s,%s%n", LocalDate.now(), op, shape,
                Runtime.getRuntime().availableProcessors(), value, unit, machine(), System.getProperty("java.vm.version"), commit());
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            if (!Files.exists(file)) Files.writeString(file, HEADER + "\n");
            Files.writeString(file, row, StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The processor's name as Linux gives it, else the architecture.
    static String machine() {
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.exists(info)) return System.getProperty("os.arch");
        try {
            return Files.readAllLines(info).stream().filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip().replace(',', ' ')).findFirst()
                    .orElse(System.getProperty("os.arch"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The commit of the working tree, with `+` when it has changes; `unknown` outside git.
    static String commit() {
        String hash = git("rev-parse", "--short", "HEAD");
        if (hash.isEmpty()) return "unknown";
        return git("status", "--porcelain", "--untracked-files=no").isEmpty() ? hash : hash + "+";
    }

    private static String git(String... arguments) {
        try {
            List<String> command = new ArrayList<>(List.of("git"));
            command.addAll(List.of(arguments));
            Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            try (var reader = process.inputReader()) {
                return reader.lines().collect(Collectors.joining("\n")).strip();
            }
        } catch (IOException e) {
            return "";
        }
    }
}
