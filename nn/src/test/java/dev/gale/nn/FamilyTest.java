package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.generate.GenerationConfig;
import dev.gale.nn.generate.Generator;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Models of every family against Transformers.
class FamilyTest {
    private static final int WIDTH = 24;
    private static final LoadOptions OPTIONS = LoadOptions.defaults().withMaxSeqLen(64);      // `dynamic` was trained for fewer

    static List<String> families() {
        return Fixtures.FAMILIES;
    }

    private static void assertLogits(String name, TensorOps implementation, double bound) {
        assertLogits(Fixtures.folder(name), implementation, bound);
    }

    private static void assertLogits(Path dir, TensorOps implementation, double bound) {
        try (TensorOps ops = implementation; CausalLm model = CausalLm.load(dir, OPTIONS, ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            double worst = Fixtures.worst(Fixtures.logits(model, sequences), expected.readFloats("logits"), sequences,
                    WIDTH, model.config().vocabSize());
            assertTrue(worst <= bound, "largest difference of a logit " + worst);
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void logitsAgreeWithTransformers(String name) {
        assertLogits(name, new ReferenceOps(), 2e-5);
    }

    @ParameterizedTest
    @MethodSource("families")
    void logitsOfTheVectorImplementationAgreeWithTransformers(String name) {
        assertLogits(name, new CpuOps(), 2e-5);
    }

    private static int[] targets(Safetensors expected, int[][] sequences) {
        int[] labels = expected.readInts("labels");
        return IntStream.range(0, sequences.length).boxed().flatMapToInt(s -> {
            int from = s * WIDTH + 1;
            int[] next = Arrays.copyOfRange(labels, from, from + sequences[s].length);
            next[next.length - 1] = CrossEntropySpec.IGNORE;
            return Arrays.stream(next);
        }).toArray();
    }

    private static float lossSum(CausalLm model, int[] targets, Checkpointing checkpointing, int[]... sequences) {
        TensorOps ops = model.ops();
        ModelInput in = ModelInput.of(ops, sequences);
        Tensor stats = ops.allocate("stats", DType.F32, Shape.of(2));
        Tensor target = ops.allocate("targets", DType.I32, Shape.of(targets.length));
        ops.fill(stats, 0f);
        ops.write(target, targets);
        try (Tape tape = Tape.recording(ops)) {
            Tensor hidden = model.hidden(tape, in, checkpointing);
            model.loss(tape, stats, null, hidden, target, null, model.lossSpec(7));
            tape.done(hidden);
            tape.backward();
            return ops.toFloats(stats)[0];
        } finally {
            in.release(ops);
            ops.release(stats);
            ops.release(target);
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void lossAgreesWithTransformers(String name) throws IOException {
        Path dir = Fixtures.folder(name);
        double want = new ObjectMapper().readTree(dir.resolve("expected.json").toFile()).get("loss").asDouble();
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(dir, OPTIONS, ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            int[] targets = targets(expected, sequences);
            long trained = IntStream.of(targets).filter(t -> t >= 0).count();
            assertEquals(want, lossSum(model, targets, Checkpointing.NONE, sequences) / trained, 2e-6);
        }
    }

    /// Of families that have one; with the rows that a device adds to a batch, with MLPs in parts, and made again.
    @ParameterizedTest
    @ValueSource(strings = {"mixtral", "qwen2-moe", "qwen3-moe"})
    void theRoutersLossAgreesWithTransformers(String name) throws IOException {
        Path dir = Fixtures.folder(name);
        double want = new ObjectMapper().readTree(dir.resolve("expected.json").toFile()).get("aux_loss").asDouble();
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(dir, OPTIONS.withTrainable(true), ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"));
             RouterLoss router = new RouterLoss(ops, model.config().variant().mixture(), 1)) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            for (ActivationMemory memory : List.of(new ActivationMemory(Checkpointing.NONE, false, 1),
                    new ActivationMemory(Checkpointing.LAYER, false, 1),
                    new ActivationMemory(Checkpointing.SELECTIVE, true, 3))) {
                router.begin(1, 1);
                for (int batch = 0; batch < 2; batch++) {
                    ModelInput in = router.on(batch == 0 ? ModelInput.of(ops, sequences) : padded(ops, sequences), batch);
                    try (Tape tape = Tape.recording(ops)) {
                        Tensor hidden = model.hidden(tape, in, memory);
                        ops.fill(tape.rootGradient(hidden), 0f);
                        tape.backward();
                    } finally {
                        in.release(ops);
                    }
                }
                assertArrayEquals(new double[] {want, want}, router.values(), 2e-6);
            }
        }
    }

    /// Sequences with rows behind them that see no key.
    private static ModelInput padded(TensorOps ops, int[][] sequences) {
        int[] tokens = Arrays.stream(sequences).flatMapToInt(IntStream::of).toArray();
        int rows = tokens.length;
        int[] ids = Arrays.copyOf(tokens, rows + 9);
        int[] positions = new int[rows + 9];
        int[] start = new int[rows + 9];
        int[] stop = new int[rows + 9];
        int row = 0;
        for (int[] sequence : sequences) {
            for (int i = 0; i < sequence.length; i++, row++) {
                positions[row] = i;
                start[row] = row - i;
                stop[row] = row + 1;
            }
        }
        return ModelInput.of(ops, ids, positions, start, stop);
    }

    @ParameterizedTest
    @MethodSource("families")
    void greedyTokensEqualThoseOfTransformers(String name) {
        Path dir = Fixtures.folder(name);
        try (TensorOps ops = new ReferenceOps();
             CausalLm model = CausalLm.load(dir, OPTIONS, ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[] want = expected.readInts("greedy");
            List<int[]> got = new Generator(model).generate(List.of(Arrays.copyOf(want, 8)),
                    GenerationConfig.greedy(24, List.of()), (s, t) -> true);
            assertArrayEquals(Arrays.copyOfRange(want, 8, 32), got.getFirst());
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void checkpointingChangesNoGradient(String name) {
        try (TensorOps ops = new CpuOps()) {
            List<String> names = new ArrayList<>();
            float[][] kept = gradients(name, ops, Checkpointing.NONE, names);
            float[][] recomputed = gradients(name, ops, Checkpointing.LAYER, names);
            float[][] selected = gradients(name, ops, Checkpointing.SELECTIVE, names);
            for (int i = 0; i < kept.length; i++) {
                assertArrayEquals(kept[i], recomputed[i]);
                assertArrayEquals(kept[i], selected[i]);
                float[] values = kept[i];
                boolean arrived = IntStream.range(0, values.length).anyMatch(e -> values[e] != 0);
                assertTrue(arrived || names.get(i).contains(".experts."), "a gradient arrives at " + names.get(i));
            }
            assertEquals(0, ops.memory().liveBytes());
        }
    }

    private static float[][] gradients(String name, TensorOps ops, Checkpointing checkpointing, List<String> names) {
        LoadOptions options = LoadOptions.defaults().withTrainable(true);
        try (CausalLm model = CausalLm.load(Fixtures.folder(name), options, ops)) {
            int[][] sequences = {{1, 17, 5, 60, 42, 9, 9, 28, 61, 0, 57, 8, 33}, {4, 5, 22}};
            int[] targets = IntStream.range(0, 16).map(i -> i * 7 % 60).toArray();
            lossSum(model, targets, checkpointing, sequences);
            List<Parameter> weights = model.parameters();
            weights.forEach(weight -> names.add(weight.name()));
            float[][] gradients = new float[weights.size()][];
            for (int i = 0; i < gradients.length; i++) gradients[i] = ops.toFloats(weights.get(i).grad(ops));
            return gradients;
        }
    }

    @ParameterizedTest
    @MethodSource("families")
    void weightsHaveTheNamesOfTheFileAndComeBackFromASavedModel(String name, @TempDir Path dir) {
        Path source = Fixtures.folder(name);
        int[] text = {1, 17, 5, 30, 42, 9, 9, 28, 61, 0, 57};
        float[] before;
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(source, LoadOptions.defaults(), ops);
             Safetensors file = Safetensors.open(source.resolve("model.safetensors"))) {
            Family family = Family.of(model.config());
            assertEquals(file.names().stream().map(family::path)
                            .filter(path -> family.beside().stream().noneMatch(path::startsWith))
                            .collect(Collectors.toCollection(TreeSet::new)),
                    new TreeSet<>(model.parameters().stream().map(Parameter::name).toList()));
            before = Fixtures.logits(model, text);
            model.save(dir, null);
        }
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops)) {
            assertArrayEquals(before, Fixtures.logits(model, text));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemma3-vision", "mistral3-vision"})
    void whatSeesIsSavedBesideTheLanguageModel(String name, @TempDir Path dir) {
        Path source = Fixtures.folder(name);
        try (TensorOps ops = new CpuOps(); CausalLm model = CausalLm.load(source, LoadOptions.defaults(), ops)) {
            model.resizeEmbedding(70);
            model.addEosToken(65);
            model.save(dir, DType.F32);
            try (Safetensors before = Safetensors.open(source.resolve("model.safetensors"));
                 Safetensors after = Safetensors.open(dir.resolve("model.safetensors"))) {
                assertEquals(before.names(), after.names());
                for (String tensor : before.names()) {
                    if (!tensor.contains("embed_tokens")) assertArrayEquals(before.readFloats(tensor), after.readFloats(tensor),
                            tensor);
                }
            }
            assertEquals(model.config(), HfConfig.read(dir));
        }
        ObjectNode json = HfConfig.json(dir.resolve("config.json"));
        assertTrue(json.has("vision_config") && !json.has("vocab_size"));
        assertEquals(70, json.path("text_config").path("vocab_size").asInt());
    }

    @Test
    void absentFieldsOfAModelThatSeesTakeTheDefaultsOfTransformers() {
        ObjectNode json = HfConfig.newObject();
        json.putArray("architectures").add("Gemma3ForConditionalGeneration");
        assertEquals("m: the required field 'text_config' is missing",
                assertThrows(InputException.class, () -> HfConfig.parse(json, "m")).getMessage());
        json.putArray("eos_token_id").add(1).add(106);
        ObjectNode rope = HfConfig.newObject().put("factor", 8.0).put("rope_type", "linear");
        ObjectNode text = json.put("torch_dtype", "bfloat16").putObject("text_config");     // as google/gemma-3-4b-it has it
        text.put("hidden_size", 2560).put("intermediate_size", 10240).put("model_type", "gemma3_text");
        text.put("num_hidden_layers", 34).put("sliding_window", 1024).set("rope_scaling", rope);
        ModelConfig config = HfConfig.parse(json, "m");
        assertEquals(List.of(8, 4, 256, 262_208, 131_072), List.of(config.numHeads(), config.numKvHeads(), config.headDim(),
                config.vocabSize(), config.maxSeqLen()));
        assertEquals(List.of(1, 106), config.eosTokenIds());
        assertEquals(DType.BF16, config.dtype());
        assertTrue(config.tieWordEmbeddings());
        assertEquals(8, config.rope().factor());
        assertEquals(50.5f, (float) config.variant().multipliers().embedding());                        // of sqrt(2560) in BF16
    }

    @ParameterizedTest
    @MethodSource("families")
    void aWrittenConfigurationReadsBackEqual(String name) {
        ModelConfig config = HfConfig.read(Fixtures.folder(name));
        assertEquals(config.languageModel(), HfConfig.parse(HfConfig.toJson(config), "written"));
    }

    /// Transformers does not read it either: the goldens of the model without it are those of the model with it.
    @Test
    void deepseekLeavesNormTopkProbAlone(@TempDir Path dir) throws IOException {
        Path source = Fixtures.folder("deepseek");
        for (String file : List.of("model.safetensors", "expected.safetensors")) {
            Files.copy(source.resolve(file), dir.resolve(file));
        }
        String config = Files.readString(source.resolve("config.json"));
        String changed = config.replace("\"norm_topk_prob\": false", "\"norm_topk_prob\": true");
        assertNotEquals(config, changed);
        Files.writeString(dir.resolve("config.json"), changed);
        assertLogits(dir, new CpuOps(), 2e-5);
    }
}
