package dev.gale.train.script;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.train.SftConfig;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.DatasetConfig;
import dev.gale.train.testing.TestFiles;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class FormattedRowsTest {
    @TempDir
    private Path folder;
    private Path script;

    @BeforeEach
    void write() throws IOException {
        Files.writeString(folder.resolve("d.csv"), "q,n\none,1\ntwo,2\nthree,3\nfour,4\n");
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        script = folder.resolve("f.js");
    }

    private Dataset load(String source, DatasetConfig config) throws IOException {
        Files.writeString(script, source);
        return FormattedRows.load(config, script);
    }

    private DatasetConfig config() {
        return DatasetConfig.builder(folder.resolve("d.csv")).cacheDir(folder.resolve("cache")).columns(Map.of("prompt", "q"))
                .split("train[:3]").evalSplit("train[3:]").where("n > 1").build();
    }

    @Test
    void theScriptGetsTheRowsThatAreChosen() throws IOException {
        Dataset dataset = load("row => row.prompt + '=' + row.n", config());
        assertEquals(List.of("two=2", "three=3"), dataset.train().stream().map(row -> row.text("text")).toList());
        assertEquals(List.of("four=4"), dataset.eval().stream().map(row -> row.text("text")).toList());
    }

    @Test
    void anotherScriptGivesOtherTokens() throws IOException {
        SftConfig options = SftConfig.builder().build();
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (String mark : List.of("=", "-", "=")) {
                Dataset dataset = load("row => row.prompt + '%s' + row.n".formatted(mark), config());
                String text = tokenizer.text(dataset.examples(tokenizer, options).getFirst().ids());
                assertTrue(text.endsWith("two" + mark + "2"), text);
            }
        }
        try (Stream<Path> files = Files.list(folder.resolve("cache"))) {
            assertEquals(2, files.filter(file -> file.toString().endsWith(".tokens")).count(), "the same text is found again");
        }
    }
}
