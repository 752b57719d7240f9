package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Experts;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import java.util.stream.IntStream;

/// A batch of M tokens on the device, all sequences side by side; where sequences begin and end is data.
///
/// @param ids       token ids, I32 `[M]`
/// @param positions place of each token in its sequence, from 0, I32 `[M]`
/// @param start     first key row that each token attends to, I32 `[M]`
/// @param stop      one past the last key row that each token attends to, I32 `[M]`
/// @param rng       states of the random numbers, I32 `[T, 4]`: seed low, seed high, optimizer step, micro-batch; the first one
///                  for the whole batch, the others for parts of it
/// @param length    one more than the largest position: what must fit into the model's context
/// @param windows   where keys begin for layers with a sliding window
/// @param slots     which of the tokens that learn each token is
/// @param balance   where the choices of experts are added up, or null: see `RouterLoss`
public record ModelInput(Tensor ids, Tensor positions, Tensor start, Tensor stop, Tensor rng, int length, KeyWindows windows,
                         TokenSlots slots, Experts.Balance balance) {

    /// Sequences packed side by side: each token sees its own sequence up to itself.
    /// Throws: InputException when there is no token at all.
    public static ModelInput of(TensorOps ops, int[]... sequences) {
        int[] ids = IntStream.range(0, sequences.length).flatMap(s -> IntStream.of(sequences[s])).toArray();
        int[] positions = new int[ids.length];
        int[] start = new int[ids.length];
        int row = 0;
        for (int[] sequence : sequences) {
            int begin = row;
            for (int i = 0; i < sequence.length; i++, row++) {
                positions[row] = i;
                start[row] = begin;
            }
        }
        return of(ops, ids, positions, start, IntStream.rangeClosed(1, ids.length).toArray());
    }

    /// A batch whose positions and key ranges are given, one entry per token.
    public static ModelInput of(TensorOps ops, int[] ids, int[] positions, int[] start, int[] stop) {
        if (ids.length == 0) throw new InputException("a model input has no tokens; give at least one");
        int length = IntStream.of(positions).max().orElseThrow() + 1;
        return new ModelInput(upload(ops, "ids", ids), upload(ops, "positions", positions), upload(ops, "start", start),
                upload(ops, "stop", stop), states(ops), length, new KeyWindows(ops, start, stop), new TokenSlots(ops, ids),
                null);
    }

    private static Tensor upload(TensorOps ops, String name, int[] values) {
        Tensor tensor = ops.allocate(name, DType.I32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    private static Tensor states(TensorOps ops) {
        Tensor states = ops.allocate("rng", DType.I32, Shape.of(ActivationMemory.MOST_SHARDS, 4));
        ops.write(states, new int[4 * ActivationMemory.MOST_SHARDS]);
        return states;
    }

    /// Sets the state of the random numbers, so that dropout differs from step to step and comes back after a resume.
    public void seed(TensorOps ops, long seed, int step, int microBatch) {
        int[] states = new int[4 * ActivationMemory.MOST_SHARDS];
        for (int i = 0; i < ActivationMemory.MOST_SHARDS; i++) {
            int[] state = {(int) seed, (int) (seed >>> 32) ^ i, step, microBatch};
            System.arraycopy(state, 0, states, 4 * i, 4);
        }
        ops.write(rng, states);
    }

    /// The same batch for work on a part of its tokens: with random numbers of that part.
    ///
    /// @param number from 0 to `ActivationMemory.MOST_SHARDS` - 1
    /// @param from   first row of the part
    ModelInput part(TensorOps ops, int number, int from, int count) {
        Experts.Balance own = balance == null ? null
                : new Experts.Balance(balance.sums(), balance.factor(), ops.rows(balance.present(), from, count));
        return new ModelInput(ids, positions, start, stop, ops.rows(rng, number, 1), length, windows, slots, own);
    }

    ModelInput with(Experts.Balance other) {
        return new ModelInput(ids, positions, start, stop, rng, length, windows, slots, other);
    }

    /// First key row that each token sees in a layer with that window; 0 is none.
    Tensor start(int window) {
        return window == 0 ? start : windows.start(window);
    }

    /// Number of tokens M.
    public int tokens() {
        return Math.toIntExact(ids.size());
    }

    /// Gives the device memory back.
    public void release(TensorOps ops) {
        List.of(ids, positions, start, stop, rng).forEach(ops::release);
        windows.release();
        slots.release();
    }
}
