package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import java.util.List;

/// `y = x / sqrt(mean(x^2) + eps) * (shift + w)`, over each D elements of a row.
///
/// @param weight w `[D]`
/// @param eps    added to the mean square
/// @param shift  added to the weight: 0, or 1 in models of Gemma
record RmsNorm(Parameter weight, float eps, float shift) implements Norm {
    /// Shapes: x, y `[M, n * D]`.
    @Override
    public Tensor forward(Tape tape, Tensor x) {
        return F.rmsNorm(tape, x, weight, eps, shift);
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(weight);
    }
}
