package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;

/// `y = x / sqrt(mean(x^2) + eps) * w`, over the last dimension.
///
/// @param weight w `[D]`
/// @param eps    added to the mean square
public record RmsNorm(Parameter weight, float eps) {
    /// Shapes: x, y `[M, D]`.
    public Tensor forward(Tape tape, Tensor x) {
        return F.rmsNorm(tape, x, weight, eps);
    }
}
