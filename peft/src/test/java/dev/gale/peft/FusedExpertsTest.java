package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.testing.TensorAssert;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Adapters of experts as Transformers 5 has them, and others that experts differ in. Gradients are in `AdapterGoldenTest`.
class FusedExpertsTest {
    private static final int[] TOKENS = {1, 17, 5, 30, 42, 9, 9, 28, 61, 0, 57};
    private static final Trained.Batch BATCH = new Trained.Batch(new int[][] {TOKENS},
            IntStream.range(0, TOKENS.length).map(i -> i * 7 % 60).toArray());
    private static final LoraConfig FUSED = LoraConfig.builder().r(2).loraAlpha(6).targetModules("o_proj")
            .targetParameters("mlp.experts.gate_up_proj", "experts.down_proj").initLoraWeights(InitLoraWeights.RANDOM).build();

    private final TensorOps ops = new CpuOps();

    @TempDir
    Path dir;

    @AfterEach
    void close() {
        ops.close();
    }

    private CausalLm load(String family) {
        return CausalLm.load(Trained.base(family), LoadOptions.defaults(), ops);
    }

    /// Gate and up that share A compute what separate ones with the same A do.
    @ParameterizedTest
    @ValueSource(strings = {"mixtral", "qwen2-moe", "qwen3-moe", "deepseek"})
    void theyComputeWhatSeparateAdaptersOfTheSameValuesCompute(String family) {
        Map<String, float[]> values = new LinkedHashMap<>();
        float[] want;
        try (CausalLm model = load(family); PeftModel peft = PeftModel.inject(model, FUSED, 3)) {
            for (Parameter p : peft.trainableParameters()) values.put(p.name(), ops.toFloats(p.value()));
            want = Trained.logits(model, TOKENS);
        }
        boolean mixtral = family.equals("mixtral");
        LoraConfig separate = FUSED.toBuilder().targetParameters()
                .targetModules(ModuleNames.matching(".*(o_proj|experts\\.\\d+\\.(w[123]|gate_proj|up_proj|down_proj))"))
                .build();
        try (CausalLm model = load(family); PeftModel peft = PeftModel.inject(model, separate, 4)) {
            for (Parameter parameter : peft.trainableParameters()) {
                String ofGate = parameter.name().replace(mixtral ? ".w3.lora_A" : ".up_proj.lora_A",
                        mixtral ? ".w1.lora_A" : ".gate_proj.lora_A");
                ops.write(parameter.value(), values.getOrDefault(parameter.name(), values.get(ofGate)));
            }
            assertArrayEquals(want, Trained.logits(model, TOKENS));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mixtral", "qwen2-moe", "qwen3-moe", "deepseek"})
    void theyAreSavedRestoredMergedAndGone(String family) {
        float[] want;
        try (CausalLm model = load(family)) {
            float[] before = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            try (PeftModel peft = PeftModel.inject(model, FUSED.toBuilder().targetParameters("experts.gate_up_proj",
                    "experts.down_proj", "gate.weight").build(), 3)) {
                want = Trained.logits(model, TOKENS);
                assertFalse(Arrays.equals(before, want));
                peft.save(dir);
                for (Parameter parameter : peft.trainableParameters()) ops.fill(parameter.value(), 0.1f);
                peft.restore(dir);
                assertArrayEquals(want, Trained.logits(model, TOKENS));
                peft.merge();
                TensorAssert.assertClose("merged", want, Trained.logits(model, TOKENS), 2e-4);
                peft.unmerge();
                try (PeftModel.Scope disabled = peft.disableAdapter()) {
                    assertArrayEquals(before, Trained.logits(model, TOKENS));
                }
            }
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
        }
        try (CausalLm model = load(family); PeftModel peft = PeftModel.load(model, dir, false)) {
            assertArrayEquals(want, Trained.logits(model, TOKENS));
            assertEquals(0, peft.trainableParameters().size());
        }
    }

    @Test
    void aQuantizedBaseTakesThemAndMerges() {
        LoadOptions options = LoadOptions.defaults().withQuantization(Quantization.INT8);
        try (CausalLm model = CausalLm.load(Trained.base("qwen3-moe"), options, ops);
             PeftModel peft = PeftModel.inject(model, FUSED, 3)) {
            float[] adapted = Trained.logits(model, TOKENS);
            peft.mergeDequantized(DType.F32);
            TensorAssert.assertClose("merged", adapted, Trained.logits(model, TOKENS), 2e-4);
        }
    }

    @Test
    void theyBeginWithAsMuchAsPeftDraws() {
        LoraConfig config = FUSED.toBuilder().r(8).build();
        try (CausalLm model = load("qwen3-moe"); PeftModel peft = PeftModel.inject(model, config, 3)) {
            Parameter b = Trained.named(peft.trainableParameters(), "model.layers.0.mlp.experts.2.down_proj.lora_B.weight");
            float[] values = ops.toFloats(b.value());
            double largest = 0;
            for (float value : values) largest = Math.max(largest, Math.abs(value));
            double bound = 1 / Math.sqrt(8 * 5);
            assertTrue(largest <= bound && largest > 0.95 * bound, largest + " of " + bound);
        }
    }

    private static float[][] gradients(CausalLm model, PeftModel peft, Checkpointing checkpointing) {
        peft.trainableParameters().forEach(parameter -> parameter.releaseGrad(model.ops()));
        Trained.lossSum(model, BATCH, 5, checkpointing);
        return peft.trainableParameters().stream().map(parameter -> model.ops().toFloats(parameter.grad(model.ops())))
                .toArray(float[][]::new);
    }

    /// Also with dropout, where each kind of adapter has a mask of its own.
    @Test
    void checkpointsChangeNoGradientOfUnlikeExpertsWithBiases() {
        LoraConfig config = LoraConfig.builder().r(2).targetModules("w1", "w2").loraDropout(0.25).loraBias(true)
                .initLoraWeights(InitLoraWeights.RANDOM).rankPattern(Map.of("experts.[12].w1", 3))
                .alphaPattern(Map.of("experts.2.w1", 5.0)).build();
        try (CausalLm model = load("mixtral"); PeftModel peft = PeftModel.inject(model, config, 3)) {
            float[][] kept = gradients(model, peft, Checkpointing.NONE);
            for (Checkpointing checkpointing : Checkpointing.values()) {
                float[][] got = gradients(model, peft, checkpointing);
                for (int i = 0; i < kept.length; i++) assertArrayEquals(kept[i], got[i]);
            }
            Parameter bias = Trained.named(peft.trainableParameters(),
                    "model.layers.0.block_sparse_moe.experts.1.w1.lora_B.bias");
            assertTrue(Trained.norm(ops.toFloats(bias.grad(ops))) > 0);
            String message = assertThrows(InputException.class, peft::merge).getMessage();
            assertTrue(message.contains("has no bias, so an adapter with lora_bias cannot be merged"), message);
        }
    }

    /// Transformers 5 has no modules of experts, so that PEFT adapts the other modules of these names alone.
    @Test
    void aFileWithoutExpertsLeavesThemAlone() {
        LoraConfig config = LoraConfig.builder().r(2).targetModules("q_proj", "down_proj")
                .initLoraWeights(InitLoraWeights.RANDOM).build();
        Map<String, Tensor> others = new LinkedHashMap<>();
        try (CausalLm model = load("qwen2-moe"); PeftModel peft = PeftModel.inject(model, config, 3)) {
            peft.save(dir);
            peft.tensors().forEach((name, tensor) -> {
                if (!name.contains(".experts.")) others.put(name, tensor);
            });
            new SafetensorsWriter(ops, null).write(dir.resolve(AdapterFile.WEIGHTS), others);
        }
        try (CausalLm model = load("qwen2-moe"); PeftModel peft = PeftModel.load(model, dir, true)) {
            assertEquals(others.keySet(), peft.tensors().keySet());
            assertEquals(2 * (2 + 1 + 1), others.size());
            peft.save(dir.resolve("again"));
        }
        try (Safetensors again = Safetensors.open(dir.resolve("again").resolve(AdapterFile.WEIGHTS))) {
            assertEquals(others.keySet(), Set.copyOf(again.names()));
            assertEquals(Shape.of(2, 24),
                    again.shape("base_model.model.model.layers.1.mlp.shared_expert.down_proj.lora_A.weight"));
        }
    }

    private void refuses(String family, String part, LoraConfigBuilder config) {
        try (CausalLm model = load(family)) {
            String message = assertThrows(InputException.class, () -> PeftModel.inject(model, config.build(), 1)).getMessage();
            assertTrue(message.contains(part), message);
        }
    }

    @Test
    void whatPeftDoesNotDoWithParametersIsRefused() {
        refuses("mixtral", "target_parameters and lora_dropout exclude each other", FUSED.toBuilder().loraDropout(0.1));
        refuses("mixtral", "target_parameters and use_dora exclude each other", FUSED.toBuilder().useDora(true));
        refuses("mixtral", "target_parameters and lora_bias exclude each other", FUSED.toBuilder().loraBias(true));
        refuses("mixtral", "target_parameters needs init_lora_weights true, false or gaussian",
                FUSED.toBuilder().initLoraWeights(InitLoraWeights.of("pissa").orElseThrow()));
        refuses("mixtral", "parameter in target_parameters of the adapter", FUSED.toBuilder().targetParameters("experts.w1"));
        refuses("mixtral", "parameter in target_parameters of the adapter", FUSED.toBuilder().targetParameters("norm.weight"));
        refuses("qwen2", "parameter in target_parameters of the adapter", FUSED.toBuilder());
    }

    @Test
    void aMatrixIsAdaptedAsItsModule() {
        LoraConfig config = LoraConfig.builder().r(2).targetModules("q_proj").targetParameters("k_proj.weight")
                .rankPattern(Map.of("k_proj.weight", 3)).build();
        try (CausalLm model = load("qwen2"); PeftModel peft = PeftModel.inject(model, config, 1)) {
            assertEquals(Shape.of(3, 32),
                    peft.tensors().get("base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight").shape());
            peft.save(dir);
        }
        LoraConfig read = LoraConfig.read(dir.resolve(AdapterFile.CONFIG));
        assertEquals(List.of("k_proj.weight"), read.targetParameters());
        assertEquals(ModuleNames.of("q_proj"), read.targetModules());
        try (CausalLm model = load("qwen2"); PeftModel peft = PeftModel.load(model, dir, true)) {
            assertEquals(8, peft.tensors().size());
        }
    }
}
