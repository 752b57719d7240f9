package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.TensorAssert;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Adapters whose initialization gives the base other weights.
class ChangedBaseTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final Trained.Batch BATCH =
            new Trained.Batch(new int[][] {TOKENS}, new int[] {1, 4, 1, 5, 9, 2, 6, -100});

    private final TensorOps ops = Trained.ops();

    @TempDir
    Path dir;

    @AfterEach
    void close() {
        ops.close();
    }

    private static LoraConfig config(String init) {
        return LoraConfig.builder().r(3).loraAlpha(6).targetModules(ModuleNames.ALL_LINEAR)
                .rankPattern(Map.of("v_proj", 2)).alphaPattern(Map.of("down_proj", 5.0))
                .initLoraWeights(InitLoraWeights.of(init).orElseThrow()).build();
    }

    /// The small model's weights are within 1, so a logit moves by some F32 roundings.
    @ParameterizedTest
    @ValueSource(strings = {"pissa", "pissa_niter_3", "olora"})
    void theModelComputesTheSameAtTheStart(String init) {
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            try (PeftModel peft = PeftModel.inject(model, config(init), 1)) {
                TensorAssert.assertClose("logits", before, Trained.logits(model, TOKENS), 1e-5);
                for (Parameter parameter : peft.trainableParameters()) {
                    assertTrue(Trained.norm(ops.toFloats(parameter.value())) > 0, parameter.name());
                }
                try (PeftModel.Scope scope = peft.disableAdapter()) {
                    assertArrayEquals(before, Trained.logits(model, TOKENS));
                }
                TensorAssert.assertClose("logits", before, Trained.logits(model, TOKENS), 1e-5);
                Trained.lossSum(model, BATCH, 0);
            }
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
        }
    }

    private void train(PeftModel peft) {
        for (Parameter parameter : peft.trainableParameters()) {
            if (parameter.name().contains("lora_A")) ops.addScaled(parameter.value(), parameter.value(), 0.3f);
            else ops.add(parameter.value(), parameter.value(), filled(parameter));
        }
    }

    private Tensor filled(Parameter like) {
        Tensor filled = ops.allocate("filled", DType.F32, like.value().shape());
        ops.fill(filled, 0.05f);
        return filled;
    }

    @ParameterizedTest
    @ValueSource(strings = {"pissa", "olora", "loftq"})
    void aSavedAdapterFindsItsBaseAgain(String init) {
        float[] want;
        try (CausalLm model = Trained.model("llama", DType.BF16, ops);
             PeftModel peft = PeftModel.inject(model, config(init), 1)) {
            train(peft);
            want = Trained.logits(model, TOKENS);
            peft.save(dir);
        }
        try (CausalLm model = Trained.model("llama", DType.BF16, ops); PeftModel peft = PeftModel.load(model, dir, false)) {
            assertArrayEquals(want, Trained.logits(model, TOKENS));
            peft.merge();
            TensorAssert.assertClose("merged", want, Trained.logits(model, TOKENS), 0.2);       // BF16 weights
            peft.unmerge();
            assertArrayEquals(want, Trained.logits(model, TOKENS));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"pissa", "pissa_niter_2", "olora"})
    void asPlainLoraItFitsTheOriginalBase(String init) {
        for (boolean rslora : new boolean[] {false, true}) {
            LoraConfig config = config(init).toBuilder().useRslora(rslora).build();
            float[] want;
            try (CausalLm model = Trained.small(false, DType.F32, ops);
                 PeftModel peft = PeftModel.inject(model, config, 1)) {
                train(peft);
                want = Trained.logits(model, TOKENS);
                peft.saveAsLora(dir);
            }
            LoraConfig plain = LoraConfig.read(dir.resolve(AdapterFile.CONFIG));
            assertEquals(6, plain.r());
            assertEquals(InitLoraWeights.KAIMING, plain.initLoraWeights());
            for (String path : new String[] {"model.layers.0.self_attn.q_proj", "x.v_proj", "x.down_proj"}) {
                assertEquals(2 * config.rankOf(path), plain.rankOf(path));
                assertEquals(config.scaleOf(path), plain.scaleOf(path), 1e-6);
            }
            try (CausalLm model = Trained.small(false, DType.F32, ops);
                 PeftModel peft = PeftModel.load(model, dir, false)) {
                TensorAssert.assertClose("logits", want, Trained.logits(model, TOKENS), 1e-4);
            }
        }
    }

    @Test
    void whatCannotBeConvertedOrMadeAgainIsRefused() {
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            assertTrue(refusal(() -> PeftModel.inject(model, config("loftq"), 1)).contains("a multiple of 64 elements"));
            try (CausalLm larger = Trained.model("llama", null, ops);
                 PeftModel peft = PeftModel.inject(larger, config("loftq"), 1)) {
                assertTrue(refusal(() -> peft.saveAsLora(dir)).contains("merge it instead"));
            }
            try (PeftModel peft = PeftModel.inject(model, config("pissa_niter_2"), 1)) {
                peft.save(dir);
            }
            assertTrue(refusal(() -> PeftModel.load(model, dir, false)).contains("pissa_niter_2 made cannot be made again"));
            long live = ops.memory().liveBytes();
            LoraConfig tooHigh = config("pissa").toBuilder().r(9).build();
            assertTrue(refusal(() -> PeftModel.inject(model, tooHigh, 1)).contains("takes at most 8 for model.layers.0"));
            assertEquals(live, ops.memory().liveBytes());
        }
    }

    private static String refusal(Executable work) {
        return assertThrows(InputException.class, work).getMessage();
    }

    @Test
    void anAdapterThatChangedNothingIsSavedAsItIs() {
        LoraConfig plain = config("gaussian");
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.inject(model, plain, 1)) {
            peft.saveAsLora(dir);
            assertEquals(3, LoraConfig.read(dir.resolve(AdapterFile.CONFIG)).r());
        }
    }

    @Test
    void aMappedFileIsNotWrittenThrough() {
        Path file = Trained.base("llama").resolve("model.safetensors");
        String name = "model.layers.0.self_attn.q_proj.weight";
        try (CausalLm model = Trained.model("llama", null, ops);
             PeftModel peft = PeftModel.inject(model, config("pissa"), 1);
             Safetensors fresh = Safetensors.open(file)) {
            float[] changed = ops.toFloats(model.parameter(name).value());
            assertFalse(Arrays.equals(fresh.readFloats(name), changed));
            assertTrue(peft.tensors().size() > 0);
        }
    }

    @Test
    void aPlanCountsTheNewWeightsAndComputesNothing() {
        try (NullOps plan = new NullOps(); CausalLm model = Trained.small(false, DType.F32, plan)) {
            long before = plan.memory().liveBytes();
            try (PeftModel peft = PeftModel.inject(model, config("pissa"), 1)) {
                long adapter = peft.trainableParameters().stream().mapToLong(p -> p.value().byteSize()).sum();
                long weights = model.projections().values().stream()
                        .mapToLong(p -> 4L * p.inFeatures() * p.outFeatures()).sum();
                assertTrue(plan.memory().liveBytes() >= before + adapter + weights);
            }
            assertEquals(before, plan.memory().liveBytes());
        }
    }
}
