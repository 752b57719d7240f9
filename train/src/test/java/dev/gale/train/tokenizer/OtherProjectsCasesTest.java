package dev.gale.train.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.train.testing.RealInputs;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Encodings that llama.cpp and transformers.js expect of tokenizers that are among the real inputs.
class OtherProjectsCasesTest {
    @ParameterizedTest
    @CsvSource({"gpt-2, gpt2", "llama-bpe, llama3.2", "llama-spm, llama2", "llama-spm, llama2/tokenizer.model",
        "qwen2, qwen2.5"})
    void llamaCppAgrees(String cases, String tokenizer) throws IOException {
        String base = "tokenizers/llama.cpp-cases/ggml-vocab-" + cases + ".gguf";
        String[] texts = Files.readString(RealInputs.path(base + ".inp")).split("\n__ggml_vocab_test__\n", -1);
        List<String> lines = Files.readAllLines(RealInputs.path(base + ".out"));
        List<String> differences = new ArrayList<>();
        try (Tokenizer loaded = Tokenizer.load(RealInputs.path("tokenizers/" + tokenizer))) {
            for (int i = 0; i < lines.size(); i++) {
                String actual = Arrays.stream(loaded.ids(texts[i], false)).mapToObj(Integer::toString)
                        .collect(Collectors.joining(" "));
                if (!actual.equals(lines.get(i).strip())) differences.add(texts[i] + ": " + lines.get(i) + " but " + actual);
            }
        }
        assertEquals(texts.length, lines.size() + (texts[texts.length - 1].isEmpty() ? 1 : 0));
        assertEquals("", String.join("\n", differences));
    }

    @ParameterizedTest
    @CsvSource({"llama, Xenova/llama-tokenizer, llama2, 37, true", "llama, Xenova/llama3-tokenizer-new, llama3.2, 37, true",
        "llama, Xenova/llama3-tokenizer, llama3.2, 37, false", "gpt2, Xenova/gpt2, gpt2, 26, true",
        "gpt2, openai-community/gpt2, gpt2, 26, true", "qwen2, Xenova/Qwen1.5-0.5B-Chat, qwen2.5, 25, true"})
    void transformersJsAgrees(String family, String model, String tokenizer, int count, boolean special) throws IOException {
        JsonNode cases = new ObjectMapper().readTree(RealInputs.path("tokenizers/transformers.js-cases.json").toFile())
                .path(family).path("models").path(model);
        List<String> differences = new ArrayList<>();
        int compared = 0;
        try (Tokenizer loaded = Tokenizer.load(RealInputs.path("tokenizers/" + tokenizer))) {
            for (JsonNode one : cases) {
                List<Integer> ids = new ArrayList<>();
                one.get("ids").forEach(id -> ids.add(id.intValue()));
                compared++;
                List<Integer> actual = Arrays.stream(loaded.ids(one.get("text").textValue(), special)).boxed().toList();
                if (!actual.equals(ids)) differences.add(one.get("text") + ": " + ids + " but " + actual);
            }
        }
        assertEquals(count, compared);
        assertEquals("", String.join("\n", differences));
    }
}
