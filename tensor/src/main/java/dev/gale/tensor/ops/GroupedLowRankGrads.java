package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;
import java.util.List;

/// Where the gradients of the low-rank side paths of experts go; a null component is not computed, nor are those of experts
/// that are null in a list.
///
/// @param dA     `[R, in]`, `+=`
/// @param dB     `[out, R]`, `+=`
/// @param dLow   `[N, R]` scratch, overwritten with `scale * dy[j] b[e]`
/// @param dInput `[N, in]`, `=` when given; when null the side paths' share is added to dx, which is right whenever they read x
///               itself
public record GroupedLowRankGrads(List<Tensor> dA, List<Tensor> dB, Tensor dLow, Tensor dInput) {}
