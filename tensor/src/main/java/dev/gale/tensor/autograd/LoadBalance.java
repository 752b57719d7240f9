package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of the load-balancing loss of `ExpertOps.balanceForward`. Forward adds this layer's share to the sums of the batch; a
/// layer that is run again has done so already, and backward reads what all layers added.
record LoadBalance(Experts.Balance balance, Tensor experts, Tensor logits) implements Op {
    @Override
    public Tensor output() {
        return null;
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(logits);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(logits);
    }

    @Override
    public boolean once() {
        return true;
    }

    @Override
    public void forward(TensorOps ops) {
        ops.balanceForward(balance.sums(), experts, logits, balance.present());
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Grads.Sink dLogits = grads.sink(logits);
        ops.balanceBackward(dLogits.tensor(), balance.sums(), logits, balance.present(), balance.factor(), experts.cols(),
                dLogits.accumulate());
    }
}
