package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CausalLmTest {
    private static final int VOCAB = 320;
    private static final int WIDTH = 24;

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope", "llama-linear", "llama-yarn"})
    void logitsAgreeWithTransformers(String name) {
        assertLogitsAgree(name, new ReferenceOps());
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope", "llama-linear", "llama-yarn"})
    void logitsOfTheVectorImplementationAgreeWithTransformers(String name) {
        assertLogitsAgree(name, new CpuOps());
    }

    private static void assertLogitsAgree(String name, TensorOps implementation) {
        Path dir = Fixtures.folder(name);
        try (TensorOps ops = implementation; CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            assertEquals(17, sequences[1].length, "the second row is padded after 17 tokens");
            double worst = Fixtures.worst(Fixtures.logits(model, sequences), expected.readFloats("logits"), sequences,
                    WIDTH, VOCAB);
            assertTrue(worst <= 2e-5, "largest difference of a logit " + worst);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope", "llama-linear", "llama-yarn"})
    void lossAgreesWithTransformers(String name) throws IOException {
        Path dir = Fixtures.folder(name);
        double want = new ObjectMapper().readTree(dir.resolve("expected.json").toFile()).get("loss").asDouble();
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            int[] targets = shifted(expected.readInts("labels"), sequences);
            ModelInput in = ModelInput.of(ops, sequences);
            Tensor stats = ops.allocate("stats", DType.F32, Shape.of(2));
            ops.fill(stats, 0f);
            Tensor target = ops.allocate("targets", DType.I32, Shape.of(targets.length));
            ops.write(target, targets);
            try (Tape tape = Tape.inference(ops)) {
                F.linearCrossEntropy(tape, stats, null, model.hidden(tape, in, Checkpointing.NONE), model.head(), target,
                        CrossEntropySpec.chunked(7));
            }
            long trained = IntStream.of(targets).filter(t -> t >= 0).count();
            assertEquals(want, ops.toFloats(stats)[0] / trained, 2e-6);
        }
    }

    /// Each token predicts the label after it.
    private static int[] shifted(int[] labels, int[][] sequences) {
        int[][] targets = new int[sequences.length][];
        for (int s = 0; s < sequences.length; s++) {
            targets[s] = Arrays.copyOfRange(labels, s * WIDTH + 1, s * WIDTH + 1 + sequences[s].length);
            targets[s][targets[s].length - 1] = CrossEntropySpec.IGNORE;
        }
        return Arrays.stream(targets).flatMapToInt(Arrays::stream).toArray();
    }

    /// Biases everywhere, a head width of its own, GELU, tied embeddings, and a first row beyond the trained context,
    /// where `dynamic` stretches its frequencies.
    @Test
    void biasesAndOtherVariationsAgreeWithTransformers() {
        Path dir = Fixtures.folder("llama-bias");
        LoadOptions options = LoadOptions.defaults().withMaxSeqLen(WIDTH);
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(dir, options, ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] rows = Fixtures.sequences(expected, "input_ids", 2);
            float[] want = expected.readFloats("logits");
            for (int r = 0; r < 2; r++) {
                float[] row = Arrays.copyOfRange(want, r * WIDTH * 24, (r + 1) * WIDTH * 24);
                double worst = Fixtures.worst(Fixtures.logits(model, rows[r]), row, new int[][] {rows[r]}, WIDTH, 24);
                assertTrue(worst <= 2e-5, "largest difference of a logit " + worst);
            }
        }
    }

    private static float[] logits(Path dir, LoadOptions options, int[]... sequences) {
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(dir, options, ops)) {
            return Fixtures.logits(model, sequences);
        }
    }

    private static final int[] TEXT = {1, 17, 5, 300, 42, 9, 9, 128, 319, 0, 77};

    @Test
    void packedSequencesGiveWhatTheyGiveAlone() {
        Path dir = Fixtures.folder("llama");
        int[] other = {3, 200, 61};
        float[] packed = logits(dir, LoadOptions.defaults(), TEXT, other);
        float[] alone = logits(dir, LoadOptions.defaults(), other);
        assertArrayEquals(alone, Arrays.copyOfRange(packed, TEXT.length * VOCAB, packed.length));
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16"})
    void aSavedModelOfNarrowWeightsGivesWhatItGaveBefore(DType dtype, @TempDir Path dir) throws IOException {
        Path source = Fixtures.folder("llama3-rope");
        float[] converted = logits(source, LoadOptions.defaults().withDtype(dtype), TEXT);
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(source, LoadOptions.defaults(), ops)) {
            model.save(dir, dtype);
        }
        assertArrayEquals(converted, logits(dir, LoadOptions.defaults(), TEXT));
        float[] exact = logits(source, LoadOptions.defaults(), TEXT);
        assertTrue(!Arrays.equals(exact, converted), "rounded weights change logits");
        ObjectNode config = HfConfig.json(dir.resolve("config.json"));
        assertEquals(HfConfig.dtypeName(dtype), config.remove("dtype").asText());
        ObjectNode before = HfConfig.json(source.resolve("config.json"));
        before.remove("dtype");
        assertEquals(before, config, "every other field is kept");
        assertEquals(HfConfig.json(source.resolve("generation_config.json")),
                HfConfig.json(dir.resolve("generation_config.json")));
        try (Safetensors file = Safetensors.open(dir.resolve("model.safetensors"))) {
            assertFalse(file.has("lm_head.weight"), "a tied head is stored once");
        }
    }

    @Test
    void weightsInShardsAreTheSameModel(@TempDir Path dir) {
        Path source = Fixtures.copy("llama", dir);
        float[] single = logits(source, LoadOptions.defaults(), TEXT);
        try (TensorOps ops = new ReferenceOps();
             Safetensors file = Safetensors.open(source.resolve("model.safetensors"))) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            file.names().forEach(name -> tensors.put(name, file.tensor(name)));
            new SafetensorsWriter(ops, null).writeSharded(dir, "model", tensors, 100_000);
        }
        assertTrue(Files.exists(dir.resolve("model.safetensors.index.json")));
        assertArrayEquals(single, logits(dir, LoadOptions.defaults(), TEXT));
    }

    @Test
    void mappedWeightsTakeNoMemoryOfTheirOwn() {
        try (TensorOps ops = new ReferenceOps()) {
            try (CausalLm model = CausalLm.load(Fixtures.folder("llama"), LoadOptions.defaults(), ops)) {
                assertEquals(0, ops.memory().liveBytes());
                Fixtures.logits(model, TEXT);
                assertEquals(2 * 256 * 8 * Float.BYTES, ops.memory().liveBytes(), "only the rotary table stays");
            }
            assertEquals(0, ops.memory().liveBytes());
        }
    }

    @Test
    void unexpectedShapesAndMissingTensorsNameTheFile(@TempDir Path dir) throws IOException {
        Fixtures.copy("llama", dir);
        ObjectNode config = HfConfig.json(dir.resolve("config.json"));
        rejects(dir, config.deepCopy().put("vocab_size", 321),
                "model.safetensors: tensor model.embed_tokens.weight has shape [320, 64], but config.json asks for "
                        + "[321, 64]");
        rejects(dir, config.deepCopy().put("num_hidden_layers", 3),
                "model.safetensors lacks tensor model.layers.2.input_layernorm.weight of shape [64]");
        rejects(dir, config.deepCopy().put("mlp_bias", true),
                "lacks tensor model.layers.0.mlp.gate_proj.bias of shape [160]");
        Files.delete(dir.resolve("model.safetensors"));
        rejects(dir, config, "has neither model.safetensors nor");
    }

    private static void rejects(Path dir, ObjectNode config, String part) throws IOException {
        Files.writeString(dir.resolve("config.json"), config.toString());
        try (TensorOps ops = new ReferenceOps()) {
            String message = assertThrows(InputException.class, () ->
                    CausalLm.load(dir, LoadOptions.defaults(), ops)).getMessage();
            assertTrue(message.contains(part) && !message.contains("\n"), message);
            assertEquals(0, ops.memory().liveBytes());
        }
    }

    @Test
    void aSequenceBeyondTheContextIsRejected() {
        LoadOptions options = LoadOptions.defaults().withMaxSeqLen(10);
        Path dir = Fixtures.folder("llama");
        assertEquals(10 * VOCAB, logits(dir, options, Arrays.copyOf(TEXT, 10)).length);
        String message = assertThrows(InputException.class, () -> logits(dir, options, TEXT)).getMessage();
        assertEquals("a sequence has 11 tokens, but this model takes at most 10; shorten it or raise max_seq_length",
                message);
        assertThrows(InputException.class, () -> logits(dir, options));
    }

    @Test
    void weightsHaveTheNamesOfTheFileAndTiedOnesAreListedOnce() {
        try (TensorOps ops = new ReferenceOps();
             CausalLm tied = CausalLm.load(Fixtures.folder("llama3-rope"), LoadOptions.defaults(), ops);
             CausalLm untied = CausalLm.load(Fixtures.folder("llama"), LoadOptions.defaults(), ops);
             Safetensors file = Safetensors.open(Fixtures.folder("llama").resolve("model.safetensors"))) {
            List<String> names = untied.parameters().stream().map(Parameter::name).toList();
            assertEquals(new TreeSet<>(file.names()), new TreeSet<>(names));
            assertEquals(names.size() - 1, tied.parameters().size());
            assertSame(tied.parameter("model.embed_tokens.weight"), tied.head());
            assertSame(untied.parameter("lm_head.weight"), untied.head());
            assertThrows(InputException.class, () -> untied.parameter("lm_head.bias"));
            assertEquals(14, untied.projections().size());
            assertEquals(160, untied.projections().get("model.layers.1.mlp.down_proj").inFeatures());
        }
    }

    @Test
    void aReplacedProjectionIsUsedAndForbidsSaving(@TempDir Path dir) {
        try (TensorOps ops = new ReferenceOps();
             CausalLm model = CausalLm.load(Fixtures.folder("llama"), LoadOptions.defaults(), ops)) {
            float[] before = Fixtures.logits(model, TEXT);
            for (String path : model.projections().keySet()) {
                Projection[] original = new Projection[1];
                model.replace(path, projection -> original[0] = new Zero(projection));
                assertSame(original[0], model.projections().get(path));
                assertTrue(!Arrays.equals(before, Fixtures.logits(model, TEXT)), path + " takes part");
                assertThrows(IllegalStateException.class, () -> model.save(dir, null));
                model.replace(path, projection -> ((Zero) projection).base());
            }
            assertArrayEquals(before, Fixtures.logits(model, TEXT));
            assertThrows(IllegalArgumentException.class, () -> model.replace("lm_head", projection -> projection));
        }
    }

    /// A projection that forgets its input.
    private record Zero(Projection base) implements WrappedProjection {
        @Override
        public Tensor forward(Tape tape, Tensor x, Tensor residual, ModelInput in) {
            Tensor zeros = tape.allocate("zeros", x.shape());
            tape.ops().fill(zeros, 0f);
            return base.forward(tape, zeros, residual, in);
        }
    }

    @Test
    void checkpointingChangesNoGradient() {
        try (TensorOps ops = new ReferenceOps()) {
            float[][] kept = gradients(ops, Checkpointing.NONE);
            float[][] recomputed = gradients(ops, Checkpointing.LAYER);
            float[][] selected = gradients(ops, Checkpointing.SELECTIVE);
            assertEquals(21, kept.length);
            for (int i = 0; i < kept.length; i++) {
                assertArrayEquals(kept[i], recomputed[i]);
                assertArrayEquals(kept[i], selected[i]);
                assertTrue(anyNonZero(kept[i]), "a gradient arrives");
            }
            assertEquals(0, ops.memory().liveBytes());
        }
    }

    private static boolean anyNonZero(float[] values) {
        return IntStream.range(0, values.length).anyMatch(i -> values[i] != 0);
    }

    @ParameterizedTest
    @EnumSource
    void anMlpInPartsHasTheGradientsOfTheWhole(Checkpointing checkpointing) {
        try (TensorOps ops = new ReferenceOps()) {
            float[][] expected = gradients(ops, ActivationMemory.of(checkpointing));
            float[][] found = gradients(ops, new ActivationMemory(checkpointing, checkpointing != Checkpointing.NONE, 3));
            for (int i = 0; i < expected.length; i++) assertArrayEquals(expected[i], found[i], 2e-5f);
            assertEquals(0, ops.memory().liveBytes());
        }
    }

    @Test
    void layersOnTheHostAreSpreadEvenly() {
        HostWeights three = new HostWeights(false, 3);
        assertEquals(List.of(-1, -1, 0, -1, -1, 1, -1, 2), IntStream.range(0, 8).mapToObj(i -> three.piece(i, 8)).toList());
        assertEquals(5, three.resident(8));
        assertEquals(List.of(0, 1), IntStream.range(0, 2).mapToObj(i -> three.piece(i, 2)).toList());
        assertEquals(-1, HostWeights.NONE.piece(0, 8));
        assertThrows(InputException.class, () -> new HostWeights(true, -1));
        assertThrows(InputException.class, () -> new ActivationMemory(Checkpointing.NONE, true, 1));
        assertThrows(InputException.class, () -> new ActivationMemory(Checkpointing.LAYER, false, 65));
    }

    private static float[][] gradients(TensorOps ops, Checkpointing checkpointing) {
        return gradients(ops, ActivationMemory.of(checkpointing));
    }

    private static float[][] gradients(TensorOps ops, ActivationMemory memory) {
        LoadOptions options = LoadOptions.defaults().withTrainable(true);
        try (CausalLm model = CausalLm.load(Fixtures.folder("llama"), options, ops)) {
            ModelInput in = ModelInput.of(ops, TEXT, new int[] {4, 5});
            Tensor stats = ops.allocate("stats", DType.F32, Shape.of(2));
            Tensor targets = ops.allocate("targets", DType.I32, Shape.of(in.tokens()));
            ops.fill(stats, 0f);
            ops.write(targets, IntStream.range(0, in.tokens()).toArray());
            try (Tape tape = Tape.recording(ops)) {
                F.linearCrossEntropy(tape, stats, null, model.hidden(tape, in, memory), model.head(), targets,
                        CrossEntropySpec.chunked(4));
                tape.backward();
            }
            in.release(ops);
            ops.release(stats);
            ops.release(targets);
            return model.parameters().stream().map(parameter -> ops.toFloats(parameter.grad(ops)))
                    .toArray(float[][]::new);
        }
    }

    @Test
    void freshWeightsFollowTheSeedAndTheDeviation() {
        ModelConfig config = HfConfig.read(Fixtures.folder("llama"));
        try (TensorOps ops = new ReferenceOps(); CausalLm one = CausalLm.random(config, 7, DType.F32, ops);
             CausalLm same = CausalLm.random(config, 7, DType.F32, ops);
             CausalLm other = CausalLm.random(config, 8, DType.F32, ops)) {
            for (int i = 0; i < one.parameters().size(); i++) {
                float[] values = ops.toFloats(one.parameters().get(i).value());
                assertArrayEquals(values, ops.toFloats(same.parameters().get(i).value()));
                if (one.parameters().get(i).name().endsWith("norm.weight")) {
                    for (float value : values) assertEquals(1f, value);
                    continue;
                }
                assertFalse(Arrays.equals(values, ops.toFloats(other.parameters().get(i).value())));
                double mean = IntStream.range(0, values.length).mapToDouble(at -> values[at]).average().orElseThrow();
                double square = IntStream.range(0, values.length)
                        .mapToDouble(at -> values[at] * values[at]).average().orElseThrow();
                double error = 5 / Math.sqrt(values.length);                        // five standard errors
                assertEquals(0, mean, 0.02 * error);
                assertEquals(0.02, Math.sqrt(square), 0.02 * error);
            }
        }
    }

    @Test
    void aModelOnNullOpsOnlyCountsItsBytes() {
        ModelConfig config = HfConfig.read(Fixtures.folder("llama"));
        try (NullOps ops = new NullOps(); CausalLm model = CausalLm.random(config, 7, DType.BF16, ops)) {
            long weights = model.parameters().stream().mapToLong(parameter -> parameter.value().byteSize()).sum();
            assertEquals(127296 * 2L, weights);
            ops.resetPeak();
            ModelInput in = ModelInput.of(ops, TEXT);
            try (Tape tape = Tape.inference(ops)) {
                model.hidden(tape, in, Checkpointing.NONE);
            }
            assertTrue(ops.totalFlops() > 2L * TEXT.length * 2 * (64 * 64 * 2 + 64 * 32 * 2 + 64 * 160 * 3));
        }
    }

    @Test
    void inferenceHoldsNoMoreThanTheWidestMomentOfALayer() {
        ModelConfig config = HfConfig.read(Fixtures.folder("llama"));
        int[] text = IntStream.range(0, 256).toArray();
        try (NullOps ops = new NullOps(); CausalLm model = CausalLm.random(config, 7, DType.F32, ops)) {
            ModelInput in = ModelInput.of(ops, text);
            long before = ops.memory().liveBytes();
            long table = 2 * 256 * 8 * Float.BYTES;
            ops.resetPeak();
            try (Tape tape = Tape.inference(ops)) {
                model.hidden(tape, in, Checkpointing.NONE);
            }
            long widest = 256 * (2 * 64 + 3 * 160) * Float.BYTES;                    // x, h; gate, up and their product
            assertEquals(table + widest, ops.memory().peakLiveBytes() - before);
        }
    }

    @Test
    void cachedTokensGiveWhatTheWholeSequenceGives() {
        try (TensorOps ops = new ReferenceOps();
             CausalLm model = CausalLm.load(Fixtures.folder("llama"), LoadOptions.defaults(), ops)) {
            float[] whole = Fixtures.logits(model, TEXT);
            try (KvCache cache = new KvCache(ops, model.config(), 4, TEXT.length)) {
                assertArrayEquals(Arrays.copyOf(whole, 3 * VOCAB), cached(model, cache, 1, Arrays.copyOf(TEXT, 3)));
                cached(model, cache, 0, 8, 8, 8);                                    // a neighbour changes nothing
                for (int i = 3; i < TEXT.length; i++) {
                    assertArrayEquals(Arrays.copyOfRange(whole, i * VOCAB, (i + 1) * VOCAB),
                            cached(model, cache, 1, TEXT[i]));
                }
                assertEquals(TEXT.length, cache.length(1));
                assertThrows(InputException.class, () -> cached(model, cache, 1, 5));
            }
        }
    }

    @Test
    void rowsDecodedTogetherHaveTheBitsTheyHaveAlone() {
        try (TensorOps ops = new CpuOps();
             CausalLm model = CausalLm.load(Fixtures.folder("llama"), LoadOptions.defaults(), ops);
             KvCache together = new KvCache(ops, model.config(), 150, 20, 20, 20, 20, 20, 20, 20);
             KvCache alone = new KvCache(ops, model.config(), 150)) {
            int[] text = IntStream.range(0, 140).map(i -> i * 37 % VOCAB).toArray();
            for (int s = 1; s < 8; s++) cached(model, together, s, s, s + 1, s + 2);
            assertArrayEquals(cached(model, alone, 0, text), cached(model, together, 0, text));
            for (int token = 0; token < 5; token++) {
                int[][] tokens = IntStream.range(0, 8).mapToObj(s -> new int[] {s * 31}).toArray(int[][]::new);
                tokens[0][0] = token;
                KvCache.Step step = together.append(new int[] {7, 1, 0, 2, 3, 4, 5, 6}, new int[][] {
                    tokens[7], tokens[1], tokens[0], tokens[2], tokens[3], tokens[4], tokens[5], tokens[6]});
                float[] rows = run(model, together, step);
                assertArrayEquals(cached(model, alone, 0, token), Arrays.copyOfRange(rows, 2 * VOCAB, 3 * VOCAB));
            }
        }
    }

    private static float[] cached(CausalLm model, KvCache cache, int sequence, int... tokens) {
        return run(model, cache, cache.append(new int[] {sequence}, new int[][] {tokens}));
    }

    private static float[] run(CausalLm model, KvCache cache, KvCache.Step step) {
        try (Tape tape = Tape.inference(model.ops())) {
            return model.ops().toFloats(model.logits(tape, model.hidden(tape, cache, step)));
        } finally {
            step.release(model.ops());
        }
    }

    @Test
    void aTrainedModelOfOthersGivesItsReferenceLogits() {
        Path dir = Fixtures.real("models/stories260K");
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops);
             Safetensors expected = Safetensors.open(dir.resolve("logits.safetensors"))) {
            int[] ids = expected.readInts("input_ids");
            double worst = Fixtures.worst(Fixtures.logits(model, ids), expected.readFloats("logits_f64"),
                    new int[][] {ids}, 26, 512);
            assertTrue(worst <= 5e-5, "largest difference of a logit " + worst);
        }
    }
}
