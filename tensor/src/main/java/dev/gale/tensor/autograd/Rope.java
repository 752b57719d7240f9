package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.rope`: rotates q and k in place, and their gradients back in place.
record Rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec) implements Op {
    @Override
    public Tensor output() {
        return null;
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(q, k);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(cos, sin, positions);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.rope(q, k, cos, sin, positions, spec, false);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        ops.rope(grads.peek(q), grads.peek(k), cos, sin, positions, spec, true);
    }
}
