package dev.gale.train.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import dev.gale.train.testing.RealInputs;
import dev.gale.train.testing.TestFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Tokenizers that come as other files than a `tokenizer.json`. The cases of `sentencepiece/` were recorded from
/// SentencePiece 0.2.2, its models trained with it on public-domain text.
class TokenizerSourceTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir Path folder;

    private static String check(Path tokenizer, Path cases) {
        StringWriter out = new StringWriter();
        try (Tokenizer loaded = Tokenizer.load(tokenizer)) {
            TokenizerCases.check(loaded, cases, new PrintWriter(out));
        }
        return out.toString().replace(System.lineSeparator(), "\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"bpe", "bpe-without-prefix", "unigram", "unigram-with-bytes"})
    void sentencePieceModelsAgreeWithSentencePiece(String name) {
        assertEquals("84 of 84 agree\n", check(TestFiles.resource("sentencepiece/" + name + ".model"),
                TestFiles.resource("sentencepiece/" + name + ".cases.json")));
    }

    @Test
    void theRealUnigramModelAgreesWithSentencePiece() {
        assertEquals("84 of 84 agree\n", check(RealInputs.path("tokenizers/sentencepiece-unigram-test/test_model.model"),
                TestFiles.resource("sentencepiece/sentencepiece-unigram-test.cases.json")));
    }

    /// Left out are the decoded text and a text with `</s>`: this `tokenizer.json` looks for special tokens in the normalized
    /// text, where they have a blank before them.
    @Test
    void theRealLlama2ModelAgreesWithItsTokenizerJson() throws IOException {
        Path model = Files.copy(RealInputs.path("tokenizers/llama2/tokenizer.model"), folder.resolve("tokenizer.model"));
        JsonNode cases = JSON.readTree(RealInputs.path("tokenizers/llama2/cases.json").toFile());
        ArrayNode kept = JSON.createArrayNode();
        for (JsonNode one : cases) {
            if (one.get("text").textValue().contains("</s>")) continue;
            kept.add(((ObjectNode) one).remove(List.of("decoded", "decoded_keep")));
        }
        Files.writeString(folder.resolve("cases.json"), kept.toString());
        assertEquals("150 of 150 agree\n", check(model, folder.resolve("cases.json")));
    }

    @Test
    void theRealStoriesModelAgreesWithItsTokenizerJson() throws IOException {
        Files.copy(RealInputs.path("models/stories260K/tokenizer.model"), folder.resolve("tokenizer.model"));
        assertEquals("151 of 151 agree\n", check(folder, RealInputs.path("models/stories260K/cases.json")));
    }

    @Test
    void theRealVocabularyAndMergesOfGpt2Agree() throws IOException {
        for (String name : List.of("vocab.json", "merges.txt", "tokenizer_config.json")) {
            Files.copy(RealInputs.path("tokenizers/gpt2/" + name), folder.resolve(name));
        }
        assertEquals("151 of 151 agree\n", check(folder, RealInputs.path("tokenizers/gpt2/cases.json")));
    }

    @Test
    void theRealVocabularyAndMergesOfQwenAgree() throws IOException {
        for (String name : List.of("vocab.json", "tokenizer_config.json")) {
            Files.copy(RealInputs.path("tokenizers/qwen2.5/" + name), folder.resolve(name));
        }
        writeMerges(RealInputs.path("tokenizers/qwen2.5/tokenizer.json"));
        assertEquals("151 of 151 agree\n", check(folder, RealInputs.path("tokenizers/qwen2.5/cases.json")));
    }

    private void writeMerges(Path tokenizerJson) throws IOException {
        List<String> lines = new ArrayList<>(List.of("#version: 0.2"));
        JSON.readTree(tokenizerJson.toFile()).path("model").path("merges").forEach(merge -> lines.add(merge.isTextual()
                ? merge.textValue() : merge.get(0).textValue() + " " + merge.get(1).textValue()));
        Files.write(folder.resolve("merges.txt"), lines);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "qwen2"})
    void vocabularyAndMergesAgreeWithTheTokenizerJson(String kind) throws IOException {
        JsonNode json = JSON.readTree(TestFiles.tokenizer(kind).toFile());
        Files.writeString(folder.resolve("vocab.json"), json.path("model").path("vocab").toString());
        writeMerges(TestFiles.tokenizer(kind));
        ObjectNode config = JSON.createObjectNode();
        if (kind.equals("qwen2")) config.put("tokenizer_class", "Qwen2Tokenizer");
        ObjectNode added = config.putObject("added_tokens_decoder");
        json.path("added_tokens").forEach(token -> added.set(token.get("id").asText(), token));
        Files.writeString(folder.resolve("tokenizer_config.json"), config.toString());
        JsonNode cases = JSON.readTree(TestFiles.resource("fixtures/tokenizers/" + kind + ".cases.json").toFile());
        cases.forEach(one -> ((ObjectNode) one).remove("offsets"));             // trimmed or not, which these files do not say
        Files.writeString(folder.resolve("cases.json"), cases.toString());
        assertEquals("95 of 95 agree\n", check(folder, folder.resolve("cases.json")));
    }

    @Test
    void beginAndEndOfASentencePieceModelAreAsTheConfigSays() throws IOException {
        Files.copy(TestFiles.resource("sentencepiece/bpe.model"), folder.resolve("tokenizer.model"));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals(OptionalInt.of(1), tokenizer.bosId());
            assertEquals(OptionalInt.of(2), tokenizer.eosId());
            assertEquals(1, tokenizer.ids("king", true)[0]);
        }
        Path config = folder.resolve("tokenizer_config.json");
        Files.writeString(config, "{\"add_bos_token\": false, \"add_eos_token\": true}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            int[] ids = tokenizer.ids("king", true);
            int[] plain = tokenizer.ids("king", false);
            assertArrayEquals(plain, Arrays.copyOf(ids, ids.length - 1));
            assertEquals(2, ids[ids.length - 1]);
        }
        Files.writeString(config, "{\"tokenizer_class\": \"T5Tokenizer\"}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            int[] ids = tokenizer.ids("king", true);
            assertEquals(2, ids[ids.length - 1]);
            assertTrue(ids[0] != 1);
        }
    }

    @Test
    void withoutLegacyNoBlankFollowsASpecialToken() throws IOException {
        Files.copy(TestFiles.resource("sentencepiece/bpe.model"), folder.resolve("tokenizer.model"));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals("a</s> b", tokenizer.decode(tokenizer.ids("a</s>b", false), false));
        }
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"legacy\": false}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals("a</s>b", tokenizer.decode(tokenizer.ids("a</s>b", false), false));
        }
    }

    @Test
    void tokensThatOnlyAConfigNamesAreAdded() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        Path config = folder.resolve("tokenizer_config.json");
        int size;
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            size = tokenizer.vocabSize();
        }
        Files.writeString(config, """
                {"pad_token": "<|pad|>", "additional_special_tokens": ["<|x|>", {"content": "<|pad|>"}],
                 "added_tokens_decoder": {"%d": {"content": "two words", "special": false, "normalized": false},
                                          "%d": {"content": "<|pad|>"}}}""".formatted(size + 1, size));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals(OptionalInt.of(size), tokenizer.padId());
            assertEquals(OptionalInt.of(size + 1), tokenizer.idOf("two words"));
            assertEquals(OptionalInt.of(size + 2), tokenizer.idOf("<|x|>"));
            assertEquals(size + 3, tokenizer.vocabSize());
            int[] ids = {size, size + 1, size + 2};
            assertArrayEquals(ids, tokenizer.ids("<|pad|>two words<|x|>", false));
            assertEquals("two words", tokenizer.decode(ids, true));
        }
        Files.delete(config);
        Files.writeString(folder.resolve("added_tokens.json"), "{\"<|old|>\": %d}".formatted(size));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertArrayEquals(new int[] {size}, tokenizer.ids("<|old|>", false));
        }
    }

    @Test
    void theRealAdaptersTokenizerHasItsAddedToken() {
        try (Tokenizer tokenizer = Tokenizer.load(RealInputs.path("adapters/fms-tinyllama-added-tokens"))) {
            assertEquals(OptionalInt.of(32000), tokenizer.padId());
            assertEquals(32001, tokenizer.vocabSize());
            assertEquals(Optional.of("<pad>"), tokenizer.padToken());
        }
    }

    @Test
    void aCopyReadsTheSame() throws IOException {
        Path other = Files.createDirectory(folder.resolve("other"));
        Path model = Files.copy(TestFiles.resource("sentencepiece/bpe.model"), other.resolve("pieces.model"));
        Files.writeString(other.resolve("chat_template.jinja"), "D");
        Path more = Files.createDirectory(other.resolve("additional_chat_templates"));
        Files.writeString(more.resolve("tool_use.jinja"), "T");
        Path copy = folder.resolve("copy");
        TokenizerFiles.copy(model, copy);
        try (Tokenizer before = Tokenizer.load(model); Tokenizer after = Tokenizer.load(copy)) {
            assertArrayEquals(before.ids("a king", true), after.ids("a king", true));
            assertEquals(before.chatTemplates(), after.chatTemplates());
            assertEquals(2, after.chatTemplates().size());
        }
    }

    @Test
    void brokenFilesAreNamed() throws IOException {
        Path model = folder.resolve("tokenizer.model");
        Files.write(model, new byte[] {1, 2, 3});
        assertRefused("is not a SentencePiece model");
        byte[] whole = Files.readAllBytes(TestFiles.resource("sentencepiece/unigram.model"));
        Files.write(model, Arrays.copyOf(whole, whole.length / 2));
        assertRefused("is not a SentencePiece model");
        Files.delete(model);
        assertRefused("tokenizer.json does not exist");
        Files.writeString(folder.resolve("vocab.json"), "{\"a\": 0, \"b\": 1, \"ab\": 2}");
        assertRefused("tokenizer.json does not exist");
        Path merges = folder.resolve("merges.txt");
        Files.writeString(merges, "#version: 0.2\na b c\n");
        assertRefused("merges.txt, line 2");
        Files.writeString(merges, "a b\n");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"tokenizer_class\": \"BertTokenizer\"}");
        assertRefused("BertTokenizer");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{}");
        Files.writeString(folder.resolve("vocab.json"), "{\"a\": \"0\"}");
        assertRefused("is not a vocabulary");
    }

    private void assertRefused(String what) {
        String message = assertThrows(InputException.class, () -> Tokenizer.load(folder).close()).getMessage();
        assertTrue(message.contains(what), message);
        assertEquals(1, message.lines().count(), message);
    }
}
