package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;

/// The low-rank side path of a linear layer: adds `scale * (input Aᵀ) Bᵀ`.
///
/// @param input what the side path reads `[M, in]`: x itself, or x after dropout
/// @param a     down projection `[R, in]`
/// @param b     up projection `[out, R]`
/// @param low   `[M, R]`: forward writes `input Aᵀ` here (unscaled), backward reads it
/// @param scale factor of the update, e.g. alpha / r
public record LowRank(Tensor input, Tensor a, Tensor b, Tensor low, float scale) {}
