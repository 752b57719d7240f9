package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `y = a + b`.
record Add(Tensor output, Tensor a, Tensor b) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(a, b);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of();
    }

    @Override
    public void forward(TensorOps ops) {
        ops.add(output, a, b);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        if (grads.wants(a)) grads.accumulate(a, dy);
        grads.giveIfWanted(b, dy);
    }
}
