package dev.gale.train;

import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelInput;
import dev.gale.nn.safetensors.Safetensors;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.TensorOps;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;

/// How far a model's logits are from those that another implementation computed.
///
/// @param positions     compared positions: those that the attention mask keeps
/// @param maxAbsDiff    largest difference of two logits; NaN if any logit is
/// @param meanAbsDiff   mean difference
/// @param top1Agreement share of positions where the same token is the likeliest
public record LogitsComparison(long positions, double maxAbsDiff, double meanAbsDiff, double top1Agreement) {

    /// Runs `input_ids` `[B, T]` of the file, where `attention_mask` `[B, T]` keeps them, and compares with its
    /// `logits` `[B, T, V]`. Without a mask every position counts.
    /// Throws: InputException when the file lacks a tensor or its shapes contradict each other or the model.
    public static LogitsComparison of(CausalLm model, Path expected) {
        try (Safetensors file = Safetensors.open(expected)) {
            int[] ids = file.readInts("input_ids");
            Shape shape = file.shape("input_ids");
            require(shape.rank() == 2 && shape.size() > 0, expected,
                    "input_ids must be [batch, length], found " + shape);
            int[] mask = file.has("attention_mask") ? file.readInts("attention_mask") : null;
            require(mask == null || file.shape("attention_mask").equals(shape), expected,
                    "attention_mask must have the shape of input_ids");
            int vocab = model.config().vocabSize();
            Shape wanted = Shape.of(shape.dim(0), shape.dim(1), vocab);
            require(file.shape("logits").equals(wanted), expected,
                    "logits must be %s for this model, found %s".formatted(wanted, file.shape("logits")));
            int wrong = Arrays.stream(ids).filter(id -> id < 0 || id >= vocab).findFirst().orElse(0);
            require(wrong >= 0 && wrong < vocab, expected,
                    "input_ids has " + wrong + ", but this model's vocabulary has " + vocab);
            Sums sums = new Sums(file.readFloats("logits"), vocab);
            for (int row = 0; row < shape.dim(0); row++) {
                int from = Math.toIntExact(row * shape.dim(1));
                int[] kept = IntStream.range(from, Math.toIntExact(from + shape.dim(1)))
                        .filter(i -> mask == null || mask[i] != 0).toArray();
                if (kept.length > 0) sums.add(logits(model, ids, kept), kept);
            }
            require(sums.positions > 0, expected, "attention_mask keeps no position");
            return sums.comparison();
        }
    }

    private static void require(boolean condition, Path file, String problem) {
        if (!condition) throw new InputException(file + ": " + problem);
    }

    /// Logits at the kept places of one sequence. Their distances count, so a hole in the mask stays a hole.
    private static float[] logits(CausalLm model, int[] ids, int[] kept) {
        TensorOps ops = model.ops();
        int[] tokens = Arrays.stream(kept).map(i -> ids[i]).toArray();
        int[] positions = Arrays.stream(kept).map(i -> i - kept[0]).toArray();
        ModelInput input = ModelInput.of(ops, tokens, positions, new int[kept.length],
                IntStream.rangeClosed(1, kept.length).toArray());
        try (Tape tape = Tape.inference(ops)) {
            Tensor hidden = model.hidden(tape, input, Checkpointing.NONE);
            return ops.toFloats(model.logits(tape, hidden));
        } finally {
            input.release(ops);
        }
    }

    /// What was compared so far with the expected logits of all positions.
    private static final class Sums {
        private final float[] expected;
        private final int vocab;
        private long positions;
        private long agreeing;
        private double max;
        private double total;

        Sums(float[] expected, int vocab) {
            this.expected = expected;
            this.vocab = vocab;
        }

        void add(float[] logits, int[] places) {
            for (int row = 0; row < places.length; row++) {
                int ours = row * vocab;
                int theirs = places[row] * vocab;
                for (int v = 0; v < vocab; v++) {
                    double difference = Math.abs((double) logits[ours + v] - expected[theirs + v]);
                    max = Math.max(max, difference);                            // NaN stays
                    total += difference;
                }
                positions++;
                if (largest(logits, ours) == largest(expected, theirs)) agreeing++;
            }
        }

        private int largest(float[] logits, int from) {
            int best = 0;
            for (int v = 1; v < vocab; v++) if (logits[from + v] > logits[from + best]) best = v;
            return best;
        }

        LogitsComparison comparison() {
            double values = (double) positions * vocab;
            return new LogitsComparison(positions, max, total / values, (double) agreeing / positions);
        }
    }
}
