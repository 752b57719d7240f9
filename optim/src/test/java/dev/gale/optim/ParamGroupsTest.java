package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class ParamGroupsTest {
    private static Parameter parameter(String name) {
        return new Parameter(name, new Tensor(name, DType.F32, Shape.of(2), new Storage.None()), true);
    }

    @Test
    void biasesAndNormsDoNotDecay() {
        for (String name : List.of("model.layers.0.self_attn.q_proj.bias", "model.layers.1.input_layernorm.weight",
                "model.norm.weight", "model.layers.0.self_attn.q_norm.weight", "Model.LayerNorm.weight",
                "x.rmsnorm1.weight")) {
            assertFalse(ParamGroups.decays(name), name);
        }
        for (String name : List.of("model.embed_tokens.weight", "lm_head.weight", "model.layers.0.mlp.up_proj.weight",
                "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "model.normal.weight")) {
            assertTrue(ParamGroups.decays(name), name);
        }
    }

    @Test
    void everyParameterIsInOneGroup() {
        Parameter weight = parameter("a.weight");
        Parameter bias = parameter("a.bias");
        assertEquals(List.of(new ParamGroup(List.of(weight), 0.1), new ParamGroup(List.of(bias), 0)),
                ParamGroups.byDecay(List.of(bias, weight), 0.1));
        assertEquals(1, ParamGroups.byDecay(List.of(weight), 0.1).size());
        assertEquals(List.of(), ParamGroups.byDecay(List.of(), 0.1));
    }

    @Test
    void negativeOrNanSettingsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> new ParamGroup(List.of(), -0.1));
        assertThrows(IllegalArgumentException.class, () -> new ParamGroup(List.of(), Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> new ParamGroup(List.of(), 0, -1));
    }
}
