package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.util.Platform;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import dev.gale.nn.JsonProblem;
import dev.gale.optim.Optimizer;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.InputException;
import dev.gale.train.testing.TestFiles;
import java.io.BufferedWriter;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;

/// Data in a JVM of its own that has little memory, and nothing that is optional on its class path.
class StreamingTest {
    private static final int ROWS = 100_000;

    @TempDir Path folder;

    @BeforeEach
    void copyTokenizer() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"), StandardCopyOption.REPLACE_EXISTING);
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|begin_of_text|>\", \"eos_token\": \"<|eot_id|>\"}");
    }

    private static String location(Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private String probe(String heap, Path data) throws IOException, InterruptedException {
        String classpath = Stream.of(Dataset.class, StreamingProbe.class, InputException.class, JsonProblem.class,
                Optimizer.class,
                LoraConfig.class, JsonIgnore.class, JsonFactory.class, ObjectMapper.class, CsvMapper.class, YAMLFactory.class,
                org.yaml.snakeyaml.LoaderOptions.class, HuggingFaceTokenizer.class, Platform.class, Logger.class)
                .map(StreamingTest::location).distinct().collect(Collectors.joining(File.pathSeparator));
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx" + heap,
                "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED", "-cp", classpath, StreamingProbe.class.getName(),
                data.toString(), folder.toString(), folder.resolve("cache").toString()).redirectError(folder.resolve("err")
                        .toFile()).start();
        try (var reader = process.inputReader()) {
            List<String> lines = reader.lines().toList();
            assertEquals(0, process.waitFor(), () -> read(folder.resolve("err")));
            return lines.getLast();
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void aHeapThatIsSmallerThanTheDataIsEnough() throws Exception {
        Path data = folder.resolve("d.jsonl");
        try (BufferedWriter out = Files.newBufferedWriter(data)) {
            String words = "and so it goes on for a while, as stories do, until somebody has had enough of it. ".repeat(2);
            for (int i = 0; i < ROWS; i++) {
                out.write("{\"prompt\": \"Story %d? \", \"completion\": \"it goes on\", \"notes\": \"%s\"}\n"
                        .formatted(i, words));
            }
        }
        assertTrue(Files.size(data) > 20 << 20, Files.size(data) + " bytes");
        String first = probe("20m", data);
        String[] numbers = first.split(" ");
        assertEquals(List.of("99000", "1000"), List.of(numbers[0], numbers[1]));
        assertTrue(Long.parseLong(numbers[2]) > 10L * ROWS, first);
        assertEquals(first, probe("20m", data));
    }

    @Test
    void withoutDuckDbOnlyWhatNeedsItIsRefused() throws Exception {
        Path parquet = Files.write(folder.resolve("d.parquet"), "PAR1".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        assertEquals(parquet + " is a Parquet file and needs DuckDB, which is not on the class path; put duckdb_jdbc.jar "
                + "(org.duckdb:duckdb_jdbc of Maven Central) into the folder extra of Gale, or name it in GALE_CLASSPATH",
                        probe("64m", parquet));
        StringBuilder csv = new StringBuilder("prompt,completion\n");
        for (int i = 0; i < 200; i++) csv.append("What is %d? ,It is %d.\n".formatted(i, i));
        assertTrue(probe("64m", Files.writeString(folder.resolve("d.csv"), csv)).startsWith("198 2 "));
    }
}
