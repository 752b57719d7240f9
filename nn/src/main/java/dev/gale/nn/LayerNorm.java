package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import java.util.List;

/// `y = (x - mean(x)) / sqrt(var(x) + eps) * w + bias`, over the last dimension.
///
/// @param weight w `[D]`
/// @param bias   `[D]`
/// @param eps    added to the variance
record LayerNorm(Parameter weight, Parameter bias, float eps) implements Norm {
    @Override
    public Tensor forward(Tape tape, Tensor x) {
        return F.layerNorm(tape, x, weight, bias, eps);
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(weight, bias);
    }
}
