package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;
import java.util.List;

/// Makes rows alike in size.
interface Norm {
    /// Shapes: x and the result `[M, D]`.
    Tensor forward(Tape tape, Tensor x);

    List<Parameter> parameters();

    /// The norm of rows of `width` elements.
    ///
    /// @param path module path; LayerNorm has a bias beside its weight
    static Norm of(NormKind kind, WeightSource weights, String path, int width, double eps) {
        Parameter weight = DecoderLayer.parameter(weights, path + ".weight", width);
        return switch (kind) {
            case RMS -> new RmsNorm(weight, (float) eps, 0f);
            case SHIFTED_RMS -> new RmsNorm(weight, (float) eps, 1f);
            case LAYER -> new LayerNorm(weight, DecoderLayer.parameter(weights, path + ".bias", width), (float) eps);
        };
    }
}
