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
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EvaTest {
    private static final int WIDTH = 24;
    private static final int[] TOKENS = {3, 1, 4, 1, 5, 9, 2, 6};

    private final TensorOps ops = new CpuOps(2);

    @TempDir
    Path dir;

    @AfterEach
    void close() {
        ops.close();
    }

    /// The file's rows, two to a batch.
    private static List<CalibrationBatch> batches(Path file, boolean masked) {
        List<CalibrationBatch> batches = new ArrayList<>();
        try (Safetensors saved = Safetensors.open(file)) {
            int[] ids = saved.readInts("input_ids");
            int[] labels = saved.readInts("labels");
            for (int from = 0; from < ids.length; from += 2 * WIDTH) {
                int n = 2 * WIDTH;
                int[] own = new int[n];
                int[] positions = new int[n];
                int[] start = new int[n];
                int[] stop = new int[n];
                boolean[] used = new boolean[n];
                for (int i = 0; i < n; i++) {
                    own[i] = ids[from + i];
                    positions[i] = i % WIDTH;
                    start[i] = i / WIDTH * WIDTH;
                    stop[i] = i + 1;
                    used[i] = !masked || labels[from + i] != -100;
                }
                batches.add(new CalibrationBatch(own, positions, start, stop, used));
            }
        }
        return batches;
    }

    /// PEFT with full decompositions on the same batches: the same ranks and alphas, and the same components.
    @ParameterizedTest
    @ValueSource(strings = {"eva", "eva-whiten"})
    void ranksAndComponentsEqualPeft(String name) {
        Path golden = Trained.adapter("llama/" + name);
        LoraConfig want = LoraConfig.read(golden.resolve(AdapterFile.CONFIG));
        LoraConfig given = want.toBuilder().targetModules(name.equals("eva") ? ModuleNames.ALL_LINEAR
                : ModuleNames.of("q_proj", "o_proj", "gate_proj", "down_proj")).rankPattern(Map.of()).alphaPattern(Map.of())
                .build();
        boolean masked = given.evaConfig().useLabelMask();
        try (CausalLm model = Trained.model("llama", null, ops);
             Safetensors weights = Safetensors.open(golden.resolve(AdapterFile.WEIGHTS))) {
            float[] before = Trained.logits(model, TOKENS);
            try (PeftModel peft = PeftModel.inject(model, given, 1, batches(golden.resolve("batches.safetensors"), masked))) {
                assertEquals(want.rankPattern(), new HashMap<>(peft.config().rankPattern()));
                assertEquals(want.alphaPattern(), new HashMap<>(peft.config().alphaPattern()));
                assertArrayEquals(before, Trained.logits(model, TOKENS));                     // B is 0
                for (Map.Entry<String, Tensor> tensor : peft.tensors().entrySet()) {
                    float[] expected = weights.readFloats(tensor.getKey());
                    float[] got = ops.toFloats(tensor.getValue());
                    double error = Trained.norm(Trained.minus(expected, got));
                    assertTrue(error <= 1e-3 * Trained.norm(expected), tensor.getKey() + ": " + error);
                }
                peft.save(dir);
            }
            PeftModel.load(model, dir, true).close();
        }
    }

    /// Directly against the full decomposition of all rows, which the components of batches come to.
    @Test
    void componentsOfBatchesAreThoseOfAllRows() {
        int rows = 300;
        int cols = 20;
        float[] all = Fixtures.normal(rows * cols, 1, 3);
        for (int i = 0; i < all.length; i++) all[i] = all[i] * (6 - i % cols * 0.3f) + i % 7;
        IncrementalPca pca = new IncrementalPca(ops, cols, cols);                  // all components: nothing is lost
        for (int from = 0; from < rows; from += 60) {
            assertTrue(pca.add(Arrays.copyOfRange(all, from * cols, (from + 60) * cols), 60, 0.99));
        }
        assertFalse(pca.add(new float[10 * cols], 10, 0.99));
        double[] mean = new double[cols];
        for (int i = 0; i < all.length; i++) mean[i % cols] += all[i] / (double) rows;
        float[] centred = new float[all.length];
        double total = 0;
        for (int i = 0; i < all.length; i++) {
            centred[i] = (float) (all[i] - mean[i % cols]);
            total += (double) centred[i] * centred[i];
        }
        double[] s = LowRankSvdTest.singularValues(centred, rows, cols);
        for (int i = 0; i < cols; i++) assertEquals(s[i] * s[i] / total, pca.explained(i), 1e-5);
        float[] plain = pca.components(3, false);
        float[] white = pca.components(3, true);
        for (int i = 0; i < plain.length; i++) assertEquals(plain[i] / Math.sqrt(s[i / cols]), white[i], 1e-4);
    }

    @Test
    void withoutRedistributionRanksStayAndModulesThatReadTheSameBeginTheSame() {
        LoraConfig config = LoraConfig.builder().r(3).targetModules("q_proj", "v_proj", "down_proj")
                .initLoraWeights(InitLoraWeights.EVA).evaConfig(new EvaConfig(1, 0.99, true, -100, false, true)).build();
        List<CalibrationBatch> batches = batches(Trained.adapter("llama/eva").resolve("batches.safetensors"), true);
        try (CausalLm model = Trained.model("llama", null, ops); PeftModel peft = PeftModel.inject(model, config, 1, batches)) {
            assertEquals(Map.of(), peft.config().rankPattern());
            Map<String, Tensor> tensors = peft.tensors();
            String path = "base_model.model.model.layers.1.self_attn.%s.lora_A.weight";
            assertArrayEquals(ops.toFloats(tensors.get(path.formatted("q_proj"))),
                    ops.toFloats(tensors.get(path.formatted("v_proj"))));
        }
    }

    @Test
    void modulesThatExplainLittleAreNoTargetsAnyMore() {
        LoraConfig config = LoraConfig.builder().r(1).targetModules(ModuleNames.ALL_LINEAR)
                .initLoraWeights(InitLoraWeights.EVA).evaConfig(new EvaConfig(8, 0.5, true, -100, false, true)).build();
        List<CalibrationBatch> batches = batches(Trained.adapter("llama/eva").resolve("batches.safetensors"), true);
        float[] want;
        try (CausalLm model = Trained.model("llama", null, ops); PeftModel peft = PeftModel.inject(model, config, 1, batches)) {
            int modules = peft.tensors().size() / 2;
            assertTrue(modules < 14, modules + " modules");
            assertEquals(modules, peft.config().targetModules().names().size());
            int ranks = peft.tensors().entrySet().stream().filter(t -> t.getKey().contains("lora_A"))
                    .mapToInt(t -> t.getValue().rows()).sum();
            assertEquals(14, ranks);
            peft.save(dir);
            want = Trained.logits(model, TOKENS);
        }
        try (CausalLm model = Trained.model("llama", null, ops); PeftModel peft = PeftModel.load(model, dir, false)) {
            TensorAssert.assertEqual("logits", want, Trained.logits(model, TOKENS));
        }
    }

    @Test
    void tooFewTokensAndNoBatchesAreRefused() {
        LoraConfig config = LoraConfig.builder().r(8).initLoraWeights(InitLoraWeights.EVA).build();
        List<CalibrationBatch> few = List.of(new CalibrationBatch(new int[] {1, 2}, new int[] {0, 1}, new int[2],
                new int[] {1, 2}, new boolean[] {true, true}));
        try (CausalLm model = Trained.model("llama", null, ops)) {
            for (List<CalibrationBatch> batches : List.of(few, List.<CalibrationBatch>of())) {
                String message = assertThrows(InputException.class, () -> PeftModel.inject(model, config, 1, batches))
                        .getMessage();
                assertTrue(message.contains("eva needs batches of at least"), message);
            }
            String message = assertThrows(InputException.class, () -> PeftModel.inject(model, config, 1)).getMessage();
            assertTrue(message.contains("needs batches to look at"), message);
            PeftModel.inject(model, LoraConfig.builder().build(), 1, few).close();
        }
        try (NullOps plan = new NullOps(); CausalLm model = Trained.small(false, DType.F32, plan)) {
            PeftModel.inject(model, config, 1).close();
        }
    }
}
