package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Who may see whom, read from the sources of all modules.
class ArchitectureTest {
    private static final Path ROOT = Path.of(System.getProperty("gale.root", ".."));
    private static final int LONGEST_FILE = 500;
    private static final int LONGEST_LINE = 128;
    /// Those that write kernels without loops are mostly lines of the kernels.
    private static final int LONGEST_GENERATOR = 680;

    /// A module's own package and the prefixes that it may name beside `java`.
    private static final Map<String, List<String>> MAY_SEE = Map.of(
            "tensor", List.of("dev.gale.tensor", "jdk.incubator.vector"),
            "nn", List.of("dev.gale.nn", "dev.gale.tensor", "com.fasterxml.jackson"),
            "optim", List.of("dev.gale.optim", "dev.gale.tensor", "org.ejml"),
            "kernels-tornado", List.of("dev.gale.kernels", "dev.gale.tensor", "uk.ac.manchester.tornado"),
            "kernels-tornado/tornado-api-stub", List.of("uk.ac.manchester.tornado.api", "uk.ac.manchester.tornado.runtime",
                    "dev.gale.tornado.stub"),
            "peft", List.of("dev.gale.peft", "dev.gale.nn", "dev.gale.tensor", "com.fasterxml.jackson", "org.ejml"),
            "train", List.of("dev.gale.train", "dev.gale.peft", "dev.gale.optim", "dev.gale.nn", "dev.gale.tensor",
                    "com.fasterxml.jackson", "picocli", "ai.djl.huggingface", "org.slf4j", "opennlp.tools",
                    "org.graalvm.polyglot", "com.sun.management", "io.airlift.compress"),
            "bench", List.of(""));

    /// Packages that must not know others of their own module.
    private static final Map<String, Set<String>> MUST_NOT_SEE = Map.of(
            "dev.gale.tensor", Set.of("dev.gale.tensor.autograd", "dev.gale.tensor.cpu"),
            "dev.gale.tensor.ops", Set.of("dev.gale.tensor.autograd", "dev.gale.tensor.cpu"),
            "dev.gale.tensor.autograd", Set.of("dev.gale.tensor.cpu"),
            "dev.gale.train", Set.of("dev.gale.train.cli", "dev.gale.train.config"),
            "dev.gale.train.config", Set.of("dev.gale.train.cli"),
            "dev.gale.train.data", Set.of("dev.gale.train.cli", "dev.gale.train.config"));

    /// A name with a package: in an import, or written out in code. Text and comments are blanked before.
    private static final Pattern NAME = Pattern.compile("(?<![\\w.])((?:[a-z_]\\w*\\.)+)[A-Z*]\\w*");
    private static final Pattern TEXT = Pattern.compile(String.join("|", "\"\"\".*?(?<!\\\\)\"\"\"",
            "\"(?:\\\\.|[^\"\\\\\\n])*\"", "'(?:\\\\.|[^'\\\\])'", "//[^\\n]*", "/\\*.*?\\*/"), Pattern.DOTALL);

