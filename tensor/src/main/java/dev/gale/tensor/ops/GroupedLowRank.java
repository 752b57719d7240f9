package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;
import java.util.List;

/// The low-rank side paths of the linear layers of experts: `scale * (input[j] a[e]ᵀ) b[e]ᵀ` for each row j of expert e. Of an
/// expert without an adapter a and b are null, and there is nothing to add.
///
/// @param input what the side paths read `[N, in]`: x itself, or x after dropout
/// @param a     down projections `[R, in]`
/// @param b     up projections `[out, R]`
/// @param low   `[N, R]`: forward writes `input[j] a[e]ᵀ` here (unscaled; 0 without an adapter), backward reads it
/// @param scale factor of the updates, e.g. alpha / r
public record GroupedLowRank(Tensor input, List<Tensor> a, List<Tensor> b, Tensor low, float scale) {}
