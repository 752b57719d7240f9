package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;

/// A low-rank adapter beside a linear layer: adds `scale * (drop(x) aᵀ) bᵀ`.
///
/// @param a       down projection `[R, in]`
/// @param b       up projection `[out, R]`
/// @param scale   alpha / r, or alpha / sqrt(r)
/// @param dropout probability in [0, 1), applied only in training
/// @param stream  number of this adapter's random stream, unique in the model
public record Adapter(Parameter a, Parameter b, float scale, float dropout, int stream) {}
