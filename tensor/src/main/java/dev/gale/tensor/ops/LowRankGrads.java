package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;

/// Where the gradients of a low-rank side path go; a null component is not computed.
///
/// @param dA     `[R, in]`, `+=`
/// @param dB     `[out, R]`, `+=`
/// @param dLow   `[M, R]` scratch, overwritten with `scale * dy B`
/// @param dInput `[M, in]`, `=` when given; when null the side path's share is added to dx, which is right
///               whenever the side path read x itself
public record LowRankGrads(Tensor dA, Tensor dB, Tensor dLow, Tensor dInput) {}
