package dev.gale.train.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.train.cli.CommandRun;
import dev.gale.train.testing.RealInputs;
import dev.gale.train.testing.TestFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerCasesTest {
    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "llama3", "qwen2", "gpt2", "gemma", "unigram"})
    void smallTokenizersAgree(String kind) {
        assertEquals("95 of 95 agree\n",
                check(TestFiles.tokenizer(kind), TestFiles.resource("fixtures/tokenizers/" + kind + ".cases.json")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"tokenizers/llama2", "tokenizers/llama3.2", "tokenizers/qwen2.5", "tokenizers/gpt2",
            "tokenizers/smollm", "models/stories260K"})
    void realTokenizersAgree(String path) {
        assertEquals("151 of 151 agree\n", check(RealInputs.path(path), RealInputs.path(path + "/cases.json")));
    }

    private static String check(Path tokenizer, Path cases) {
        StringWriter out = new StringWriter();
        try (Tokenizer loaded = Tokenizer.load(tokenizer)) {
            TokenizerCases.check(loaded, cases, new PrintWriter(out));
        }
        return out.toString().replace(System.lineSeparator(), "\n");
    }

    @Test
    void everyDifferenceIsALineAndExitIsOne() throws IOException {
        Path cases = folder.resolve("cases.json");
        Files.writeString(cases, """
                [{"text": "Hello", "ids": [39, 68, 75, 343]},
                 {"text": "a\\nb", "ids": [1], "ids_no_special": [2], "offsets": [[0, 9]], "decoded": "no"},
                 {"text": "Hello", "ids": [39, 68, 75, 341], "decoded": "Hello", \
                "offsets": [[0, 1], [1, 2], [2, 3], [3, 5]]}]""");
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        assertEquals(1, run(TestFiles.tokenizer("qwen2"), cases, out, err));
        String[] lines = out.toString().split("\\R");
        assertEquals(6, lines.length, out.toString());
        assertTrue(lines[0].startsWith("case 0 \"Hello\": ids differ: want [39,68,75,343], got [39,68,75,341]"), lines[0]);
        assertTrue(lines[4].startsWith("case 1 \"a\\nb\": decoded differs: want \"no\""), lines[4]);
        assertEquals("1 of 3 agree", lines[5]);
        assertEquals("", err.toString());
    }

    @Test
    void badInputIsOneSentenceAndExitIsTwo() throws IOException {
        Path cases = folder.resolve("cases.json");
        Files.writeString(cases, "{}");
        StringWriter err = new StringWriter();
        assertEquals(2, run(TestFiles.tokenizer("qwen2"), cases, new StringWriter(), err));
        assertEquals(1, err.toString().lines().count());
        Files.writeString(cases, "[{\"text\": \"a\", \"ids\": [\"x\"]}]");
        assertEquals(2, run(TestFiles.tokenizer("qwen2"), cases, new StringWriter(), err));
        assertEquals(2, run(folder, cases, new StringWriter(), err));
        assertEquals(2, run(TestFiles.tokenizer("qwen2"), folder.resolve("absent.json"), new StringWriter(), err));
        assertEquals(4, err.toString().lines().count(), err.toString());
    }

    private static int run(Path tokenizer, Path cases, StringWriter out, StringWriter err) {
        CommandRun run = CommandRun.of("tokenize", "--tokenizer", tokenizer, "--cases", cases);
        out.write(run.out());
        err.write(run.err());
        return run.exit();
    }
}
