package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.RouteSpec;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `ExpertOps.routeForward`: its output are the weights.
record Route(Tensor output, Tensor experts, Tensor logits, RouteSpec spec) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(logits);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(logits, experts);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.routeForward(output, experts, logits, spec);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Tensor dLogits = grads.like(logits);
        ops.routeBackward(dLogits, dy, experts, logits, spec);
        ops.release(dy);
        grads.giveIfWanted(logits, dLogits);
    }
}
