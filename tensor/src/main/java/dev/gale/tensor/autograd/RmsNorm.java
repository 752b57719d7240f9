package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.rmsNormForward`.
record RmsNorm(Tensor output, Tensor rstd, Tensor x, Parameter weight, float eps, float shift) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(weight);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(x, rstd);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.rmsNormForward(output, rstd, x, weight.value(), eps, shift);
    }

    @Override
    public boolean repeatable() {
        return true;
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Tensor dw = weight.trainable() ? grads.of(weight) : null;
        if (!grads.wants(x)) {
            ops.rmsNormBackward(null, false, dw, dy, x, weight.value(), rstd, shift);
            ops.release(dy);
        } else if (grads.peek(x) == null) {                 // dy becomes dx in place
            ops.rmsNormBackward(dy, false, dw, dy, x, weight.value(), rstd, shift);
            grads.give(x, dy);
        } else {
            ops.rmsNormBackward(grads.peek(x), true, dw, dy, x, weight.value(), rstd, shift);
            ops.release(dy);
        }
    }
}
