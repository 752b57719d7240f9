package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// Adapters on every family: their targets, quantized bases, dropout under checkpointing, files.
class FamilyAdaptersTest {
    private static final int[] TOKENS = {1, 17, 5, 30, 42, 9, 9, 28, 61, 0, 57};

    static List<String> families() {
        return List.of("mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "gemma3-vision", "mistral3-vision",
                "phi", "phi-norms", "phi3", "smollm3", "granite", "mixtral", "qwen2-moe", "qwen3-moe", "deepseek",
                "deepseek-yarn");
    }

    private static CausalLm load(String family, LoadOptions options, TensorOps ops) {
        return CausalLm.load(Trained.base(family), options, ops);
    }

    private static PeftModel adapted(CausalLm model, double dropout) {
        LoraConfig config = LoraConfig.builder().r(2).loraAlpha(6).loraDropout(dropout).targetModules("all-linear").build();
        PeftModel peft = PeftModel.inject(model, config, 3);
        int number = 0;
        for (Parameter parameter : peft.trainableParameters()) {
            if (!parameter.name().endsWith("lora_B.weight")) continue;
            float[] values = Fixtures.uniform((int) parameter.value().size(), number++);
            for (int i = 0; i < values.length; i++) values[i] *= 0.1f;
            model.ops().write(parameter.value(), values);
        }
        return peft;
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"mistral|down_proj gate_proj k_proj o_proj q_proj up_proj v_proj",
        "phi|dense fc1 fc2 k_proj q_proj v_proj", "phi3|down_proj gate_up_proj o_proj qkv_proj",
        "mixtral|gate k_proj o_proj q_proj v_proj w1 w2 w3",
        "qwen2-moe|down_proj gate gate_proj k_proj o_proj q_proj shared_expert_gate up_proj v_proj",
        "deepseek|down_proj gate_proj kv_a_proj_with_mqa kv_b_proj o_proj q_a_proj q_b_proj up_proj"})
    void allLinearMeansTheProjectionsOfTheFamily(String family, String names) {
        try (TensorOps ops = new CpuOps(); CausalLm model = load(family, LoadOptions.defaults(), ops);
             PeftModel peft = adapted(model, 0)) {
            assertEquals(names, String.join(" ", new TreeSet<>(peft.config().targetModules().names())));
        }
    }

    /// Names alone would mean what sees, too.
    @Test
    void targetsOfALanguageModelThatIsAPartAreAPattern() {
        try (TensorOps ops = new CpuOps(); CausalLm model = load("gemma3-vision", LoadOptions.defaults(), ops)) {
            LoraConfig config = LoraConfig.builder().r(2).targetModules("q_proj", "mlp.up_proj").build();
            try (PeftModel peft = PeftModel.inject(model, config, 3)) {
                ModuleNames targets = peft.config().targetModules();
                assertEquals("'model\\.language_model\\..*\\b(q_proj|mlp\\.up_proj)'", targets.toString());
                assertTrue(targets.matches("model.language_model.layers.1.self_attn.q_proj"));
                assertTrue(targets.matches("model.language_model.layers.1.mlp.up_proj"));
                assertFalse(targets.matches("model.vision_tower.encoder.layers.0.self_attn.q_proj"));
                assertEquals(12, peft.trainableParameters().size());
            }
            try (PeftModel peft = adapted(model, 0)) {
                assertEquals(42, peft.trainableParameters().size());
                assertTrue(peft.config().targetModules().matches("model.language_model.layers.2.mlp.down_proj"));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void quantizedBasesTakeAdaptersAndMerge(String family) {
        LoadOptions options = LoadOptions.defaults().withQuantization(Quantization.INT8);
        try (TensorOps ops = new CpuOps(); CausalLm model = load(family, options, ops)) {
            float[] base = Trained.logits(model, TOKENS);
            try (PeftModel peft = adapted(model, 0)) {
                float[] adapted = Trained.logits(model, TOKENS);
                assertTrue(Trained.norm(Trained.minus(base, adapted)) > 0.01 * Trained.norm(base), "the adapter counts");
                peft.mergeDequantized(DType.F32);
                TensorAssert.assertClose("merged", adapted, Trained.logits(model, TOKENS), 2e-4);
                peft.unmerge();
                assertArrayEquals(adapted, Trained.logits(model, TOKENS));
            }
            assertArrayEquals(base, Trained.logits(model, TOKENS));
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void checkpointsAndDropoutChangeNoGradient(String family) {
        try (TensorOps ops = new CpuOps(); CausalLm model = load(family, LoadOptions.defaults(), ops);
             PeftModel peft = adapted(model, 0.25)) {
            int[] targets = IntStream.range(0, TOKENS.length).map(i -> i * 7 % 60).toArray();
            Trained.Batch batch = new Trained.Batch(new int[][] {TOKENS}, targets);
            float[][] kept = null;
            for (Checkpointing checkpointing : Checkpointing.values()) {
                peft.trainableParameters().forEach(parameter -> parameter.releaseGrad(ops));
                Trained.lossSum(model, batch, 5, checkpointing);
                float[][] gradients = peft.trainableParameters().stream().map(parameter -> ops.toFloats(parameter.grad(ops)))
                        .toArray(float[][]::new);
                if (kept == null) kept = gradients;
                for (int i = 0; i < kept.length; i++) assertArrayEquals(kept[i], gradients[i]);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void savedAdaptersComeBack(String family, @TempDir Path dir) {
        float[] want;
        try (TensorOps ops = new CpuOps(); CausalLm model = load(family, LoadOptions.defaults(), ops);
             PeftModel peft = adapted(model, 0)) {
            want = Trained.logits(model, TOKENS);
            peft.save(dir);
        }
        try (TensorOps ops = new CpuOps(); CausalLm model = load(family, LoadOptions.defaults(), ops);
             PeftModel peft = PeftModel.load(model, dir, false)) {
            assertArrayEquals(want, Trained.logits(model, TOKENS));
            assertEquals(List.of(), peft.trainableParameters());
        }
    }

    private static void refuses(String part, LoraConfigBuilder config) {
        try (TensorOps ops = new CpuOps(); CausalLm model = load("mixtral", LoadOptions.defaults(), ops)) {
            String message = assertThrows(InputException.class, () -> PeftModel.inject(model, config.build(), 1)).getMessage();
            assertTrue(message.contains(part), message);
        }
    }

    @Test
    void whatExpertsDoNotTakeIsSaid() {
        String first = "model.layers.0.block_sparse_moe.experts.0.w1";
        refuses("LoRA: use_dora does not reach " + first, LoraConfig.builder().targetModules("w1").useDora(true));
    }
}
