package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.Linear;
import dev.gale.nn.LoadOptions;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.testing.TensorAssert;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Weight-decomposed adapters and those with a bias.
class VariantsTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final Trained.Batch BATCH =
            new Trained.Batch(new int[][] {TOKENS}, new int[] {1, 4, 1, 5, 9, 2, 6, -100});
    private static final LoraConfig DORA = LoraConfig.builder().r(3).loraAlpha(6).targetModules(ModuleNames.ALL_LINEAR)
            .useDora(true).build();
    private static final LoraConfig BIASED = DORA.toBuilder().useDora(false).loraBias(true).build();

    private final TensorOps ops = Trained.ops();

    @TempDir
    Path dir;

    @AfterEach
    void close() {
        ops.close();
    }

    private static LoraConfig moving(LoraConfig config) {
        return config.toBuilder().initLoraWeights(InitLoraWeights.RANDOM).build();
    }

    @ParameterizedTest
    @CsvSource({"true", "pissa", "olora"})
    void aDecomposedModelComputesTheSameAtTheStart(String init) {
        Object value = init.equals("true") ? (Object) true : init;
        LoraConfig config = DORA.toBuilder().initLoraWeights(InitLoraWeights.of(value).orElseThrow()).build();
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                TensorAssert.assertClose("logits", before, Trained.logits(model, TOKENS), 1e-5);
                assertEquals(42, peft.trainableParameters().size());
                Trained.lossSum(model, BATCH, 0);
                for (Parameter parameter : peft.trainableParameters()) {
                    boolean zero = init.equals("true") && parameter.name().contains("lora_A");      // B is 0
                    assertEquals(!zero, Trained.norm(ops.toFloats(parameter.grad(ops))) > 0, parameter.name());
                }
            }
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
        }
    }

    /// The weight of a decomposed layer, straight from the definition in double.
    @Test
    void lengthsAreOfTheRowsOfTheAdaptedWeight() {
        try (CausalLm model = Trained.small(false, DType.F32, ops);
             PeftModel peft = PeftModel.inject(model, moving(DORA), 1)) {
            LoraLinear lora = (LoraLinear) peft.model().projections().get("model.layers.0.mlp.down_proj");
            float[] w = ops.toFloats(lora.base().weight().value());
            float[] a = ops.toFloats(lora.adapter().a().value());
            float[] b = ops.toFloats(lora.adapter().b().value());
            float[] lengths = ops.toFloats(lora.adapter().magnitude().length().value());
            for (int o = 0; o < lengths.length; o++) {
                double squares = 0;
                for (int c = 0; c < 12; c++) {
                    double value = w[o * 12 + c];
                    for (int k = 0; k < 3; k++) value += 2.0 * b[o * 3 + k] * a[k * 12 + c];
                    squares += value * value;
                }
                assertEquals(Math.sqrt(squares), lengths[o], 1e-6 * Math.sqrt(squares));
            }
        }
    }

    private void move(PeftModel peft) {
        for (Parameter parameter : peft.trainableParameters()) {
            if (!parameter.name().contains("lora_A")) ops.addScaled(parameter.value(), parameter.value(), 0.25f);
        }
    }

    @ParameterizedTest
    @CsvSource({"F32,1e-5", "BF16,0.2"})
    void mergedADecomposedModelComputesTheSame(DType dtype, double tolerance) {
        try (CausalLm model = Trained.small(false, dtype, ops); PeftModel peft = PeftModel.inject(model, moving(DORA), 1)) {
            float[] merged = merged(model, peft);
            TensorAssert.assertClose("merged", Trained.logits(model, TOKENS), merged, tolerance);
        }
    }

    private float[] merged(CausalLm model, PeftModel peft) {
        move(peft);
        float[] adapted = Trained.logits(model, TOKENS);
        peft.merge();
        assertTrue(peft.model().projections().values().stream().allMatch(p -> p instanceof Linear));
        float[] merged = Trained.logits(model, TOKENS);
        peft.unmerge();
        assertArrayEquals(adapted, Trained.logits(model, TOKENS));
        return merged;
    }

    @ParameterizedTest
    @ValueSource(strings = {"dora", "bias"})
    void aSavedAdapterComputesTheSame(String variant) {
        LoraConfig config = moving(variant.equals("dora") ? DORA : BIASED);
        float[] want;
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.inject(model, config, 1)) {
            move(peft);
            want = Trained.logits(model, TOKENS);
            peft.save(dir);
        }
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.load(model, dir, true)) {
            assertArrayEquals(want, Trained.logits(model, TOKENS));
            assertEquals(42, peft.trainableParameters().size());
            String name = variant.equals("dora") ? "lora_magnitude_vector" : "lora_B.bias";
            assertTrue(peft.tensors().containsKey("base_model.model.model.layers.1.mlp.up_proj." + name));
        }
    }

    @Test
    void aDecomposedPissaBecomesPlain() {
        LoraConfig config = DORA.toBuilder().initLoraWeights(InitLoraWeights.PISSA).build();
        float[] want;
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.inject(model, config, 1)) {
            move(peft);
            want = Trained.logits(model, TOKENS);
            peft.saveAsLora(dir);
        }
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.load(model, dir, false)) {
            assertTrue(peft.config().useDora());
            TensorAssert.assertClose("logits", want, Trained.logits(model, TOKENS), 1e-4);
        }
    }

    /// Norms are made again, and dropout drops the same, where a layer runs again.
    @ParameterizedTest
    @CsvSource({"0,reference", "0.5,reference", "0,cpu", "0.5,cpu"})
    void recomputedLayersHaveTheSameGradients(double dropout, String name) {
        LoraConfig config = moving(DORA).toBuilder().loraDropout(dropout).bias(LoraConfig.Bias.ALL).build();
        try (TensorOps own = name.equals("cpu") ? new CpuOps(2) : new ReferenceOps();
             CausalLm model = Trained.small(false, DType.F32, own); PeftModel peft = PeftModel.inject(model, config, 3)) {
            float loss = Trained.lossSum(model, BATCH, 9, Checkpointing.NONE);
            List<float[]> gradients = peft.trainableParameters().stream().map(p -> own.toFloats(p.grad(own))).toList();
            peft.trainableParameters().forEach(parameter -> parameter.zeroGrad(own));
            assertEquals(loss, Trained.lossSum(model, BATCH, 9, Checkpointing.LAYER));
            for (int i = 0; i < gradients.size(); i++) {
                assertArrayEquals(gradients.get(i), own.toFloats(peft.trainableParameters().get(i).grad(own)));
            }
        }
    }

    /// A quantized base is what it stands for: lengths, norms and gradients are those of the dense model of its values.
    @ParameterizedTest
    @CsvSource({"0", "0.5"})
    void aDecomposedQuantizedModelComputesAsTheDenseOneOfItsValues(double dropout) {
        LoraConfig config = moving(DORA).toBuilder().loraDropout(dropout).build();
        LoadOptions options = LoadOptions.defaults().withDtype(DType.F32);
        try (CausalLm dense = CausalLm.load(Trained.base("llama"), options, ops);
             CausalLm few = CausalLm.load(Trained.base("llama"), options.withQuantization(Quantization.NF4), ops)) {
            for (Parameter weight : few.parameters()) {
                if (!weight.value().dtype().quantized()) continue;
                Tensor values = ops.allocate(weight.name(), DType.F32, weight.value().shape());
                ops.dequantize(values, weight.value());
                dense.parameter(weight.name()).setValue(values);
            }
            try (PeftModel a = PeftModel.inject(dense, config, 1); PeftModel b = PeftModel.inject(few, config, 1)) {
                move(a);
                move(b);
                assertEquals(Trained.lossSum(dense, BATCH, 3), Trained.lossSum(few, BATCH, 3), 1e-4);
                for (int i = 0; i < a.trainableParameters().size(); i++) {
                    float[] want = ops.toFloats(a.trainableParameters().get(i).grad(ops));
                    float[] got = ops.toFloats(b.trainableParameters().get(i).grad(ops));
                    double error = Trained.norm(Trained.minus(want, got));
                    assertTrue(error <= 1e-5 * Trained.norm(want), a.trainableParameters().get(i).name() + ": " + error);
                }
            }
        }
    }

    /// peft: `result = base(x) + (m / n - 1) * W d + m / n * s * B A d`, in which the dropped input reaches the base too.
    @Test
    void dropoutReachesTheBaseOfADecomposedLayer() {
        LoraConfig config = DORA.toBuilder().loraDropout(0.5).build();
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.inject(model, config, 1)) {
            float same = Trained.lossSum(model, BATCH, 1);
            for (LoraLinear lora : loras(peft)) ops.fill(lora.adapter().magnitude().length().value(), 0.5f);
            float one = Trained.lossSum(model, BATCH, 1);
            float other = Trained.lossSum(model, BATCH, 2);
            assertTrue(same != one && one != other);
            assertArrayEquals(Trained.logits(model, TOKENS), Trained.logits(model, TOKENS));
        }
    }

    private static List<LoraLinear> loras(PeftModel peft) {
        return peft.model().projections().values().stream().map(LoraLinear.class::cast).toList();
    }

    @Test
    void aBiasOfBIsTrainedAndMerged() {
        LoraConfig config = BIASED.toBuilder().bias(LoraConfig.Bias.ALL).build();
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            PeftModel.inject(model, config, 1).close();
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                assertArrayEquals(before, Trained.logits(model, TOKENS));
                assertEquals(42 + 14, peft.trainableParameters().size());
            }
            try (PeftModel peft = PeftModel.inject(model, moving(config), 1)) {
                float[] merged = merged(model, peft);
                TensorAssert.assertClose("merged", Trained.logits(model, TOKENS), merged, 1e-5);
            }
            assertArrayEquals(before, Trained.logits(model, TOKENS));
        }
    }

    @Test
    void aBiasOfBWithoutOneInTheBaseIsNotMerged() {
        try (CausalLm model = Trained.model("llama", null, ops); PeftModel peft = PeftModel.inject(model, BIASED, 1)) {
            String message = assertThrows(InputException.class, peft::merge).getMessage();
            assertTrue(message.contains("q_proj has no bias"), message);
        }
    }

    @Test
    void aPlanHasTheBytesOfARun() {
        LoraConfig config = DORA.toBuilder().loraDropout(0.1).build();
        long[] bytes = new long[2];
        TensorOps[] all = {new CpuOps(1), new NullOps()};
        for (int i = 0; i < 2; i++) {
            try (TensorOps own = all[i]; CausalLm model = Trained.small(false, DType.F32, own);
                 PeftModel peft = PeftModel.inject(model, config, 1)) {
                Trained.lossSum(peft.model(), BATCH, 0, Checkpointing.LAYER);
                bytes[i] = own.memory().peakLiveBytes();
            }
        }
        assertEquals(bytes[0], bytes[1]);
    }
}
