package dev.gale.train.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.testing.RealInputs;
import dev.gale.train.testing.TestFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
    private static final List<String> TEXTS = List.of("", " ", "Hello", " two  spaces ", "🦙 llama 🦙\n\n日本語\tTab",
            "e\u0301 combining", "👩‍👩‍👧‍👦 family", "a\u0000b", "<s>hi</s> <|eot_id|>", "def f(x):\n    return x\n",
            "x".repeat(5000));

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "llama3", "qwen2", "unigram"})
    void streamGivesTheTextOfAllTokens(String kind) {
        try (Tokenizer tokenizer = Tokenizer.load(TestFiles.tokenizer(kind))) {
            for (String text : TEXTS) assertStreams(tokenizer, text);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "llama3.2", "qwen2.5", "gpt2", "smollm"})
    void streamOfARealTokenizerGivesTheTextOfAllTokens(String name) {
        try (Tokenizer tokenizer = Tokenizer.load(RealInputs.path("tokenizers/" + name))) {
            for (String text : TEXTS) assertStreams(tokenizer, text);
        }
    }

    private static void assertStreams(Tokenizer tokenizer, String text) {
        int[] ids = tokenizer.ids(text, true);
        for (boolean skipSpecial : new boolean[] {true, false}) {
            TokenStream stream = tokenizer.stream(skipSpecial);
            StringBuilder streamed = new StringBuilder();
            for (int id : ids) {
                String piece = stream.push(id);
                assertFalse(piece.endsWith("\uFFFD"), "incomplete character given out");
                streamed.append(piece);
            }
            streamed.append(stream.flush());
            assertEquals(skipSpecial ? tokenizer.text(ids) : tokenizer.decode(ids, false), streamed.toString());
        }
    }

    @Test
    void streamHoldsACharacterUntilItsLastByte() {
        try (Tokenizer tokenizer = Tokenizer.load(TestFiles.tokenizer("qwen2"))) {
            int[] ids = tokenizer.ids("🦙", false);
            assertTrue(ids.length > 1, "the small vocabulary spells it in bytes");
            TokenStream stream = tokenizer.stream(true);
            for (int i = 0; i < ids.length - 1; i++) assertEquals("", stream.push(ids[i]));
            assertEquals("🦙", stream.push(ids[ids.length - 1]));
            stream.push(ids[0]);
            assertTrue(stream.flush().contains("\uFFFD"), "a character cut off at the end shows");
            assertEquals("", stream.flush());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "llama3", "qwen2"})
    void offsetsAreCharsOfTheJavaString(String kind) {
        String text = "🦙🦙 hi 日本";
        try (Tokenizer tokenizer = Tokenizer.load(TestFiles.tokenizer(kind))) {
            Encoding encoding = tokenizer.encode(text, false);
            boolean[] covered = new boolean[text.length()];
            for (int i = 0; i < encoding.length(); i++) {
                int start = encoding.starts()[i];
                int end = encoding.ends()[i];
                assertFalse(start > 0 && Character.isLowSurrogate(text.charAt(start)), "begins inside a pair");
                for (int c = start; c < end; c++) covered[c] = true;
            }
            for (int c = 0; c < covered.length; c++) assertTrue(covered[c], "char " + c + " belongs to no token");
            assertEquals("hi", text.substring(5, 7));
            assertTrue(List.of(4, 5).contains(encoding.starts()[firstEndingAt(encoding, 6)]), "h or space and h");
        }
    }

    private static int firstEndingAt(Encoding encoding, int end) {
        for (int i = 0; i < encoding.length(); i++) {
            if (encoding.ends()[i] == end) return i;
        }
        throw new AssertionError("no token ends at " + end);
    }

    @Test
    void halfASurrogatePairIsReadAsReplacementCharacter() {
        try (Tokenizer tokenizer = Tokenizer.load(TestFiles.tokenizer("qwen2"))) {
            assertArrayEquals(tokenizer.ids("a\uFFFDb", false), tokenizer.ids("a\uD83Eb", false));
        }
    }

    @Test
    void longTextsAreNotTruncatedEvenIfTheFileSaysSo() throws IOException {
        String json = Files.readString(TestFiles.tokenizer("qwen2"));
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(file, json.replaceFirst("\"truncation\":\\s*null",
                "\"truncation\":{\"direction\":\"Right\",\"max_length\":4,\"strategy\":\"LongestFirst\",\"stride\":0}"));
        assertFalse(Files.readString(file).equals(json));
        String text = "word ".repeat(2000);
        try (Tokenizer tokenizer = Tokenizer.load(file)) {
            assertTrue(tokenizer.ids(text, false).length >= 2000);
            assertEquals(text, tokenizer.decode(tokenizer.ids(text, false), true));
        }
    }

    @Test
    void specialTokensAndTemplatesComeFromTheFilesBeside() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"bos_token": {"content": "<|begin_of_text|>"}, "eos_token": "<|eot_id|>", "pad_token": null,
                 "add_bos_token": true, "chat_template": [{"name": "default", "template": "D"},
                 {"name": "tool_use", "template": "T"}]}""");
        Files.writeString(folder.resolve("special_tokens_map.json"),
                "{\"eos_token\": \"<|end_of_text|>\", \"pad_token\": {\"content\": \"<|end_of_text|>\"}}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals(OptionalInt.of(1500), tokenizer.bosId());
            assertEquals(OptionalInt.of(1504), tokenizer.eosId());
            assertEquals(Optional.of("<|end_of_text|>"), tokenizer.padToken());
            assertEquals(Optional.of(true), tokenizer.addBosToken());
            assertEquals(Map.of("default", "D", "tool_use", "T"), tokenizer.chatTemplates());
            assertEquals(tokenizer.idOf("<|eot_id|>"), tokenizer.eosId());
        }
        Files.writeString(folder.resolve("chat_template.jinja"), "F");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals(Optional.of("F"), tokenizer.chatTemplate());
        }
    }

    @Test
    void endOfTextIsTakenFromTheModelConfigWithoutATokenizerConfig() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("config.json"), "{\"bos_token_id\": 1500, \"eos_token_id\": [1504, 1501]}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals(Optional.of("<|eot_id|>"), tokenizer.eosToken());
            assertEquals(Optional.of("<|begin_of_text|>"), tokenizer.bosToken());
        }
    }

    @Test
    void textHasNoSpecialTokenWhateverTheNormalizerDoes() throws IOException {
        String json = Files.readString(TestFiles.tokenizer("llama2"));
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(file, json.replaceAll("\"normalized\":\\s*false", "\"normalized\":true"));
        try (Tokenizer plain = Tokenizer.load(TestFiles.tokenizer("llama2"));
             Tokenizer tokenizer = Tokenizer.load(file)) {
            int[] ids = plain.ids("Hello there", true);
            assertEquals("Hello there", plain.decode(ids, true));
            assertEquals("<s> Hello there", tokenizer.decode(ids, true));
            assertEquals("Hello there", tokenizer.text(ids));
        }
    }

    @Test
    void aTokenizerLargerThanTheEmbeddingIsRefused() {
        try (Tokenizer tokenizer = Tokenizer.load(TestFiles.tokenizer("qwen2"))) {
            assertEquals(1503, tokenizer.vocabSize());
            tokenizer.requireFits(1503);
            var refused = assertThrows(InputException.class, () -> tokenizer.requireFits(1502));
            assertTrue(refused.getMessage().contains("1502"), refused.getMessage());
        }
    }

    @Test
    void closingWhileOthersEncodeIsSafe() throws InterruptedException {
        for (int round = 0; round < 20; round++) {
            Tokenizer tokenizer = Tokenizer.load(TestFiles.tokenizer("qwen2"));
            int expected = tokenizer.ids("some words ".repeat(50), true).length;
            CountDownLatch busy = new CountDownLatch(2);
            List<Thread> threads = Stream.generate(() -> Thread.ofPlatform().start(() -> {
                try {
                    while (true) {
                        assertEquals(expected, tokenizer.ids("some words ".repeat(50), true).length);
                        busy.countDown();
                    }
                } catch (IllegalStateException closed) {
                    assertEquals("the tokenizer is closed", closed.getMessage());
                }
            })).limit(2).toList();
            busy.await();
            tokenizer.close();
            tokenizer.close();
            for (Thread thread : threads) thread.join();
            assertThrows(IllegalStateException.class, () -> tokenizer.decode(new int[] {1}, true));
        }
    }

    @Test
    void missingAndMalformedFilesAreNamed() throws IOException {
        assertNamed(() -> Tokenizer.load(folder), "tokenizer.json does not exist");
        Path file = folder.resolve("tokenizer.json");
        Files.writeString(file, "{\"version\": \"1.0\", \"model\": {\"vocab\": {\"a\"");
        assertNamed(() -> Tokenizer.load(folder), "is not valid JSON");
        Files.writeString(file, "{}");
        assertNamed(() -> Tokenizer.load(folder), "is not a tokenizer");
        Files.writeString(file, "{\"model\": {\"type\": \"Dream\", \"vocab\": {\"a\": 0}}}");
        assertNamed(() -> Tokenizer.load(folder), "cannot be loaded");
        Files.write(file, new byte[] {'{', (byte) 0xFF, '}'});
        assertNamed(() -> Tokenizer.load(folder), "is not UTF-8");
        Files.copy(TestFiles.tokenizer("llama3"), file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"<|nothing|>\"}");
        assertNamed(() -> Tokenizer.load(folder), "<|nothing|>");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": ");
        assertNamed(() -> Tokenizer.load(folder), "tokenizer_config.json is not valid JSON");
    }

    private static void assertNamed(Runnable load, String what) {
        String message = assertThrows(InputException.class, load::run).getMessage();
        assertTrue(message.contains(what), message);
        assertEquals(1, message.lines().count(), message);
    }
}
