package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of the rows of x for each choice of an expert, sorted by expert.
record Dispatch(Tensor output, Tensor x, Tensor tokens, Tensor places) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(x, tokens, places);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.gatherRows(output, x, tokens);
    }

    @Override
    public boolean repeatable() {
        return true;
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        if (grads.wants(x)) {
            Grads.Sink dx = grads.sink(x);
            ops.combineForward(dx.tensor(), dy, places, null, dx.accumulate());
        }
        ops.release(dy);
    }
}
