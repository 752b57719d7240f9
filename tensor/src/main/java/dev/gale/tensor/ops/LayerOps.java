package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;

/// What layers of other families than Llama are made of: a part of `TensorOps`, whose rules hold here too.
public interface LayerOps {

    /// `y = softcap(factor * x)`, `softcap(z) = cap * tanh(z / cap)` when cap is positive, else z.
    /// Shapes: y and x alike. Writes: `=`; y may be x. Without a cap it is its own backward: apply it to dy.
    void scale(Tensor y, Tensor x, float factor, float cap);

    /// Copies blocks of columns: for every block b and column c < width,
    /// `dst[r, to + b * toStep + c] = src[r, from + b * fromStep + c]`; a fromStep of 0 repeats one block, a toStep of 0 sums
    /// blocks, in order of b. Other columns of dst stay. With source and destination exchanged it is the backward.
    /// Shapes: dst, src `[M, any]`. Writes: `=` or, with accumulate, `+=`.
    void copyColumns(Tensor dst, Tensor src, Columns columns, boolean accumulate);

    /// `y[r,c] = (x[r,c] - mean[r]) * rstd[r] * w[c] + bias[c]`, `rstd[r] = 1 / sqrt(mean_c((x[r,c] - mean[r])^2) + eps)`.
    /// Shapes: x, y `[M, n * D]`, seen as `[M * n, D]`, w, bias `[D]`, mean, rstd F32 `[M * n]`, for backward. Writes: `=`.
    /// Source: Ba et al. 2016, arXiv 1607.06450.
    void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps);

    /// With `xhat = (x - mean) * rstd`, `g = dy * w`: `dx = rstd * (g - mean_c(g) - xhat * mean_c(g * xhat))`,
    /// `dw += sum_r dy * xhat`, `dBias += sum_r dy`.
    /// Shapes as forward; dw, dBias F32 `[D]`, each null when frozen; dx null when not needed.
    /// Writes: dx `=` or, with accumulate, `+=`; dw, dBias `+=`. dx may be dy when not accumulating.
    void layerNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w, Tensor mean,
            Tensor rstd);
}
