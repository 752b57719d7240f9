package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Expected matches by PEFT 0.21.
class LoraTargetsTest {
    private static final List<String> PROJECTIONS = List.of("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj",
            "up_proj", "down_proj");
    private static final String ATTENTION = "model.layers.%d.self_attn.";
    private final TensorOps ops = new NullOps();
    private final CausalLm model = Trained.small(false, DType.F32, ops);

    @AfterEach
    void close() {
        model.close();
        ops.close();
    }

    private List<String> adapted(LoraConfigBuilder config) {
        return new LoraTargets(config.build(), model).adapted();
    }

    private String refusal(LoraConfigBuilder config) {
        return assertThrows(InputException.class, () -> adapted(config)).getMessage();
    }

    private static LoraConfigBuilder config() {
        return LoraConfig.builder();
    }

    @Test
    void theDefaultIsQueryAndValue() {
        assertEquals(List.of("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj",
                "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.v_proj"), adapted(config()));
        assertEquals(ModuleNames.of("q_proj", "v_proj"), new LoraTargets(config().build(), model).resolved());
    }

    @Test
    void allLinearIsEveryProjectionButNotTheHead() {
        LoraConfigBuilder all = config().targetModules(ModuleNames.ALL_LINEAR);
        assertEquals(List.copyOf(model.projections().keySet()), adapted(all));
        assertEquals(new ModuleNames(PROJECTIONS, null), new LoraTargets(all.build(), model).resolved());
        assertEquals(14, adapted(config().targetModules(ModuleNames.matching("All-Linear"))).size());
        assertEquals(ModuleNames.ALL_LINEAR, config().targetModules("all-linear").build().targetModules());
    }

    @Test
    void namesAreWholePathsOrTheirEnds() {
        assertEquals(List.of("model.layers.1.mlp.up_proj"),
                adapted(config().targetModules("model.layers.1.mlp.up_proj")));
        assertEquals(List.of("model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"),
                adapted(config().targetModules("mlp.up_proj")));
    }

    @Test
    void anExpressionMatchesTheWholePath() {
        assertEquals(List.of("model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.k_proj"),
                adapted(config().targetModules(ModuleNames.matching(".*\\.1\\.self_attn\\.(q|k)_proj"))));
        LoraConfigBuilder part = config().targetModules(ModuleNames.matching("self_attn.q_proj"));
        assertTrue(refusal(part).contains("chooses no module"));
    }

    @Test
    void layersAreChosenByNumber() {
        String first = ATTENTION.formatted(0) + "q_proj";
        String second = ATTENTION.formatted(1) + "q_proj";
        LoraConfigBuilder query = config().targetModules("q_proj");
        assertEquals(List.of(second), adapted(query.layersToTransform(List.of(1))));
        assertEquals(List.of(first, second), adapted(query.layersToTransform(List.of(0, 1, 7))));
        query.layersToTransform(List.of(0));
        assertEquals(List.of(first), adapted(query.layersPattern(List.of("h", "layers"))));
        assertTrue(refusal(query.layersPattern(List.of("blocks"))).contains("chooses no module"));
    }

    @Test
    void excludedAndWholeModulesAreLeftOut() {
        LoraConfigBuilder query = config().targetModules("q_proj");
        assertEquals(List.of(ATTENTION.formatted(1) + "q_proj"),
                adapted(query.excludeModules(ModuleNames.of("model.layers.0.self_attn.q_proj"))));
        assertEquals(List.of(ATTENTION.formatted(0) + "q_proj"),
                adapted(query.excludeModules(ModuleNames.matching(".*layers\\.1.*"))));
        assertTrue(refusal(query.excludeModules(null).modulesToSave("q_proj")).contains("chooses no module"));
    }

    @Test
    void wholeModulesAreFoundByTheEndOfTheirPath() {
        assertEquals(List.of("lm_head.weight"), whole("lm_head"));
        assertEquals(List.of("model.layers.0.input_layernorm.weight", "model.layers.0.post_attention_layernorm.weight",
                "model.layers.1.input_layernorm.weight", "model.layers.1.post_attention_layernorm.weight",
                "model.norm.weight"), whole("norm").stream().sorted().toList());
        assertEquals(List.of("model.layers.1.mlp.down_proj.bias", "model.layers.1.mlp.down_proj.weight",
                "model.layers.1.mlp.gate_proj.bias", "model.layers.1.mlp.gate_proj.weight",
                "model.layers.1.mlp.up_proj.bias", "model.layers.1.mlp.up_proj.weight"),
                whole("1.mlp").stream().sorted().toList());
    }

    private List<String> whole(String entry) {
        return new LoraTargets(config().modulesToSave(entry).build(), model).savedWhole();
    }

    @Test
    void strangersAreNamedWithTheNearest() {
        assertTrue(refusal(config().targetModules("q_proj", "v_porj")).contains("'v_porj'; did you mean 'v_proj'?"));
        String message = assertThrows(InputException.class, () -> whole("lm_haed")).getMessage();
        assertTrue(message.contains("modules_to_save") && message.contains("did you mean 'lm_head'?"), message);
    }

    @Test
    void theHeadTakesNoLora() {
        assertTrue(refusal(config().targetModules("q_proj", "lm_head")).contains("train it whole with modules_to_save"));
        assertTrue(refusal(config().targetModules(ModuleNames.matching(".*"))).contains("modules_to_save"));
        assertEquals(14, adapted(config().targetModules(ModuleNames.matching(".*_proj"))).size());
    }

    @Test
    void theEmbeddingIsATargetByName() {
        for (String path : List.of("embed_tokens", "model.embed_tokens")) {
            assertEquals(List.of(), adapted(config().targetModules(path)));
            assertTrue(adaptsEmbedding(config().targetModules("q_proj", path)));
            assertFalse(adaptsEmbedding(config().targetModules(path, "q_proj").modulesToSave("embed_tokens")));
            assertFalse(adaptsEmbedding(config().targetModules(path, "q_proj").layersToTransform(List.of(1))));
        }
        assertFalse(adaptsEmbedding(config().targetModules(ModuleNames.ALL_LINEAR)));
        assertFalse(adaptsEmbedding(config()));
        assertTrue(assertThrows(InputException.class, () -> adaptsEmbedding(config().targetModules("embed_tokens")
                .useDora(true)))
                .getMessage().contains("takes no use_dora"));
    }

    private boolean adaptsEmbedding(LoraConfigBuilder config) {
        return new LoraTargets(config.build(), model).adaptsEmbedding();
    }
}
