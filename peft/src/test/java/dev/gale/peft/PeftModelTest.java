package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.Linear;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PeftModelTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final Trained.Batch BATCH =
            new Trained.Batch(new int[][] {TOKENS}, new int[] {1, 4, 1, 5, 9, 2, 6, -100});
    private static final LoraConfig ALL =
            LoraConfig.builder().r(3).loraAlpha(6).targetModules(ModuleNames.ALL_LINEAR).build();
    private static final LoraConfig RANDOM = ALL.toBuilder().initLoraWeights(InitLoraWeights.RANDOM).build();

    private final TensorOps ops = Trained.ops();

    @AfterEach
    void close() {
        ops.close();
    }

    // ---- injection ----

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "BF16", "F16"})
    void loraIsNoOpAtInit(DType dtype) {
        try (CausalLm model = Trained.small(false, dtype, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            try (PeftModel peft = PeftModel.inject(model, ALL, 1)) {
                assertArrayEquals(before, Trained.logits(model, TOKENS));
                assertEquals(28, peft.trainableParameters().size());
            }
        }
    }

    @Test
    void onlyTheAdapterIsTrained() {
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            model.trainAll();
            try (PeftModel peft = PeftModel.inject(model, RANDOM, 1)) {
                Trained.lossSum(model, BATCH, 0);
                Set<String> trainable = model.parameters().stream().filter(Parameter::trainable).map(Parameter::name)
                        .collect(Collectors.toSet());
                assertEquals(28, trainable.size());
                assertTrue(trainable.stream().allMatch(name -> name.matches(".*\\.lora_[AB]\\.weight")));
                for (Parameter parameter : peft.trainableParameters()) {
                    assertTrue(Trained.norm(ops.toFloats(parameter.grad(ops))) > 0, parameter.name());
                }
            }
        }
    }

    @Test
    void startingValuesDependOnSeedAndModuleAlone() {
        Map<String, float[]> all = values(ALL, 5);
        Map<String, float[]> fewer = values(ALL.toBuilder().targetModules("v_proj").build(), 5);
        Map<String, float[]> otherSeed = values(ALL, 5L << 32);
        assertEquals(4, fewer.size());
        fewer.forEach((name, value) -> assertArrayEquals(all.get(name), value, name));
        Set<Float> first = new HashSet<>();
        all.forEach((name, value) -> {
            if (name.contains("lora_B")) return;
            assertTrue(first.add(value[0]), name + " begins like another module");
            assertNotEquals(value[0], otherSeed.get(name)[0], name);
        });
    }

    private Map<String, float[]> values(LoraConfig config, long seed) {
        try (CausalLm model = Trained.small(false, DType.F32, ops);
             PeftModel peft = PeftModel.inject(model, config, seed)) {
            return peft.tensors().entrySet().stream()
                    .collect(Collectors.toMap(Map.Entry::getKey, entry -> ops.toFloats(entry.getValue())));
        }
    }

    /// Means within 5 standard errors; the standard deviation of n uniform or normal numbers within 5 / sqrt(n).
    @Test
    void startingValuesAreDistributedAsPeftSays() {
        try (CausalLm model = Trained.model("llama", null, ops)) {
            String down = "base_model.model.model.layers.1.mlp.down_proj.lora_%s.weight";
            for (InitLoraWeights init : List.of(InitLoraWeights.KAIMING, InitLoraWeights.GAUSSIAN, InitLoraWeights.RANDOM)) {
                LoraConfig config = ALL.toBuilder().r(16).initLoraWeights(init).build();
                try (PeftModel peft = PeftModel.inject(model, config, 42)) {
                    boolean normal = init == InitLoraWeights.GAUSSIAN;
                    double deviation = normal ? 1 / 16.0 : 1 / Math.sqrt(160) / Math.sqrt(3);
                    float[] a = ops.toFloats(peft.tensors().get(down.formatted("A")));
                    float[] b = ops.toFloats(peft.tensors().get(down.formatted("B")));
                    assertDistributed(a, deviation, normal ? 6 * deviation : 1 / Math.sqrt(160));
                    if (init == InitLoraWeights.RANDOM) assertDistributed(b, 1 / 4.0 / Math.sqrt(3), 1 / 4.0);
                    else assertArrayEquals(new float[b.length], b);
                }
            }
        }
    }

    private static void assertDistributed(float[] values, double deviation, double limit) {
        double mean = 0;
        for (float value : values) {
            mean += value / values.length;
            assertTrue(Math.abs(value) <= limit, value + " is beyond " + limit);
        }
        double error = deviation / Math.sqrt(values.length);
        assertEquals(0, mean, 5 * error);
        assertEquals(deviation, Trained.norm(values) / Math.sqrt(values.length), 5 * error);
    }

    @Test
    void closingGivesBackBaseAndMemory() {
        try (CausalLm model = Trained.small(true, DType.BF16, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            LoraConfig config = RANDOM.toBuilder().bias(LoraConfig.Bias.ALL).modulesToSave("embed_tokens", "norm")
                    .build();
            PeftModel peft = PeftModel.inject(model, config, 1);
            Trained.lossSum(model, BATCH, 0);
            assertTrue(ops.memory().liveBytes() > live);
            peft.close();
            peft.close();
            assertEquals(live, ops.memory().liveBytes());
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            assertTrue(model.parameters().stream().noneMatch(Parameter::trainable));
            PeftModel.inject(model, ALL, 1).close();
        }
    }

    @Test
    void aSecondAdapterIsRefused() {
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.inject(model, ALL, 1)) {
            assertThrows(IllegalStateException.class, () -> PeftModel.inject(peft.model(), ALL, 1));
        }
    }

    @Test
    void aPlanInjectsWithoutComputing() {
        try (NullOps plan = new NullOps(); CausalLm model = Trained.small(false, DType.F32, plan)) {
            long before = plan.memory().liveBytes();
            try (PeftModel peft = PeftModel.inject(model, ALL, 1)) {
                long bytes = peft.trainableParameters().stream().mapToLong(p -> p.value().byteSize()).sum();
                assertTrue(plan.memory().liveBytes() >= before + bytes);
            }
            assertEquals(before, plan.memory().liveBytes());
        }
    }

    @Test
    void theReportCountsAsPeftDoes() {
        try (CausalLm model = Trained.model("llama", null, ops); PeftModel peft = PeftModel.inject(model,
                LoraConfig.builder().r(4).targetModules("q_proj", "v_proj").build(), 1)) {
            assertEquals(new TrainableReport(1792, 129_088), peft.trainableReport());
            assertEquals("trainable params: 1,792 || all params: 129,088 || trainable%: 1.3882",
                    peft.trainableReport().toString());
        }
    }

    // ---- dropout ----

    @Test
    void dropoutActsOnTrainingOnlyAndByItsSeed() {
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            float[] without = adapted(model, RANDOM);
            float exact = loss(model, RANDOM, 1);
            LoraConfig dropping = RANDOM.toBuilder().loraDropout(0.5).build();
            assertArrayEquals(without, adapted(model, dropping));
            assertNotEquals(exact, loss(model, dropping, 1));
            assertEquals(loss(model, dropping, 1), loss(model, dropping, 1));
            assertNotEquals(loss(model, dropping, 2), loss(model, dropping, 1));
        }
    }

    @Test
    void recomputedLayersDropTheSame() {
        LoraConfig dropping = RANDOM.toBuilder().loraDropout(0.5).build();
        try (CausalLm model = Trained.small(false, DType.F32, ops);
             PeftModel peft = PeftModel.inject(model, dropping, 3)) {
            float loss = Trained.lossSum(model, BATCH, 9, Checkpointing.NONE);
            List<float[]> gradients = peft.trainableParameters().stream().map(p -> ops.toFloats(p.grad(ops))).toList();
            for (Checkpointing checkpointing : List.of(Checkpointing.LAYER, Checkpointing.SELECTIVE)) {
                peft.trainableParameters().forEach(parameter -> parameter.zeroGrad(ops));
                assertEquals(loss, Trained.lossSum(model, BATCH, 9, checkpointing));
                for (int i = 0; i < gradients.size(); i++) {
                    assertArrayEquals(gradients.get(i), ops.toFloats(peft.trainableParameters().get(i).grad(ops)));
                }
            }
        }
    }

    private static float[] adapted(CausalLm model, LoraConfig config) {
        try (PeftModel peft = PeftModel.inject(model, config, 3)) {
            return Trained.logits(peft.model(), TOKENS);
        }
    }

    private static float loss(CausalLm model, LoraConfig config, long seed) {
        try (PeftModel peft = PeftModel.inject(model, config, 3)) {
            return Trained.lossSum(peft.model(), BATCH, seed);
        }
    }

    @Test
    void everyModuleDropsByItsOwnStream() {
        try (CausalLm model = Trained.small(false, DType.F32, ops); PeftModel peft = PeftModel.inject(model, ALL, 3)) {
            Set<Integer> streams = peft.model().projections().values().stream()
                    .map(projection -> ((LoraLinear) projection).adapter().stream()).collect(Collectors.toSet());
            assertEquals(14, streams.size());
        }
    }

    // ---- biases and whole modules ----

    @Test
    void biasesHaveTheNamesOfPeft() {
        LoraConfig query = LoraConfig.builder().targetModules("q_proj").layersToTransform(List.of(0)).build();
        assertEquals(Set.of(), wholeTensors(query));
        assertEquals(Set.of("model.layers.0.self_attn.q_proj.base_layer.bias"),
                wholeTensors(query.toBuilder().bias(LoraConfig.Bias.LORA_ONLY).build()));
        Set<String> all = wholeTensors(query.toBuilder().bias(LoraConfig.Bias.ALL).build());
        assertEquals(14, all.size());
        assertTrue(all.contains("model.layers.0.self_attn.q_proj.base_layer.bias"));
        assertTrue(all.contains("model.layers.1.self_attn.q_proj.bias"));
        assertTrue(all.contains("model.layers.0.mlp.down_proj.bias"));
    }

    private Set<String> wholeTensors(LoraConfig config) {
        try (CausalLm model = Trained.small(false, DType.BF16, ops);
             PeftModel peft = PeftModel.inject(model, config, 1)) {
            assertTrue(peft.trainableParameters().stream().allMatch(p -> p.value().dtype() == DType.F32));
            return peft.tensors().keySet().stream().filter(name -> !name.contains("lora_"))
                    .map(name -> name.substring("base_model.model.".length())).collect(Collectors.toSet());
        }
    }

    @Test
    void wholeModulesAreTrainedInCopies() {
        LoraConfig config = ALL.toBuilder().modulesToSave("lm_head", "norm").build();
        try (CausalLm model = Trained.small(false, DType.BF16, ops)) {
            Parameter head = model.head();
            Tensor original = head.value();
            float[] logits = Trained.logits(model, TOKENS);
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                assertEquals(28 + 6, peft.trainableParameters().size());
                assertEquals(DType.F32, head.value().dtype());
                assertArrayEquals(logits, Trained.logits(model, TOKENS));
                Trained.lossSum(model, BATCH, 0);
                assertTrue(Trained.norm(ops.toFloats(head.grad(ops))) > 0);
            }
            assertSame(original, head.value());
        }
    }

    @Test
    void aTiedEmbeddingThatIsTrainedWholeLeavesTheHeadAsItWas() {
        LoraConfig config = ALL.toBuilder().modulesToSave("embed_tokens").build();
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            Parameter embedding = model.parameter("model.embed_tokens.weight");
            float[] logits = Trained.logits(model, TOKENS);
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                assertArrayEquals(logits, Trained.logits(model, TOKENS));
                float[] before = ops.toFloats(model.head().value());
                ops.fill(embedding.value(), 0.25f);
                assertArrayEquals(before, ops.toFloats(model.head().value()));
                assertEquals(Set.of("base_model.model.model.embed_tokens.weight"), peft.tensors().keySet().stream()
                        .filter(name -> !name.contains("lora")).collect(Collectors.toSet()));
            }
            assertSame(embedding, model.head());
            assertArrayEquals(logits, Trained.logits(model, TOKENS));
        }
    }

    @Test
    void aModuleIsAdaptedOrWholeButNotBoth() {
        LoraConfig config = LoraConfig.builder().targetModules("q_proj").modulesToSave("proj").build();
        try (CausalLm model = Trained.small(false, DType.F32, ops)) {
            String message = assertThrows(InputException.class, () -> PeftModel.inject(model, config, 1)).getMessage();
            assertTrue(message.contains("take it out of one"), message);
        }
    }

    // ---- disabling ----

    @Test
    void disabledTheModelIsTheBase() {
        LoraConfig config = RANDOM.toBuilder().bias(LoraConfig.Bias.ALL).modulesToSave("lm_head").build();
        try (CausalLm model = Trained.small(true, DType.BF16, ops)) {
            float[] base = Trained.logits(model, TOKENS);
            try (PeftModel peft = PeftModel.inject(model, config, 1)) {
                ops.addScaled(model.head().value(), model.head().value(), 0.5f);
                float[] adapted = Trained.logits(model, TOKENS);
                PeftModel.Scope disabled = peft.disableAdapter();
                assertArrayEquals(base, Trained.logits(model, TOKENS));
                assertThrows(IllegalStateException.class, peft::disableAdapter);
                disabled.close();
                disabled.close();
                assertArrayEquals(adapted, Trained.logits(model, TOKENS));
                assertEquals(28 + 14 + 1, peft.trainableParameters().size());
            }
        }
    }

    // ---- merging ----

    /// Rounding W' to a dtype with unit roundoff u moves a logit by a few u of its size, once per layer.
    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "BF16", "F16"})
    void mergedTheModelComputesTheSameWithinRounding(DType dtype) {
        double roundoff = switch (dtype) {
            case F32 -> 0x1p-24;
            case F16 -> 0x1p-11;
            default -> 0x1p-8;
        };
        LoraConfig config = RANDOM.toBuilder().modulesToSave("lm_head").build();
        try (CausalLm model = Trained.small(false, dtype, ops); PeftModel peft = PeftModel.inject(model, config, 1)) {
            float[] adapted = Trained.logits(model, TOKENS);
            peft.merge();
            assertTrue(peft.isMerged());
            float[] merged = Trained.logits(model, TOKENS);
            assertTrue(Trained.norm(Trained.minus(adapted, merged)) <= 16 * roundoff * Trained.norm(adapted));
            assertTrue(model.parameters().stream().allMatch(parameter -> parameter.value().dtype() == dtype));
            assertTrue(model.projections().values().stream().allMatch(projection -> projection instanceof Linear));
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "BF16", "F16"})
    void mergeThenUnmergeIsTheIdentity(DType dtype) {
        LoraConfig config = RANDOM.toBuilder().modulesToSave("embed_tokens").build();
        try (CausalLm model = Trained.small(true, dtype, ops); PeftModel peft = PeftModel.inject(model, config, 1)) {
            float[] adapted = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            peft.merge();
            peft.unmerge();
            assertFalse(peft.isMerged());
            assertArrayEquals(adapted, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
            assertThrows(IllegalStateException.class, peft::unmerge);
        }
    }

    @Test
    void closingWhileMergedGivesTheBaseBack() {
        try (CausalLm model = Trained.small(false, DType.BF16, ops)) {
            float[] base = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            PeftModel peft = PeftModel.inject(model, RANDOM, 1);
            peft.merge();
            peft.close();
            assertArrayEquals(base, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
        }
    }

    @Test
    void aMergeThatWouldBreakWeightsChangesNothing() {
        try (CausalLm model = Trained.small(false, DType.F16, ops);
             PeftModel peft = PeftModel.inject(model, RANDOM, 1)) {
            float[] before = Trained.logits(model, TOKENS);
            Parameter last = Trained.named(peft.trainableParameters(), "model.layers.1.mlp.down_proj.lora_B.weight");
            float[] intact = ops.toFloats(last.value());
            for (float bad : new float[] {Float.NaN, 1e6f}) {                  // F16 ends at 65504
                ops.fill(last.value(), bad);
                long live = ops.memory().liveBytes();
                String message = assertThrows(InputException.class, peft::merge).getMessage();
                assertTrue(message.contains("model.layers.1.mlp.down_proj.weight (F16)"), message);
                assertFalse(peft.isMerged());
                assertEquals(live, ops.memory().liveBytes());
            }
            ops.write(last.value(), intact);
            assertArrayEquals(before, Trained.logits(model, TOKENS));
        }
    }
}
