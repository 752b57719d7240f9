package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.Shape;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A base without turns learns ChatML: its marks are added, trained with the embedding, and saved with the adapter.
class AddedTokensRunTest {
    private static final String CHAT = """
            {"messages": [{"role": "user", "content": "bought six"}, {"role": "assistant", "content": "clocks"}]}
            {"messages": [{"role": "user", "content": "sold one"}, {"role": "assistant", "content": "clock"}]}
            """;
    private static final String CONFIG = """
            model_name_or_path: %1$s/model
            output_dir: %1$s/out
            max_steps: 2
            learning_rate: 0.01
            add_special_tokens: ["<|im_start|>", "<|im_end|>"]
            eos_token: "<|im_end|>"
            assistant_only_loss: true
            lora: {r: 2}
            dataset: {path: %1$s/data.jsonl, chat_template: chatml}
            """;
    private static final int ROWS = 320;

    @TempDir Path folder;
    private Workplace place;
    private int tokens;

    @BeforeEach
    void makeModelOfWhichEveryRowIsAToken() throws IOException {
        place = Workplace.at(folder);
        place.write("data.jsonl", CHAT);
        place.write("run.yaml", CONFIG.formatted(folder));
        Path json = place.path("model/tokenizer.json");
        try (Tokenizer tokenizer = Tokenizer.load(json); Tokenizer full = tokenizer.withTokens(
                IntStream.range(tokenizer.vocabSize(), ROWS).mapToObj(i -> "filler" + i).toList(), List.of())) {
            full.save(place.path("full"));
            tokens = full.vocabSize();
        }
        Files.move(place.path("full/tokenizer.json"), json, StandardCopyOption.REPLACE_EXISTING);
        assertEquals(ROWS, tokens);
    }

    private CommandRun run(Object... args) {
        CommandRun run = CommandRun.of(args);
        assertEquals(0, run.exit(), run.toString());
        return run;
    }

    @Test
    void anAdapterBringsItsTokensToGenerationAndMerging() throws IOException {
        run("train", place.path("run.yaml"));
        Path out = place.path("out");
        try (Safetensors file = Safetensors.open(out.resolve("adapter_model.safetensors"));
             Safetensors base = Safetensors.open(place.path("model/model.safetensors"))) {
            for (String name : new String[] {"model.embed_tokens.weight", "lm_head.weight"}) {
                assertEquals(Shape.of(ROWS + 2, 64), file.shape("base_model.model." + name));
                float[] before = base.readFloats(name);
                float[] after = file.readFloats("base_model.model." + name);
                double mean = 0;
                for (int row = 0; row < ROWS; row++) mean += before[64 * row] / ROWS;
                float end = after[64 * (ROWS + 1)];
                assertTrue(Math.abs(end - mean) < 0.05, "<|im_end|> began at the mean: " + end + ", " + mean);
                assertTrue(end != (float) mean, "and was trained");
            }
        }
        JsonNode config = new ObjectMapper().readTree(out.resolve("adapter_config.json").toFile());
        assertEquals("[\"embed_tokens\",\"lm_head\"]", config.get("modules_to_save").toString());
        try (Tokenizer saved = Tokenizer.load(out)) {
            assertArrayEquals(new int[] {ROWS, ROWS + 1}, saved.ids("<|im_start|><|im_end|>", false));
            assertTrue(saved.isSpecial(ROWS + 1));
            assertEquals(ROWS + 1, saved.eosId().getAsInt());
            assertTrue(saved.chatTemplate().orElseThrow().contains("<|im_start|>"));
        }
        CommandRun answer = run("generate", "--model", place.path("model"), "--adapter", out, "--chat", "bought two",
                "--max-new-tokens", 3, "--temperature", 0);
        assertFalse(answer.out().contains("<|im_start|>"), answer.out());
        Path merged = place.path("merged");
        run("merge", "--model", place.path("model"), "--adapter", out, "--output", merged);
        try (CpuOps ops = new CpuOps(); CausalLm model = CausalLm.load(merged, LoadOptions.defaults(), ops);
             Tokenizer tokenizer = Tokenizer.load(merged)) {
            assertEquals(ROWS + 2, model.config().vocabSize());
            tokenizer.requireFits(model.config().vocabSize());
        }
        CommandRun again = run("generate", "--model", merged, "--chat", "bought two", "--max-new-tokens", 3, "--temperature",
                0);
        assertEquals(answer.out(), again.out());
    }

