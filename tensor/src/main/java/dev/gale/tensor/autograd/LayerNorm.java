package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.layerNormForward`.
record LayerNorm(Tensor output, Tensor mean, Tensor rstd, Tensor x, Parameter weight, Parameter bias, float eps) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(weight, bias);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(x, mean, rstd);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.layerNormForward(output, mean, rstd, x, weight.value(), bias.value(), eps);
    }

    @Override
    public boolean repeatable() {
        return true;
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Tensor dw = weight.trainable() ? grads.of(weight) : null;
        Tensor dBias = bias.trainable() ? grads.of(bias) : null;
        if (!grads.wants(x)) {
            ops.layerNormBackward(null, false, dw, dBias, dy, x, weight.value(), mean, rstd);
            ops.release(dy);
        } else if (grads.peek(x) == null) {                 // dy becomes dx in place
            ops.layerNormBackward(dy, false, dw, dBias, dy, x, weight.value(), mean, rstd);
            grads.give(x, dy);
        } else {
            ops.layerNormBackward(grads.peek(x), true, dw, dBias, dy, x, weight.value(), mean, rstd);
            ops.release(dy);
        }
    }
}
