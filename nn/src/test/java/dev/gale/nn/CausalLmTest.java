package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CausalLmTest {
    private static final int VOCAB = 320;
    private static final int WIDTH = 24;

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3-rope", "llama-linear", "llama-yarn"})
    void logitsAgreeWithTransformers(String name) {
        Path dir = Fixtures.folder(name);
        try (TensorOps ops = new ReferenceOps(); CausalLm model = CausalLm.load(dir, LoadOptions.defaults(), ops);
             Safetensors expected = Safetensors.open(dir.resolve("expected.safetensors"))) {
            int[][] sequences = Fixtures.sequences(expected, "input_ids", 2);
            assertEquals(17, sequences[1].length, "the second row is padded after 17 tokens");
            double worst = Fixtures.worst(Fixtures.logits(model, sequences), expected.readFloats("logits"), sequences, WIDTH, VOCAB);
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
                F.linearCrossEntropy(tape, stats, null, model.hidden(tape, in, false), model.head(), target,
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
}
