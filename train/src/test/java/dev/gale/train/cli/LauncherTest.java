package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What the `gale` script gives Java: a distribution of it, with a `java` that prints its arguments.
@DisabledOnOs(OS.WINDOWS)
class LauncherTest {
    private static final String NO_BAILOUT = "-Dtornado.recover.bailout=False";

    @TempDir
    private Path folder;

    @BeforeEach
    void writeDistribution() throws IOException {
        executable("dist/bin/gale", Files.readString(Path.of(System.getProperty("gale.root", ".."), "gale")));
        executable("jdk/bin/java", "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
        write("jdk/release", "JAVA_VERSION=\"25.0.2\"\n");
        write("sdk/tornado-argfile", "-Dsome=option\n");
        Files.createDirectories(folder.resolve("dist/lib/bench"));
    }

    private Path write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    private void executable(String name, String text) throws IOException {
        assertTrue(write(name, text).toFile().setExecutable(true));
    }

    private record Run(int exit, List<String> lines) {}

    private final Map<String, String> environment = new HashMap<>();

    private Run gale(String sdk, String... args) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(folder.resolve("dist/bin/gale").toString()).redirectErrorStream(true);
        builder.command().addAll(List.of(args));
        builder.environment().put("JAVA_HOME", folder.resolve("jdk").toString());
        builder.environment().keySet().removeAll(List.of("TORNADOVM_HOME", "GALE_JAVA_OPTS", "GALE_CLASSPATH"));
        builder.environment().putAll(environment);
        if (sdk != null) builder.environment().put("TORNADOVM_HOME", folder.resolve(sdk).toString());
        Process process = builder.start();
        List<String> lines;
        try (var reader = process.inputReader()) {
            lines = reader.lines().toList();
        }
        return new Run(process.waitFor(), lines);
    }

    @ParameterizedTest
    @ValueSource(strings = {"devices", "train", "generate", "bench"})
    void kernelsThatDoNotCompileAreErrorsForEveryCommand(String command) throws Exception {
        Run run = gale("sdk", command, "--device", "gpu");
        assertEquals(0, run.exit(), run.lines()::toString);
        int argfile = run.lines().indexOf("@" + folder.resolve("sdk/tornado-argfile"));
        int bailout = run.lines().indexOf(NO_BAILOUT);
        assertTrue(argfile >= 0 && bailout > argfile, run.lines()::toString);
        assertEquals(1, run.lines().stream().filter(line -> line.contains("recover.bailout")).count());
        assertTrue(bailout < run.lines().indexOf("-cp"), run.lines()::toString);
    }

    @Test
    void withoutTheSdkNothingOfItIsGiven() throws Exception {
        Run run = gale(null, "devices");
        assertEquals(0, run.exit(), run.lines()::toString);
        assertFalse(run.lines().stream().anyMatch(line -> line.contains("tornado")), run.lines()::toString);
    }

    @ParameterizedTest
    @ValueSource(strings = {"train", "bench"})
    void librariesThatAreNotPartOfItComeFromAFolderOrAVariable(String command) throws Exception {
        assertTrue(classpath(gale(null, command)).startsWith(folder.toRealPath().resolve("dist/lib/*").toString()));
        assertFalse(classpath(gale(null, command)).contains("extra"));
        Files.createDirectories(folder.resolve("dist/extra"));
        environment.put("GALE_CLASSPATH", "/some/duckdb_jdbc.jar");
        String classpath = classpath(gale(null, command));
        assertTrue(classpath.endsWith(":" + folder.toRealPath().resolve("dist/extra/*") + ":/some/duckdb_jdbc.jar"), classpath);
    }

    private static String classpath(Run run) {
        assertEquals(0, run.exit(), run.lines()::toString);
        return run.lines().get(run.lines().indexOf("-cp") + 1);
    }

    @Test
    void aFolderThatIsNoSdkIsNamed() throws Exception {
        Run run = gale("jdk", "devices");
        assertEquals(2, run.exit());
        assertEquals(1, run.lines().size(), run.lines()::toString);
        assertTrue(run.lines().getFirst().startsWith("gale: TORNADOVM_HOME is "), run.lines()::toString);
    }
}
