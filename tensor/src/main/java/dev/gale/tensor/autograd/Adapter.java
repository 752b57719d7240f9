package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;

/// A low-rank adapter beside a linear layer: adds `scale * ((drop(x) aᵀ) bᵀ + bias)`.
///
/// @param a         down projection `[R, in]`
/// @param b         up projection `[out, R]`
/// @param bias      of b, `[out]`; null for most
/// @param magnitude makes the layer a weight-decomposed one; null for most, and where there is a bias
/// @param scale     alpha / r, or alpha / sqrt(r)
/// @param dropout   probability in [0, 1), applied only in training
/// @param stream    number of this adapter's random stream, unique in the model
public record Adapter(Parameter a, Parameter b, Parameter bias, Magnitude magnitude, float scale, float dropout, int stream) {

    /// Lengths of the rows of an adapted weight.
    ///
    /// @param length   what they are made, F32 `[out]`
    /// @param baseNorm what they are in the layer's own weight, F32 `[out]`
    public record Magnitude(Parameter length, Tensor baseNorm) {}

    public Adapter {
        if (bias != null && magnitude != null) throw new IllegalArgumentException("a magnitude goes without a bias");
    }

    /// One that is a and b alone.
    public Adapter(Parameter a, Parameter b, float scale, float dropout, int stream) {
        this(a, b, null, null, scale, dropout, stream);
    }
}
