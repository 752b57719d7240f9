package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// A segment that treats each row alone, run a number of rows at a time: what it makes inside is there for these rows only.
/// Backward runs it again, tile after tile.
/// Source: Bekman et al. 2025, arXiv 2506.13996, tiled MLP.
///
/// @param output     of the shape of x
/// @param parameters of the segment
/// @param rows       of a tile; the last one may have fewer
record Tiled(Tape tape, TiledSegment segment, Tensor x, Tensor output, List<Parameter> parameters, int rows) implements Op {

    /// Called with the number of each tile.
    @FunctionalInterface
    private interface EachTile {
        void run(int number, int from, int count);
    }

    private void each(EachTile work) {
        for (int from = 0, number = 0; from < x.rows(); from += rows, number++) {
            work.run(number, from, Math.min(rows, x.rows() - from));
        }
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(x);
    }

    @Override
    public void forward(TensorOps ops) {
        each((number, from, count) ->
                tape.forwardTile(segment.of(number), ops.rows(output, from, count), ops.rows(x, from, count)));
    }

    /// Nothing of it is saved.
    @Override
    public void forwardForBackward(TensorOps ops) {}

    /// The gradient of x takes the place of that of the output.
    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        boolean wanted = grads.wants(x);
        each((number, from, count) ->
                tape.backwardTile(segment.of(number), ops.rows(x, from, count), ops.rows(dy, from, count), wanted));
        grads.giveIfWanted(x, dy);
    }
}
