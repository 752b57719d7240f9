package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.gatherRows` on a weight.
record Embedding(Tensor output, Parameter table, Tensor ids) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of();
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(table);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(ids);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.gatherRows(output, table.value(), ids);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        ops.scatterAddRows(grads.of(table), dy, ids);
        ops.release(dy);
    }
}
