package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Adapters on a base with weights of few bits.
class QuantizedBaseTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final String UP = "model.layers.1.mlp.up_proj.weight";
    private static final LoraConfig CONFIG = LoraConfig.builder().r(4).loraAlpha(8).loraDropout(0.2)
            .targetModules(ModuleNames.ALL_LINEAR).initLoraWeights(InitLoraWeights.RANDOM).build();

    private static Trained.Batch batch() {
        return new Trained.Batch(new int[][] {TOKENS}, new int[] {1, 4, 1, 5, 9, 2, 6, -100});
    }

    private static CausalLm base(Quantization quantization, TensorOps ops) {
        return CausalLm.load(Trained.base("llama"), LoadOptions.defaults().withQuantization(quantization), ops);
    }

    /// @param dense whether the quantized weights are made dense first, in F32
    private static Map<String, float[]> gradients(Quantization quantization, boolean dense, Checkpointing checkpointing,
            TensorOps ops) {
        Map<String, float[]> gradients = new LinkedHashMap<>();
        try (ops; CausalLm model = base(quantization, ops)) {
            if (dense) model.dequantize(DType.F32);
            assertEquals(dense ? DType.F32 : quantization.dtype(), model.parameter(UP).value().dtype());
            try (PeftModel peft = PeftModel.inject(model, CONFIG, 1)) {
                gradients.put("loss", new float[] {Trained.lossSum(model, batch(), 5, checkpointing)});
                peft.trainableParameters().forEach(p -> gradients.put(p.name(), ops.toFloats(p.grad(ops))));
            }
        }
        return gradients;
    }

    /// Products read the same F32 numbers either way, so there is no rounding to allow for.
    @ParameterizedTest
    @EnumSource(Quantization.class)
    void qloraGradientsAreThoseOfLoraOnDequantizedWeights(Quantization quantization) {
        for (Supplier<TensorOps> implementation : List.<Supplier<TensorOps>>of(ReferenceOps::new, CpuOps::new)) {
            for (Checkpointing checkpointing : Checkpointing.values()) {
                Map<String, float[]> want = gradients(quantization, true, checkpointing, implementation.get());
                Map<String, float[]> got = gradients(quantization, false, checkpointing, implementation.get());
                assertEquals(29, got.size());
                want.forEach((name, values) -> {
                    assertArrayEquals(values, got.get(name), name);
                    assertTrue(Trained.norm(values) > 0, name);
                });
            }
        }
    }

    @Test
    void anotherTypeOfWeightsHasOtherGradients() {
        Map<String, float[]> nf4 = gradients(Quantization.NF4, false, Checkpointing.NONE, new CpuOps());
        Map<String, float[]> nested = gradients(Quantization.NF4_NESTED, false, Checkpointing.NONE, new CpuOps());
        nf4.forEach((name, values) -> assertNotEquals(0, Trained.norm(Trained.minus(values, nested.get(name))), name));
    }

    private static float[] values(TensorOps ops, Tensor tensor) {
        if (!tensor.dtype().quantized()) return ops.toFloats(tensor);
        Tensor dense = ops.allocate("dense", DType.F32, tensor.shape());
        ops.dequantize(dense, tensor);
        float[] values = ops.toFloats(dense);
        ops.release(dense);
        return values;
    }

    @Test
    void mergingIntoAQuantizedBaseMustBeAskedFor() {
        try (TensorOps ops = new CpuOps(); CausalLm model = base(Quantization.NF4, ops);
             PeftModel peft = PeftModel.load(model, Trained.adapter("llama/lora"), false)) {
            float[] before = Trained.logits(model, TOKENS);
            String refusal = assertThrows(InputException.class, peft::merge).getMessage();
            assertTrue(refusal.contains("is nf4: say whether"), refusal);
            assertFalse(peft.isMerged());
            peft.mergeDequantized(DType.F32);
            assertTrue(Trained.norm(Trained.minus(before, Trained.logits(model, TOKENS))) < 1e-5 * Trained.norm(before));
            peft.unmerge();
            assertArrayEquals(before, Trained.logits(model, TOKENS));
        }
    }

    /// What is requantized has the values that quantizing the sums gives, and is written as a quantized model.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void sumsAreDenseOrQuantizedAgain(boolean again, @TempDir Path folder) {
        try (TensorOps ops = new CpuOps(); CausalLm model = base(Quantization.NF4_NESTED, ops);
             PeftModel peft = PeftModel.load(model, Trained.adapter("llama/lora"), false)) {
            peft.mergeDequantized(DType.F32);
            Tensor sums = model.parameter(UP).value();
            Tensor want = again ? ops.allocate("want", Quantization.NF4_NESTED, sums.shape())
                    : ops.allocate("want", DType.BF16, sums.shape());
            if (again) ops.quantize(want, sums);
            else ops.copy(want, sums);
            peft.unmerge();
            if (again) peft.mergeRequantized();
            else peft.mergeDequantized(DType.BF16);
            model.save(folder, null);
            try (CausalLm loaded = CausalLm.load(folder, LoadOptions.defaults(), ops)) {
                assertEquals(again, loaded.quantization().isPresent());
                assertEquals(want.dtype(), loaded.parameter(UP).value().dtype());
                assertArrayEquals(values(ops, want), values(ops, loaded.parameter(UP).value()));
            }
        }
    }

    /// A whole module of an adapter begins with the values of the weights that it stands in for.
    @Test
    void wholeModulesBeginWithTheDequantizedWeights() {
        LoraConfig config = CONFIG.toBuilder().targetModules("q_proj").modulesToSave("up_proj").build();
        try (TensorOps ops = new CpuOps(); CausalLm model = base(Quantization.NF4, ops)) {
            float[] want = values(ops, model.parameter(UP).value());
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                assertEquals(DType.F32, model.parameter(UP).value().dtype());
                assertArrayEquals(want, ops.toFloats(model.parameter(UP).value()));
                peft.mergeRequantized();
                assertArrayEquals(want, values(ops, model.parameter(UP).value()));
            }
            assertEquals(Shape.of(160, 64), model.parameter(UP).value().shape());
        }
    }

    @Test
    void startsThatNeedTheOriginalWeightRefuseAFileThatHasItQuantized() {
        try (TensorOps ops = new CpuOps();
             CausalLm model = CausalLm.load(Trained.base("llama-nf4"), LoadOptions.defaults(), ops)) {
            LoraConfig pissa = LoraConfig.builder().r(4).targetModules(ModuleNames.ALL_LINEAR)
                    .initLoraWeights(InitLoraWeights.PISSA).build();
            InputException refused = assertThrows(InputException.class, () -> PeftModel.inject(model, pissa, 1));
            assertTrue(refused.getMessage().contains("is quantized there"), refused.getMessage());
        }
    }
}
