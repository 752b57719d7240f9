package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// Keys and values of every token seen so far, so that generation computes each token once. A sequence owns a region of
/// rows in one pair of tensors per layer.
///
/// Rows start as zeros and are written once, so adding to them is writing them. Regions begin at multiples of
/// `ALIGNMENT`: an implementation that walks keys in blocks cuts a sequence into the same blocks in every region.
public final class KvCache implements AutoCloseable {
    private static final int ALIGNMENT = 128;

    private final TensorOps ops;
    private final AttentionSpec attention;
    private final List<Tensor> keys = new ArrayList<>();       // per layer F32 [rows, Hkv*K]
    private final List<Tensor> values = new ArrayList<>();     // per layer F32 [rows, Hkv*K]
    private final int[] begin;
    private final int[] capacity;
    private final int[] length;

    /// @param capacities longest length of each sequence
    public KvCache(TensorOps ops, ModelConfig config, int... capacities) {
        this.ops = ops;
        attention = config.attention();
        capacity = capacities.clone();
        length = new int[capacities.length];
        begin = new int[capacities.length];
        int rows = 0;
        for (int s = 0; s < capacities.length; s++) {
            begin[s] = rows;
            rows = Math.addExact(rows, Math.ceilDiv(capacities[s], ALIGNMENT) * ALIGNMENT);
        }
        for (int layer = 0; layer < config.numLayers(); layer++) {
            keys.add(zeros("cached keys", rows));
            values.add(zeros("cached values", rows));
        }
    }

    private Tensor zeros(String name, int rows) {
        Tensor tensor = ops.allocate(name, DType.F32, Shape.of(rows, attention.keyWidth()));
        ops.fill(tensor, 0f);
        return tensor;
    }

    /// A batch of new tokens and the rows their keys and values go to.
    ///
    /// @param input its key ranges are rows of the cache
    /// @param rows  I32 `[M]`
    public record Step(ModelInput input, Tensor rows) {
        public void release(TensorOps ops) {
            input.release(ops);
            ops.release(rows);
        }
    }

    /// Takes up the next tokens of some sequences; the step is then run with `CausalLm.hidden` exactly once.
    /// Throws: InputException when a sequence grows beyond its capacity.
    public Step append(int[] sequences, int[][] tokens) {
        int total = Stream.of(tokens).mapToInt(added -> added.length).sum();
        int[] ids = new int[total];
        int[] positions = new int[total];
        int[] start = new int[total];
        int[] row = new int[total];
        int i = 0;
        for (int n = 0; n < sequences.length; n++) {
            int s = sequences[n];
            if (length[s] + tokens[n].length > capacity[s]) {
                throw new InputException(("sequence %d grows to %d tokens, but the key-value cache was made for %d; "
                        + "make it larger").formatted(s, length[s] + tokens[n].length, capacity[s]));
            }
            for (int token : tokens[n]) {
                ids[i] = token;
                positions[i] = length[s];
                start[i] = begin[s];
                row[i++] = begin[s] + length[s]++;
            }
        }
        int[] stop = Arrays.stream(row).map(at -> at + 1).toArray();
        Tensor rows = ops.allocate("cache rows", DType.I32, Shape.of(total));
        ops.write(rows, row);
        return new Step(ModelInput.of(ops, ids, positions, start, stop), rows);
    }

    /// Tokens that a sequence has.
    public int length(int sequence) {
        return length[sequence];
    }

    /// Stores a layer's new keys and values and lets its queries see their sequences, or the last of them through a window.
    Tensor attend(int layer, int window, Step step, Tape tape, Tensor q, Tensor k, Tensor v) {
        ops.scatterAddRows(keys.get(layer), k, step.rows());
        ops.scatterAddRows(values.get(layer), v, step.rows());
        return F.attention(tape, q, keys.get(layer), values.get(layer), step.input().start(window), step.input().stop(),
                attention);
    }

    @Override
    public void close() {
        keys.forEach(ops::release);
        values.forEach(ops::release);
        keys.clear();
        values.clear();
    }
}
