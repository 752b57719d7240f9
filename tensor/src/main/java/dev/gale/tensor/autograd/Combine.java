package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.List;

/// Node of `ExpertOps.combineForward`, added to a residual. places may be null.
record Combine(Tensor output, Tensor x, Tensor places, Tensor weights, Tensor residual) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(x, weights, residual);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        List<Tensor> saved = new ArrayList<>(List.of(weights));
        if (places != null) saved.add(places);
        if (grads.wants(weights)) saved.add(x);
        return saved;
    }

    @Override
    public void forward(TensorOps ops) {
        ops.copy(output, residual);
        ops.combineForward(output, x, places, weights, true);
    }

    @Override
    public void forwardForBackward(TensorOps ops) {}

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Tensor dx = grads.wants(x) ? grads.like(x) : null;
        Tensor dWeights = grads.wants(weights) ? grads.like(weights) : null;
        if (dx != null || dWeights != null) ops.combineBackward(dx, dWeights, dy, x, places, weights);
        if (dx != null) grads.give(x, dx);
        if (dWeights != null) grads.give(weights, dWeights);
        grads.giveIfWanted(residual, dy);
    }
}
