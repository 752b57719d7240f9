package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.gatherRows` on a table of which only some rows learn, which stand in it.
///
/// @param rows  those rows, `[n, D]`
/// @param slots I32 `[M]`, which of the rows each id means, or -1
record PartlyTrainedEmbedding(Tensor output, Parameter table, Tensor ids, Parameter rows, Tensor slots) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of();
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(rows);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(slots);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.gatherRows(output, table.value(), ids);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        ops.scatterAddRows(grads.of(rows), dy, slots);
        ops.release(dy);
    }
}
