package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `y = factor * x`.
record Scale(Tensor output, Tensor x, float factor) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of();
    }

    @Override
    public void forward(TensorOps ops) {
        ops.scale(output, x, factor, 0f);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        ops.scale(dy, dy, factor, 0f);
        grads.giveIfWanted(x, dy);
    }
}
