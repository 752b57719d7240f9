package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// One differentiable operation of a forward pass, a record: its components are what forward writes and backward may
/// read. The tape keeps `saved()` alive until `backward` has run, and nothing else.
public interface Op {

    /// The tensor that forward makes; null when it changes its inputs in place, or is a loss.
    Tensor output();

    /// Activations into which gradients may flow.
    List<Tensor> inputs();

    /// Weights into which gradients may flow.
    default List<Parameter> parameters() {
        return List.of();
    }

    /// Tensors that backward reads, given which inputs and parameters want gradients.
    List<Tensor> saved(Grads grads);

    void forward(TensorOps ops);

    /// As `forward`, where nobody reads `output()`: makes at least those of `saved()` that `forward` writes.
    default void forwardForBackward(TensorOps ops) {
        forward(ops);
    }

    /// True when `forward` costs little beside keeping its output, and may be run again to make it from `saved()`.
    default boolean repeatable() {
        return false;
    }

    /// True when `forward` adds to what lies outside of the tape: it is not run again where a segment is.
    default boolean once() {
        return false;
    }

    /// Adds this operation's share to the gradients of its inputs and parameters.
    /// @param dy gradient of `output()`, this operation's own now: it gives it on (`Grads.give`) or releases it;
    ///           null when the output is null
    void backward(TensorOps ops, Tensor dy, Grads grads);
}
