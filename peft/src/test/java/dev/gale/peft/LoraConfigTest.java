package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoraConfigTest {
    @TempDir
    Path dir;

    private LoraConfig parse(String json) throws IOException {
        return LoraConfig.read(Files.writeString(dir.resolve("adapter_config.json"), json));
    }

    private String refusal(String json) {
        String message = assertThrows(InputException.class, () -> parse(json)).getMessage();
        assertTrue(message.contains("adapter_config.json"), message);
        return message;
    }

    @Test
    void omittedKeysHaveTheDefaultsOfPeft() throws IOException {
        LoraConfig config = parse("{\"peft_type\": \"LORA\", \"something_new\": {\"a\": 1}}");
        assertEquals(LoraConfig.builder().taskType(null).build(), config);
        assertEquals(8, config.r());
        assertEquals(8, config.loraAlpha());
        assertEquals(InitLoraWeights.KAIMING, config.initLoraWeights());
        assertEquals(LoraConfig.Bias.NONE, config.bias());
    }

    @Test
    void everyKeyIsRead() throws IOException {
        LoraConfig config = parse("""
                {"r": 4, "lora_alpha": 12, "lora_dropout": 0.1, "target_modules": ["q_proj", "o_proj"],
                 "exclude_modules": "model.layers.0.*", "bias": "lora_only", "use_rslora": true,
                 "modules_to_save": ["lm_head"], "init_lora_weights": "gaussian", "layers_to_transform": 1,
                 "layers_pattern": "layers", "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"o_proj": 3},
                 "task_type": "CAUSAL_LM", "base_model_name_or_path": "some/base", "revision": "main"}""");
        assertEquals(LoraConfig.builder().r(4).loraAlpha(12).loraDropout(0.1).targetModules("q_proj", "o_proj")
                .excludeModules(ModuleNames.matching("model.layers.0.*")).bias(LoraConfig.Bias.LORA_ONLY)
                .useRslora(true).modulesToSave("lm_head").initLoraWeights(InitLoraWeights.GAUSSIAN)
                .layersToTransform(List.of(1)).layersPattern(List.of("layers")).rankPattern(Map.of("q_proj", 2))
                .alphaPattern(Map.of("o_proj", 3.0)).baseModelNameOrPath("some/base").revision("main").build(), config);
    }

    @ParameterizedTest
    @ValueSource(strings = {"true", "false", "\"gaussian\"", "\"orthogonal\"", "\"pissa\"", "\"pissa_niter_16\"", "\"olora\"",
        "\"loftq\"", "\"eva\""})
    void initializationsAreWrittenAsTheyAreRead(String value) throws IOException {
        LoraConfig config = parse("{\"init_lora_weights\": " + value + "}");
        Path file = dir.resolve("out").resolve("adapter_config.json");
        config.write(file);
        JsonNode json = new ObjectMapper().readTree(file.toFile());
        assertEquals(value, json.get("init_lora_weights").toString());
        assertEquals(value.equals("\"loftq\"") ? "{\"loftq_bits\":4,\"loftq_iter\":1}" : "{}",
                json.get("loftq_config").toString());
        assertEquals(!value.equals("\"eva\""), json.get("eva_config").isNull());
        assertEquals(config, LoraConfig.read(file));
    }

    @Test
    void sectionsOfInitializationsAreReadWhereTheyCount() throws IOException {
        assertEquals(new LoftqConfig(4, 5),
                parse("{\"init_lora_weights\": \"loftq\", \"loftq_config\": {\"loftq_iter\": 5}}").loftqConfig());
        assertEquals(LoftqConfig.DEFAULT, parse("{\"loftq_config\": {\"loftq_bits\": 8}}").loftqConfig());
        assertEquals(new EvaConfig(1.5, 0.9, false, -100, true, false), parse("""
                {"init_lora_weights": "eva", "eva_config": {"rho": 1.5, "tau": 0.9, "use_label_mask": false,
                 "label_mask_value": -100, "whiten": true, "adjust_scaling_factors": false}}""").evaConfig());
    }

    @Test
    void writingAndReadingGivesTheSame() {
        Path file = dir.resolve("out").resolve("adapter_config.json");
        for (LoraConfig config : List.of(LoraConfig.builder().build(),
                LoraConfig.builder().targetModules(ModuleNames.ALL_LINEAR)
                        .initLoraWeights(InitLoraWeights.RANDOM).build(),
                LoraConfig.builder().targetModules("a", "b").layersToTransform(List.of(0, 3)).loraAlpha(1.5)
                        .layersPattern(List.of("h", "layers")).rankPattern(new TreeMap<>(Map.of("a", 1, "b", 2)))
                        .alphaPattern(Map.of("b", 2.5)).bias(LoraConfig.Bias.ALL).modulesToSave("x").build())) {
            config.write(file);
            assertEquals(config, LoraConfig.read(file));
        }
    }

    @Test
    void tokensAndParametersAreWrittenAsTheyAreRead() throws IOException {
        LoraConfig listed = parse("""
                {"target_modules": [], "target_parameters": ["experts.down_proj"], "trainable_token_indices": [7, 3]}""");
        assertEquals(List.of("experts.down_proj"), listed.targetParameters());
        assertEquals(TokenIndices.of(7, 3), listed.trainableTokenIndices());
        LoraConfig named = parse("{\"trainable_token_indices\": {\"embed_tokens\": [7, 3], \"lm_head\": [1]}}");
        assertEquals(new TokenIndices(List.of(), Map.of("embed_tokens", List.of(7, 3), "lm_head", List.of(1))),
                named.trainableTokenIndices());
        for (LoraConfig config : List.of(listed, named, LoraConfig.builder().build())) {
            Path file = dir.resolve("out").resolve("adapter_config.json");
            config.write(file);
            assertEquals(config, LoraConfig.read(file));
        }
        assertTrue(refusal("{\"trainable_token_indices\": [\"a\"]}")
                .contains("trainable_token_indices must be a whole number"));
        assertTrue(refusal("{\"trainable_token_indices\": [3, 3]}").contains("has token 3 twice"));
        assertTrue(refusal("{\"target_parameters\": [\"a\"], \"lora_dropout\": 0.1}")
                .contains("target_parameters and lora_dropout exclude each other"));
    }

    @Test
    void writtenFilesSayWhatPeftNeeds() throws IOException {
        Path file = dir.resolve("adapter_config.json");
        LoraConfig.builder().loraAlpha(16).targetModules("q_proj").build().write(file);
        JsonNode json = new ObjectMapper().readTree(file.toFile());
        assertEquals("LORA", json.get("peft_type").asText());
        assertEquals("CAUSAL_LM", json.get("task_type").asText());
        assertTrue(json.get("lora_alpha").isInt());
        assertTrue(json.get("inference_mode").asBoolean());
        assertEquals("[\"q_proj\"]", json.get("target_modules").toString());
        assertTrue(json.get("layers_to_transform").isNull());
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"use_bdlora\": {\"nblocks\": 2}", "\"layer_replication\": [[0, 1]]",
        "\"alora_invocation_tokens\": [1, 2]", "\"use_qalora\": true", "\"arrow_config\": {\"top_k\": 3}",
        "\"ensure_weight_tying\": true"})
    void otherComputationsAreRefusedByName(String key) {
        String message = refusal("{" + key + "}");
        assertTrue(message.contains(key.split("\"")[1] + " is set"), message);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"use_dora\": false", "\"layer_replication\": null", "\"loftq_config\": {}",
        "\"eva_config\": null", "\"trainable_token_indices\": []", "\"fan_in_fan_out\": true"})
    void unsetVariantsAreAccepted(String key) throws IOException {
        assertEquals(8, parse("{" + key + "}").r());
    }

    @Test
    void otherKindsOfAdaptersAreRefused() {
        assertTrue(refusal("{\"peft_type\": \"IA3\"}").contains("peft_type is IA3"));
        assertTrue(refusal("{\"init_lora_weights\": \"corda\"}").contains("\"corda\", which is not supported"));
    }

    @Test
    void wrongValuesAreRefusedByName() {
        for (String[] wrong : new String[][] {
            {"\"r\": 0", "r must be at least 1"}, {"\"r\": \"8\"", "r must be a whole number"},
            {"\"r\": 1.5", "r must be a whole number"}, {"\"lora_alpha\": 0", "lora_alpha must be a positive number"},
            {"\"lora_dropout\": 1", "lora_dropout must be in [0, 1)"}, {"\"lora_dropout\": \"x\"", "must be a number"},
            {"\"target_modules\": []", "target_modules is empty"}, {"\"target_modules\": [1]", "a list of names"},
            {"\"target_modules\": {}", "a list of names"}, {"\"target_modules\": \"(\"", "not a regular expression"},
            {"\"bias\": \"some\"", "bias must be none, all or lora_only"}, {"\"use_rslora\": 1", "true or false"},
            {"\"target_modules\": \"q\", \"layers_to_transform\": [1]", "need a list of target_modules"},
            {"\"layers_pattern\": \"layers\"", "layers_pattern needs layers_to_transform"},
            {"\"rank_pattern\": {\"q\": 0}", "rank_pattern q must be at least 1"},
            {"\"init_lora_weights\": \"pissa_niter_0\"", "pissa_niter_N"}, {"\"init_lora_weights\": 1", "must be true, false"},
            {"\"init_lora_weights\": \"loftq\", \"loftq_config\": {\"loftq_bits\": 8}", "loftq_bits must be 4"},
            {"\"init_lora_weights\": \"loftq\", \"loftq_config\": {\"loftq_iter\": 0}", "loftq_iter must be at least 1"},
            {"\"init_lora_weights\": \"loftq\", \"loftq_config\": [1]", "loftq_config must be a section"},
            {"\"init_lora_weights\": \"eva\", \"eva_config\": {\"rho\": 0.5}", "rho of eva_config must be at least 1"},
            {"\"init_lora_weights\": \"eva\", \"eva_config\": {\"tau\": 2}", "tau of eva_config must be in [0, 1]"},
            {"\"init_lora_weights\": \"orthogonal\", \"r\": 3", "r and every rank_pattern must be even"},
            {"\"lora_bias\": true, \"use_dora\": true", "lora_bias and use_dora exclude each other"},
            {"\"lora_bias\": true, \"init_lora_weights\": \"pissa\"", "lora_bias needs init_lora_weights true or false"},
            {"\"alpha_pattern\": [1]", "alpha_pattern must map names to numbers"}}) {
            String message = refusal("{" + wrong[0] + "}");
            assertTrue(message.contains(wrong[1]), message);
        }
        assertTrue(refusal("{\"r\": 8").contains("is not JSON"));
        assertTrue(refusal("[]").contains("holds no JSON object"));
    }

    @Test
    void aMissingFileIsNamed() {
        Path file = dir.resolve("nowhere").resolve("adapter_config.json");
        String message = assertThrows(InputException.class, () -> LoraConfig.read(file)).getMessage();
        assertEquals(file + " is missing; give the folder of a PEFT adapter", message);
    }

    @Test
    void patternsChooseRankAndScale() {
        LoraConfig config = LoraConfig.builder().r(4).loraAlpha(8).rankPattern(Map.of("q_proj", 16, "^x\\.y", 2))
                .alphaPattern(Map.of("layers.1.*v_proj", 6.0)).build();
        assertEquals(16, config.rankOf("model.layers.0.self_attn.q_proj"));
        assertEquals(4, config.rankOf("model.layers.0.self_attn.eq_proj"));
        assertEquals(0.5f, config.scaleOf("model.layers.0.self_attn.q_proj"));
        assertEquals(1.5f, config.scaleOf("model.layers.1.self_attn.v_proj"));
        assertEquals(2f, config.scaleOf("model.layers.0.self_attn.v_proj"));
        assertEquals(2f, config.toBuilder().useRslora(true).build().scaleOf("model.layers.0.self_attn.q_proj"));
    }
}