    @Test
    void aRunResumesWithItsTokens() throws IOException {
        run("train", place.path("run.yaml"), "--set", "save_strategy=steps", "--set", "save_steps=1");
        byte[] whole = Files.readAllBytes(place.path("out/adapter_model.safetensors"));
        run("train", place.path("run.yaml"), "--set", "overwrite_output_dir=true", "--resume",
                place.path("out/checkpoint-1"));
        assertArrayEquals(whole, Files.readAllBytes(place.path("out/adapter_model.safetensors")));
    }

    /// Only the rows of the tokens learn; the tables come along, since the base has none for them.
    @Test
    void onlyTheRowsOfTheTokensLearnWhereTheyAreNamed() throws IOException {
        place.write("run.yaml", CONFIG.formatted(folder).replace("lora: {r: 2}",
                "lora: {r: 2, trainable_token_indices: {embed_tokens: [320, 321], lm_head: [321]}}"));
        run("train", place.path("run.yaml"), "--set", "save_strategy=steps", "--set", "save_steps=1");
        Path out = place.path("out");
        byte[] whole = Files.readAllBytes(out.resolve("adapter_model.safetensors"));
        try (Safetensors file = Safetensors.open(out.resolve("adapter_model.safetensors"));
             Safetensors base = Safetensors.open(place.path("model/model.safetensors"))) {
            String path = "base_model.model.model.embed_tokens.token_adapter.";
            assertEquals(Shape.of(2, 64), file.shape(path + "trainable_tokens_delta"));
            assertEquals(Shape.of(1, 64), file.shape("base_model.model.lm_head.token_adapter.trainable_tokens_delta"));
            float[] before = base.readFloats("model.embed_tokens.weight");
            float[] after = file.readFloats(path + "base_layer.weight");
            assertEquals((ROWS + 2) * 64, after.length);
            assertArrayEquals(before, Arrays.copyOf(after, before.length));
            assertNotEquals(after[64 * ROWS - 1], after[64 * (ROWS + 1)]);
        }
        JsonNode config = new ObjectMapper().readTree(out.resolve("adapter_config.json").toFile());
        assertTrue(config.get("modules_to_save").isNull());
        assertEquals("{\"embed_tokens\":[320,321],\"lm_head\":[321]}", config.get("trainable_token_indices").toString());
        CommandRun answer = run("generate", "--model", place.path("model"), "--adapter", out, "--chat", "bought two",
                "--max-new-tokens", 3, "--temperature", 0);
        run("merge", "--model", place.path("model"), "--adapter", out, "--output", place.path("merged"));
        CommandRun again = run("generate", "--model", place.path("merged"), "--chat", "bought two", "--max-new-tokens", 3,
                "--temperature", 0);
        assertEquals(answer.out(), again.out());
        run("train", place.path("run.yaml"), "--set", "overwrite_output_dir=true", "--resume", place.path("out/checkpoint-1"));
        assertArrayEquals(whole, Files.readAllBytes(out.resolve("adapter_model.safetensors")));
    }

    @Test
    void aWholeModelGetsTheTokensToo() throws IOException {
        place.write("run.yaml", CONFIG.formatted(folder).replace("lora: {r: 2}", "full_finetuning: true"));
        run("train", place.path("run.yaml"));
        try (CpuOps ops = new CpuOps(); CausalLm model = CausalLm.load(place.path("out"), LoadOptions.defaults(), ops)) {
            assertEquals(ROWS + 2, model.config().vocabSize());
            assertEquals(ROWS + 1, model.config().eosTokenIds().getFirst());
        }
        run("generate", "--model", place.path("out"), "--chat", "bought two", "--max-new-tokens", 2);
    }

    @Test
    void anEndThatIsNoTokenIsRefused() {
        CommandRun run = CommandRun.of("train", place.path("run.yaml"), "--set", "eos_token=<|fin|>");
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("eos_token '<|fin|>' is no token"), run.err());
        assertEquals(1, run.err().lines().count());
    }

    @Test
    void aPlanCountsEmbeddingAndHead() {
        String few = run("plan", place.path("run.yaml")).out();
        String words = IntStream.range(0, 4000).mapToObj(i -> "w" + i).toList().toString();
        assertNotEquals(few, run("plan", place.path("run.yaml"), "--set", "add_tokens=" + words).out());
    }
}
