package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `y = a + scale * b`.
record Add(Tensor output, Tensor a, Tensor b, float scale) implements Op {
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
        if (scale == 1) {
            ops.add(output, a, b);
        } else {
            ops.copy(output, a);
            ops.addScaled(output, b, scale);
        }
    }

    @Override
    public void forwardForBackward(TensorOps ops) {}

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        if (grads.wants(a)) grads.accumulate(a, dy);
        if (scale != 1) ops.scale(dy, dy, scale, 0f);
        grads.giveIfWanted(b, dy);
    }
}