    private static List<Path> sources(String module, String part) throws IOException {
        Path folder = ROOT.resolve(module).resolve("src").resolve(part).resolve("java");
        if (!Files.isDirectory(folder)) return List.of();
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.toString().endsWith(".java")).toList();
        }
    }

    /// Packages that a source names.
    private static List<String> packages(String source) {
        List<String> packages = new ArrayList<>();
        Matcher names = NAME.matcher(TEXT.matcher(source).replaceAll(" "));
        while (names.find()) packages.add(names.group(1).substring(0, names.group(1).length() - 1));
        return packages;
    }

    private static boolean isWithin(String name, String prefix) {
        return prefix.isEmpty() || name.equals(prefix) || name.startsWith(prefix + ".");
    }

    private static boolean isPackage(String name) {
        return Stream.of("java", "javax", "jdk", "sun", "com", "org", "net", "io", "ai", "uk", "dev", "picocli", "opennlp")
                .anyMatch(top -> isWithin(name, top));
    }

    /// The lines of every source that no generator wrote.
    private static Map<Path, List<String>> readable() throws IOException {
        Map<Path, List<String>> readable = new LinkedHashMap<>();
        for (String module : MAY_SEE.keySet()) {
            for (String part : List.of("main", "test")) {
                for (Path file : sources(module, part)) {
                    List<String> lines = Files.readAllLines(file);
                    if (lines.stream().noneMatch(line -> line.startsWith("/// Written by `"))) readable.put(file, lines);
                }
            }
        }
        return readable;
    }

    @Test
    void modulesSeeOnlyWhatStandsBelowThem() throws IOException {
        List<String> wrong = new ArrayList<>();
        int checked = 0;
        for (String module : MAY_SEE.keySet()) {
            for (Path file : sources(module, "main")) {
                for (String name : packages(Files.readString(file))) {
                    if (!isPackage(name) || isWithin(name, "java")) continue;
                    checked++;
                    if (MAY_SEE.get(module).stream().noneMatch(prefix -> isWithin(name, prefix))) {
                        wrong.add("%s must not see %s: %s".formatted(module, name, ROOT.relativize(file)));
                    }
                }
            }
        }
        assertEquals(List.of(), wrong);
        assertTrue(checked > 500, "only " + checked + " names were found: this test reads the wrong folder");
    }

    @Test
    void packagesOfAModuleKeepTheirDirection() throws IOException {
        List<String> wrong = new ArrayList<>();
        for (String module : MAY_SEE.keySet()) {
            for (Path file : sources(module, "main")) {
                String source = Files.readString(file);
                Matcher own = Pattern.compile("(?m)^package ([\\w.]+);").matcher(source);
                assertTrue(own.find(), file + " has no package");
                Set<String> forbidden = MUST_NOT_SEE.getOrDefault(own.group(1), Set.of());
                for (String name : packages(source)) {
                    if (forbidden.contains(name)) wrong.add(ROOT.relativize(file) + " must not see " + name);
                }
            }
        }
        assertEquals(List.of(), wrong);
    }

    @Test
    void modulesAreThoseOfTheBuild() throws IOException {
        Matcher modules = Pattern.compile("<module>(.*)</module>").matcher(Files.readString(ROOT.resolve("pom.xml")));
        List<String> built = modules.results().map(module -> module.group(1)).sorted().toList();
        assertEquals(MAY_SEE.keySet().stream().sorted().toList(), built);
    }

    @Test
    void filesAreShortEnoughToRead() throws IOException {
        List<String> tooLong = new ArrayList<>();
        readable().forEach((file, lines) -> {
            int longest = file.toString().endsWith("Generator.java") ? LONGEST_GENERATOR : LONGEST_FILE;
            if (lines.size() > longest) tooLong.add("%s has %d lines".formatted(ROOT.relativize(file), lines.size()));
        });
        assertEquals(List.of(), tooLong);
    }

    @Test
    void linesAreShortEnoughToRead() throws IOException {
        List<String> tooLong = new ArrayList<>();
        readable().forEach((file, lines) -> {
            for (int i = 0; i < lines.size(); i++) {
                int columns = lines.get(i).codePointCount(0, lines.get(i).length());
                if (columns <= LONGEST_LINE) continue;
                tooLong.add("%s, line %d has %d columns".formatted(ROOT.relativize(file), i + 1, columns));
            }
        });
        assertEquals(List.of(), tooLong);
    }

    @Test
    void namesInTextAndCommentsAreNotImports() {
        String source = """
                import dev.gale.nn.Linear; // not dev.gale.peft.X
                String text = "a \\" dev.gale.train.Y"; /* dev.gale.optim.Z */
                var here = new dev.gale.tensor.Shape(config.inner.A);
                """;
        List<String> seen = packages(source).stream().filter(ArchitectureTest::isPackage).toList();
        assertEquals(List.of("dev.gale.nn", "dev.gale.tensor"), seen);
    }
}
