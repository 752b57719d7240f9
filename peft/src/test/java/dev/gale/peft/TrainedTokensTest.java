package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.CausalLm;
import dev.gale.nn.HostWeights;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.optim.AdamW;
import dev.gale.optim.GradClip;
import dev.gale.optim.ParamGroups;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Rows of tokens that are trained apart from embedding and head. That they learn what PEFT's learn is in `AdapterGoldenTest`.
class TrainedTokensTest {
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};
    private static final Trained.Batch BATCH =
            new Trained.Batch(new int[][] {TOKENS}, new int[] {1, 4, 1, 5, 9, 2, 6, -100});
    private static final String EMBEDDING = "model.embed_tokens.token_adapter.trainable_tokens_delta";
    private static final TokenIndices BOTH =
            new TokenIndices(List.of(), Map.of("embed_tokens", List.of(5, 1, 2), "lm_head", List.of(9, 2)));

    private final TensorOps ops = Trained.ops();

    @TempDir
    Path dir;

    @AfterEach
    void close() {
        ops.close();
    }

    private static LoraConfigBuilder config(TokenIndices indices) {
        return LoraConfig.builder().r(2).targetModules("q_proj").trainableTokenIndices(indices);
    }

    /// Moves every row that is trained.
    private static void change(PeftModel peft) {
        for (Parameter parameter : peft.trainableParameters()) {
            if (!parameter.name().endsWith("tokens_delta")) continue;
            TensorOps ops = peft.model().ops();
            float[] values = ops.toFloats(parameter.value());
            for (int i = 0; i < values.length; i++) values[i] += 0.5f - i % 3;
            ops.write(parameter.value(), values);
        }
    }

    @ParameterizedTest(name = "tied {0}, {1}, apart {2}")
    @CsvSource({"true,F32,false", "true,BF16,false", "true,F32,true", "false,BF16,true", "false,F32,false", "true,F16,true"})
    void theBaseIsAsItWasAtTheStartWhileDisabledAndInTheEnd(boolean tied, DType dtype, boolean apart) {
        try (CausalLm model = Trained.small(tied, dtype, ops)) {
            float[] before = Trained.logits(model, TOKENS);
            long live = ops.memory().liveBytes();
            try (PeftModel peft = PeftModel.inject(model, config(apart ? BOTH : TokenIndices.of(5, 1, 2)).build(), 1)) {
                assertArrayEquals(before, Trained.logits(model, TOKENS));
                assertEquals(apart ? 6 : 5, peft.trainableParameters().size());
                assertThrows(IllegalStateException.class, () -> model.save(dir, null));
                change(peft);
                float[] changed = Trained.logits(model, TOKENS);
                assertFalse(Arrays.equals(before, changed));
                try (PeftModel.Scope disabled = peft.disableAdapter()) {
                    assertArrayEquals(before, Trained.logits(model, TOKENS));
                }
                assertArrayEquals(changed, Trained.logits(model, TOKENS));
                peft.merge();
                assertArrayEquals(changed, Trained.logits(model, TOKENS));
                model.save(dir, null);
                try (CausalLm merged = CausalLm.load(dir, LoadOptions.defaults(), ops)) {
                    assertArrayEquals(changed, Trained.logits(merged, TOKENS));
                }
                peft.unmerge();
                assertArrayEquals(changed, Trained.logits(model, TOKENS));
            }
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            assertEquals(live, ops.memory().liveBytes());
        }
    }

    /// What a model learns in three steps, and its logits then.
    private static float[][] learned(CausalLm model, Path save) {
        TensorOps ops = model.ops();
        try (PeftModel peft = PeftModel.inject(model, config(TokenIndices.of(5, 1, 2, 12)).build(), 1);
             GradClip clip = new GradClip(ops);
             AdamW adamW = new AdamW(ops, ParamGroups.single(peft.trainableParameters(), 0.01), AdamW.Settings.DEFAULT)) {
            for (int step = 0; step < 3; step++) {
                adamW.zeroGrad();
                Trained.lossSum(model, BATCH, 0, Checkpointing.LAYER);
                adamW.step(0.01, clip.factor(adamW.parameters(), BATCH.tokens(), 1.0));
            }
            peft.save(save);
            Parameter rows = Trained.named(peft.trainableParameters(), EMBEDDING);
            return new float[][] {ops.toFloats(rows.value()), Trained.logits(model, TOKENS)};
        }
    }

    @Test
    void onlyRowsThatAreNamedLearnAndTheOthersStay() {
        try (CausalLm model = Trained.small(true, DType.F32, ops)) {
            float[] table = ops.toFloats(model.head().value());
            try (PeftModel peft = PeftModel.inject(model, config(TokenIndices.of(5, 12)).build(), 1)) {
                Parameter rows = Trained.named(peft.trainableParameters(), EMBEDDING);
                assertEquals(Shape.of(2, 8), rows.value().shape());
                assertArrayEquals(Arrays.copyOfRange(table, 40, 48), Arrays.copyOf(ops.toFloats(rows.value()), 8));
                Trained.lossSum(model, BATCH, 0);
                float[] gradient = ops.toFloats(rows.grad(ops));
                assertTrue(Trained.norm(Arrays.copyOf(gradient, 8)) > 0, "token 5 is in the text");
                assertTrue(Trained.norm(Arrays.copyOfRange(gradient, 8, 16)) > 0, "token 12 is only in the head");
                change(peft);
                peft.merge();
                float[] merged = ops.toFloats(model.head().value());
                for (int i = 0; i < table.length; i++) assertEquals(i / 8 == 5 || i / 8 == 12, merged[i] != table[i]);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void checkpointsChangeNoGradient(boolean tied) {
        float[][] kept = null;
        for (Checkpointing checkpointing : Checkpointing.values()) {
            try (CausalLm model = Trained.small(tied, DType.BF16, ops);
                 PeftModel peft = PeftModel.inject(model, config(BOTH).loraDropout(0.2).build(), 1)) {
                change(peft);
                Trained.lossSum(model, BATCH, 7, checkpointing);
                float[][] got = peft.trainableParameters().stream().map(p -> ops.toFloats(p.grad(ops))).toArray(float[][]::new);
                if (kept == null) kept = got;
                for (int i = 0; i < got.length; i++) assertArrayEquals(kept[i], got[i]);
            }
        }
    }

    /// Ops for which tables stay in memory that they do not compute in.
    private static TensorOps device(CpuOps host) {
        Class<?>[] types = {TensorOps.class};
        return (TensorOps) Proxy.newProxyInstance(TensorOps.class.getClassLoader(), types, (proxy, method, args) -> {
            if (method.getName().equals("onHost")) return false;
            try {
                return method.invoke(host, args);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen2", "llama-dynamic"})
    void tablesThatWaitOnTheHostLearnTheSame(String base) {
        LoadOptions options = LoadOptions.defaults().withDtype(DType.BF16);
        float[][] want;
        try (CpuOps host = new CpuOps(); CausalLm model = CausalLm.load(Trained.base(base), options, host)) {
            want = learned(model, dir.resolve("here"));
        }
        try (CpuOps host = new CpuOps(); TensorOps device = device(host);
             CausalLm model = CausalLm.load(Trained.base(base), options.withOnHost(new HostWeights(true, 0)), device)) {
            float[] before = Trained.logits(model, TOKENS);
            LoraConfig apart = config(BOTH).build();
            if (model.config().tieWordEmbeddings()) {
                String message = assertThrows(InputException.class, () -> PeftModel.inject(model, apart, 1)).getMessage();
                assertTrue(message.contains("parts the tied head from the embedding"), message);
            }
            float[][] got = learned(model, dir.resolve("there"));
            assertArrayEquals(want[0], got[0]);
            assertArrayEquals(want[1], got[1]);
            assertArrayEquals(before, Trained.logits(model, TOKENS));
            try (PeftModel peft = PeftModel.load(model, dir.resolve("there"), false)) {
                assertArrayEquals(want[1], Trained.logits(model, TOKENS));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen2", "llama-dynamic"})
    void tablesThatWaitOnTheHostGetTokensToo(String base) {
        LoadOptions options = LoadOptions.defaults().withOnHost(new HostWeights(true, 0));
        int[] tokens = {3, 65, 4, 64, 5};
        float[] want;
        try (CpuOps host = new CpuOps(); TensorOps device = device(host);
             CausalLm model = CausalLm.load(Trained.base(base), options, device)) {
            model.resizeEmbedding(66);
            try (PeftModel peft = PeftModel.inject(model, config(TokenIndices.of(64, 65)).build(), 1)) {
                change(peft);
                want = Trained.logits(model, tokens);
                peft.save(dir);
            }
            LoraConfig whole = LoraConfig.builder().targetModules("q_proj").modulesToSave("embed_tokens").build();
            String message = assertThrows(InputException.class, () -> PeftModel.inject(model, whole, 1)).getMessage();
            assertTrue(message.contains("model.embed_tokens.weight has a value of its own"), message);
        }
        try (CpuOps host = new CpuOps(); CausalLm model = CausalLm.load(Trained.base(base), LoadOptions.defaults(), host);
             PeftModel peft = PeftModel.load(model, dir, false)) {
            assertArrayEquals(want, Trained.logits(model, tokens));
        }
    }

    @Test
    void aQuantizedBaseTakesThemToo() {
        LoadOptions options = LoadOptions.defaults().withQuantization(Quantization.NF4);
        try (CpuOps cpu = new CpuOps(); CausalLm model = CausalLm.load(Trained.base("llama"), options, cpu)) {
            float[] before = Trained.logits(model, TOKENS);
            float[][] got = learned(model, dir);
            assertFalse(Arrays.equals(before, got[1]));
            assertArrayEquals(before, Trained.logits(model, TOKENS));
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void rowsOfAddedTokensComeBackWithTheirTables(boolean tied) {
        int[] tokens = {3, 17, 4, 16, 5};
        TokenIndices added = TokenIndices.of(16, 17);
        float[] want;
        try (CausalLm model = Trained.small(tied, DType.BF16, ops)) {
            model.resizeEmbedding(18);
            try (PeftModel peft = PeftModel.inject(model, config(added).build(), 1)) {
                change(peft);
                want = Trained.logits(model, tokens);
                peft.save(dir);
                peft.restore(dir);
                assertArrayEquals(want, Trained.logits(model, tokens));
            }
        }
        try (Safetensors file = Safetensors.open(dir.resolve(AdapterFile.WEIGHTS))) {
            assertEquals(Shape.of(18, 8), file.shape("base_model.model.model.embed_tokens.token_adapter.base_layer.weight"));
            assertEquals(Shape.of(2, 8), file.shape("base_model.model." + EMBEDDING));
            assertEquals(!tied, file.has("base_model.model.lm_head.weight"));
        }
        for (boolean trainable : new boolean[] {false, true}) {
            try (CausalLm base = Trained.small(tied, DType.BF16, ops); PeftModel peft = PeftModel.load(base, dir, trainable)) {
                assertEquals(18, base.config().vocabSize());
                assertArrayEquals(want, Trained.logits(base, tokens));
                assertEquals(trainable ? 5 : 0, peft.trainableParameters().size());
                peft.save(dir.resolve("again"));
                peft.merge();
                assertArrayEquals(want, Trained.logits(base, tokens));
            }
            try (CausalLm base = Trained.small(tied, DType.BF16, ops);
                 PeftModel peft = PeftModel.load(base, dir.resolve("again"), false)) {
                assertArrayEquals(want, Trained.logits(base, tokens));
            }
        }
    }

    @Test
    void aPlanCountsTheRowsAndNotTheTable() {
        try (NullOps counting = new NullOps(); CausalLm model = Trained.small(false, DType.BF16, counting)) {
            try (PeftModel peft = PeftModel.inject(model, config(BOTH).build(), 1)) {
                assertEquals((3 + 2) * 8 + 2 * (2 * 8 + 8 * 2), peft.trainableReport().trainable());
                Trained.lossSum(model, BATCH, 0);
            }
        }
    }

    private void refuses(boolean tied, String part, LoraConfigBuilder config) {
        try (CausalLm model = Trained.small(tied, DType.F32, ops)) {
            String message = assertThrows(InputException.class, () -> PeftModel.inject(model, config.build(), 1)).getMessage();
            assertTrue(message.contains(part), message);
            assertEquals(1, message.lines().count());
            PeftModel.inject(model, LoraConfig.builder().build(), 1).close();
        }
    }

    @Test
    void whatCannotBeIsSaid() {
        refuses(true, "has token 16, but this model has 16", config(TokenIndices.of(3, 16)));
        refuses(false, "model.embed_tokens is in trainable_token_indices and in modules_to_save",
                config(TokenIndices.of(3)).modulesToSave("embed_tokens"));
        refuses(true, "lm_head is in trainable_token_indices and in modules_to_save",
                config(TokenIndices.of(3)).modulesToSave("lm_head"));
        refuses(true, "model.embed_tokens is in trainable_token_indices and in target_modules",
                config(TokenIndices.of(3)).targetModules("embed_tokens"));
        refuses(true, "module in trainable_token_indices of the adapter",
                config(new TokenIndices(List.of(), Map.of("wte", List.of(1)))));
        for (String wrong : List.of("token 3 twice", "ids of tokens, got -1", "of lm_head has no token")) {
            String message = assertThrows(InputException.class, () -> {
                if (wrong.contains("lm_head")) new TokenIndices(List.of(), Map.of("lm_head", List.of()));
                else TokenIndices.of(wrong.contains("twice") ? new Integer[] {3, 4, 3} : new Integer[] {-1});
            }).getMessage();
            assertTrue(message.contains(wrong), message);
        }
        try (CausalLm phi = CausalLm.load(Trained.base("phi"), LoadOptions.defaults(), ops)) {
            TokenIndices head = new TokenIndices(List.of(), Map.of("lm_head", List.of(1)));
            LoraConfig config = config(head).build();
            String message = assertThrows(InputException.class, () -> PeftModel.inject(phi, config, 1)).getMessage();
            assertTrue(message.contains("has a bias that PEFT would leave out"), message);
        }
    }

    @Test
    void rowsThatAreNotFiniteAreNotMerged() {
        try (CausalLm model = Trained.small(true, DType.F16, ops);
             PeftModel peft = PeftModel.inject(model, config(TokenIndices.of(3)).build(), 1)) {
            ops.fill(Trained.named(peft.trainableParameters(), EMBEDDING).value(), 70_000f);
            String message = assertThrows(InputException.class, peft::merge).getMessage();
            assertTrue(message.contains("NaN or infinite values in " + EMBEDDING), message);
            assertFalse(peft.isMerged());
        }
    }
}
