package dev.gale.train.cli;

import static dev.gale.train.cli.CommandRun.fixture;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.safetensors.Safetensors;
import dev.gale.nn.safetensors.SafetensorsWriter;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VerifyCommandTest {
    private static final Path EXPECTED = fixture("llama").resolve("expected.safetensors");
    private static final int LENGTH = 24;

    private static CommandRun verify(Path expected, Object... more) {
        Object[] args = new Object[more.length + 5];
        System.arraycopy(new Object[] {"verify", "--model", fixture("llama"), "--expected", expected}, 0, args, 0, 5);
        System.arraycopy(more, 0, args, 5, more.length);
        return CommandRun.of(args);
    }

    private static double value(CommandRun run, String name) {
        return run.out().lines().filter(line -> line.startsWith(name + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1))).sum();
    }

    @Test
    void logitsOfTransformersAreReached() {
        CommandRun run = verify(EXPECTED, "--tolerance", "1e-4");
        assertEquals(0, run.exit(), run.toString());
        assertTrue(value(run, "max_abs_diff") < 1e-4, run.out());
        assertEquals(1, value(run, "top1_agreement"));
        assertTrue(run.out().contains("41 positions"), run.out());
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "rslora", "bias", "partial"})
    void logitsOfPeftAreReached(String adapter) {
        Path folder = fixture("llama/" + adapter);
        CommandRun run = verify(folder.resolve("expected.safetensors"), "--adapter", folder, "--tolerance", "1e-4");
        assertEquals(0, run.exit(), run.toString());
    }

    @Test
    void anotherModelIsBeyondTheTolerance() {
        CommandRun run = verify(fixture("llama/lora").resolve("expected.safetensors"));
        assertEquals(1, run.exit());
        assertTrue(value(run, "max_abs_diff") > 0.1 && value(run, "mean_abs_diff") > 0.01, run.out());
    }

    @Test
    void paddingOnTheLeftAndWhatItPredictsDoNotCount(@TempDir Path folder) {
        try (Safetensors file = Safetensors.open(EXPECTED); ReferenceOps ops = new ReferenceOps()) {
            int vocab = file.shape("logits").dim(2);
            int[] ids = file.readInts("input_ids");
            int[] mask = file.readInts("attention_mask");
            float[] logits = file.readFloats("logits");
            int padding = LENGTH - 17;                                          // of the second row, on the right
            int[] movedIds = rotated(ids, padding, 1);
            int[] movedMask = rotated(mask, padding, 1);
            float[] movedLogits = logits.clone();
            for (int t = 0; t < LENGTH; t++) {
                int to = (LENGTH + (t + padding) % LENGTH) * vocab;
                System.arraycopy(logits, (LENGTH + t) * vocab, movedLogits, to, vocab);
            }
            for (int i = 0; i < padding * vocab; i++) movedLogits[LENGTH * vocab + i] = Float.NaN;
            Path moved = folder.resolve("moved.safetensors");
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            tensors.put("input_ids", ints(ops, movedIds));
            tensors.put("attention_mask", ints(ops, movedMask));
            Tensor expected = ops.allocate("logits", DType.F32, Shape.of(2, LENGTH, vocab));
            ops.write(expected, movedLogits);
            tensors.put("logits", expected);
            new SafetensorsWriter(ops, null).write(moved, tensors);
            CommandRun run = verify(moved, "--tolerance", "1e-4");
            assertEquals(0, run.exit(), run.toString());
            assertTrue(run.out().contains("41 positions"), run.out());

            movedLogits[LENGTH * vocab - 1] = Float.NaN;
            ops.write(expected, movedLogits);
            new SafetensorsWriter(ops, null).write(moved, tensors);
            assertEquals(1, verify(moved).exit(), "a NaN that counts is a difference");
            tensors.values().forEach(ops::release);
        }
    }

    /// The second row turned to the right.
    private static int[] rotated(int[] values, int by, int row) {
        int[] moved = values.clone();
        for (int t = 0; t < LENGTH; t++) moved[row * LENGTH + (t + by) % LENGTH] = values[row * LENGTH + t];
        return moved;
    }

    private static Tensor ints(ReferenceOps ops, int[] values) {
        Tensor tensor = ops.allocate("ints", DType.I32, Shape.of(2, LENGTH));
        ops.write(tensor, values);
        return tensor;
    }

    @Test
    void filesThatDoNotFitAreNamed() {
        CommandRun run = verify(fixture("llama").resolve("model.safetensors"));
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("model.safetensors has no tensor input_ids"), run.err());
    }
}
