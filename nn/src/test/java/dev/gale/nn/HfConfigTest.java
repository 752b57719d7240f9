package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.Activation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HfConfigTest {
    private static ModelConfig with(Consumer<ObjectNode> change) {
        ObjectNode json = HfConfig.json(Fixtures.folder("llama").resolve("config.json"));
        change.accept(json);
        return HfConfig.parse(json, "m/config.json");
    }

    private static void rejects(String part, Consumer<ObjectNode> change) {
        String message = assertThrows(InputException.class, () -> with(change)).getMessage();
        assertTrue(message.contains(part) && message.startsWith("m/config.json: ") && !message.contains("\n"), message);
    }

    @Test
    void everyFieldThatChangesTheComputationIsRead() {
        ModelConfig config = with(json -> json.put("attention_bias", true).put("mlp_bias", true)
                .put("hidden_act", "gelu_new").put("dtype", "bfloat16").put("tie_word_embeddings", true));
        assertEquals(new ModelConfig("LlamaForCausalLM", 64, 160, 2, 4, 2, 16, 320, 256, 1e-5, Activation.GELU_TANH,
                true, true, true, config.rope(), 1, List.of(2), 0, DType.BF16, 0.02), config);
        assertEquals(10_000, config.rope().theta());
        assertEquals(RopeConfig.Type.DEFAULT, config.rope().type());
    }

    @Test
    void absentFieldsTakeTheDefaultsOfTransformers() {
        ModelConfig config = with(json -> json.remove(List.of("num_key_value_heads", "head_dim",
                "rope_parameters", "rms_norm_eps", "hidden_act", "max_position_embeddings", "bos_token_id",
                "eos_token_id", "pad_token_id", "dtype",
                "tie_word_embeddings")));
        assertEquals(4, config.numKvHeads());
        assertEquals(16, config.headDim());
        assertEquals(1e-6, config.rmsNormEps());
        assertEquals(2048, config.maxSeqLen());
        assertEquals(-1, config.bosTokenId());
        assertEquals(List.of(), config.eosTokenIds());
        assertEquals(DType.F32, config.dtype());
        assertFalse(config.tieWordEmbeddings());
        assertEquals(10_000, config.rope().theta());
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3-rope", "llama-linear", "llama-yarn", "llama"})
    void oldSpellingOfRopeMeansTheSame(String name) {
        ObjectNode json = HfConfig.json(Fixtures.folder(name).resolve("config.json"));
        ModelConfig written = HfConfig.parse(json, "new");
        ObjectNode rope = (ObjectNode) json.remove("rope_parameters");
        json.set("rope_theta", rope.remove("rope_theta"));
        json.set("rope_scaling", rope);
        assertEquals(written, HfConfig.parse(json, "old"));
        rope.set("type", rope.remove("rope_type"));
        assertEquals(written, HfConfig.parse(json, "oldest"));
        if (name.equals("llama")) {
            json.putNull("rope_scaling");
            assertEquals(written, HfConfig.parse(json, "null"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen2-moe", "qwen3-moe"})
    void expertsAreCountedInEitherSpelling(String name) {
        ObjectNode json = HfConfig.json(Fixtures.folder(name).resolve("config.json"));
        ModelConfig written = HfConfig.parse(json, "first");
        json.set("num_local_experts", json.remove("num_experts"));
        assertEquals(written, HfConfig.parse(json, "since Transformers 5"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3-rope", "llama-linear", "llama-yarn", "llama"})
    void aWrittenConfigurationReadsBackEqual(String name) {
        ModelConfig config = HfConfig.read(Fixtures.folder(name));
        assertEquals(config, HfConfig.parse(HfConfig.toJson(config), "written"));
    }

    @Test
    void endOfSequenceMayBeAListAndGenerationConfigDecides(@TempDir Path dir) throws IOException {
        assertEquals(List.of(2, 7), with(json -> json.putArray("eos_token_id").add(2).add(7)).eosTokenIds());
        Fixtures.copy("llama", dir);
        Files.writeString(dir.resolve("generation_config.json"), "{\"eos_token_id\": [5, 6]}");
        assertEquals(List.of(5, 6), HfConfig.read(dir).eosTokenIds());
        Files.writeString(dir.resolve("generation_config.json"), "{\"do_sample\": false}");
        assertEquals(List.of(2), HfConfig.read(dir).eosTokenIds());
    }

    @Test
    void whatIsUnknownIsNamedWithWhatIsKnown() {
        rejects("the architecture 'MambaForCausalLM' is unknown; known are LlamaForCausalLM",
                json -> json.putArray("architectures").add("MambaForCausalLM"));
        rejects("it has no 'architectures'", json -> json.remove("architectures"));
        rejects("hidden_act 'relu' is unknown; known are gelu, gelu_new, gelu_pytorch_tanh, silu, swish",
                json -> json.put("hidden_act", "relu"));
        rejects("rope_type 'spiral' is unknown; known are default, linear, dynamic, llama3, yarn, longrope",
                json -> json.putObject("rope_parameters").put("rope_type", "spiral"));
    }

    @Test
    void contradictionsAreRejected() {
        rejects("hidden_size 64 is not a multiple of num_attention_heads 5",
                json -> json.put("num_attention_heads", 5).remove("head_dim"));
        assertEquals(16, with(json -> json.put("num_attention_heads", 6)).headDim());
        rejects("num_attention_heads 4 is not a multiple of num_key_value_heads 3",
                json -> json.put("num_key_value_heads", 3));
        rejects("the required field 'hidden_size' is missing", json -> json.remove("hidden_size"));
        rejects("the required field 'vocab_size' is missing", json -> json.putNull("vocab_size"));
        rejects("num_hidden_layers must be a whole number of at least 1, got 0",
                json -> json.put("num_hidden_layers", 0));
        rejects("intermediate_size must be a whole number of at least 1, got \"big\"",
                json -> json.put("intermediate_size", "big"));
        rejects("the required field 'factor' is missing",
                json -> json.putObject("rope_parameters").put("rope_type", "linear"));
        rejects("short_factor needs 8 numbers, one per rotated pair, but has 0",
                json -> json.putObject("rope_parameters").put("rope_type", "longrope"));
        rejects("attention_bias must be true or false", json -> json.put("attention_bias", "yes"));
    }

    @Test
    void aFileThatIsNoJsonOrIsMissingIsNamed(@TempDir Path dir) throws IOException {
        String missing = assertThrows(InputException.class, () -> HfConfig.read(dir)).getMessage();
        assertTrue(missing.contains("config.json does not exist; give a model folder"), missing);
        Files.writeString(dir.resolve("config.json"), "{\"hidden_size\": 64,");
        String broken = assertThrows(InputException.class, () -> HfConfig.read(dir)).getMessage();
        assertTrue(broken.contains("config.json is not JSON ("), broken);
        Files.writeString(dir.resolve("config.json"), "[1]");
        String list = assertThrows(InputException.class, () -> HfConfig.read(dir)).getMessage();
        assertTrue(list.contains("config.json holds no JSON object"), list);
    }
}
