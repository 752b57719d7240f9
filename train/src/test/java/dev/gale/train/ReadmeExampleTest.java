package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReadmeExampleTest {
    @Test
    void theExampleInTheReadmeCompilesAndTrains(@TempDir Path folder) throws Exception {
        String readme = Files.readString(Path.of(System.getProperty("gale.root"), "README.md"));
        Matcher block = Pattern.compile("```java\\R(.*?)```", Pattern.DOTALL).matcher(readme);
        assertTrue(block.find());
        Path source = folder.resolve("Example.java");
        Files.writeString(source, """
                import dev.gale.peft.*;
                import dev.gale.train.*;
                import dev.gale.train.data.*;
                import java.nio.file.*;
                void main() {
                %s}
                """.formatted(block.group(1)));
        prepare(folder);
        Path output = folder.resolve("output.txt");
        Process run = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules", "jdk.incubator.vector", "-cp", System.getProperty("java.class.path"), source.toString()))
                .directory(folder.toFile()).redirectErrorStream(true).redirectOutput(output.toFile()).start();
        assertEquals(0, run.waitFor(), () -> read(output));
        assertTrue(read(output).contains("mean loss"), () -> read(output));
        assertTrue(Files.exists(folder.resolve("adapter/adapter_model.safetensors")));
    }

    private static void prepare(Path folder) throws IOException {
        Files.createDirectories(folder.resolve("models"));
        TinyRuns.base(folder.resolve("models/fresh"));
        Files.writeString(folder.resolve("data.jsonl"), """
                {"prompt": "What?", "completion": " This."}
                {"prompt": "Who?", "completion": " Nobody at all."}
                """);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
