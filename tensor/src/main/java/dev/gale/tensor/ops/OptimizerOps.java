package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;

/// The updates of optimizers beside AdamW: a part of `TensorOps`, whose rules hold here too.
///
/// In every method param, grad and F32 states are alike in shape, F32; factor is F32 `[1]` or longer and
/// `g = factor[0] * grad`; hyper is F32, holds what changes from step to step, and gives the names in the formulas their
/// values in the order that a method names. Writes: param and states in place.
public interface OptimizerOps {

    /// `p *= 1 - lr * wd; p -= lr * sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g`; the sign of 0 is 0.
    /// hyper `[4]` = lr, b1, b2, wd. Source: Chen et al. 2023, arXiv 2302.06675, algorithm 2.
    void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor);

    /// `d = g + wd * p; m = mu * m + d; p -= lr * m`; without m (null) `p -= lr * d`.
    /// hyper `[3]` = lr, mu, wd. Source: torch.optim.SGD.
    void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor);

    /// AdamW without a schedule, at the point y where gradients are taken; the averaged point x is
    /// `y + (1 - 1 / b1) * (z - y)`: `v = b2 v + (1 - b2) g^2; u = g / (sqrt(v / (1 - b2^t)) + eps) + wd * y;
    /// y += c * (z - y) + lr * (b1 * (1 - c) - 1) * u; z -= lr * u`.
    /// hyper `[7]` = lr, b1, b2, eps, wd, c, 1 - b2^t. Source: Defazio et al. 2024, arXiv 2405.15682, algorithm 1;
    /// schedulefree.AdamWScheduleFree.
    void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor);

    /// Adafactor without a first moment. For matrices, rows r and columns c: `s = g^2 + eps;
    /// rows = b rows + (1 - b) mean_c(s); cols = b cols + (1 - b) mean_r(s);
    /// u = g * sqrt(mean_r(rows) / rows[r]) / sqrt(cols[c])`. Without cols (null): `rows = b rows + (1 - b) s;
    /// u = g / sqrt(rows)`, rows alike to param. Then `u /= max(1, rms(u) / clip); p *= 1 - lr * wd; p -= lr * u`.
    /// Shapes: param `[R, C]`, rows `[R]`, cols `[C]`; hyper `[5]` = lr, b, eps, clip, wd.
    /// Source: Shazeer & Stern 2018, arXiv 1804.04235, algorithm 4; transformers.Adafactor.
    void adafactor(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor);

    /// AdamW with moments in 8 bits, m signed and v unsigned: `m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    /// p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + sqrt(1 - b2^t) * eps)`, then `p *= 1 - lr * wd`; then
    /// each block's absmax is found and each moment gets its nearest code, m never one of the other sign.
    /// Where grad is not finite, p stays and the moments become 0: the one place where NaN does not spread.
    /// hyper `[7]` = lr, b1, b2, eps, wd, 1 - b1^t, 1 - b2^t. Source: Dettmers et al. 2021, arXiv 2110.02861;
    /// bitsandbytes, `kOptimizerStatic8bit2StateBlockwise`.
    void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor);

    /// `lion` with m in 8 bits, as `adamW8bit` keeps its m; where grad is not finite, p stays and m becomes 0.
    /// hyper `[4]` = lr, b1, b2, wd. Source: as `lion`; bitsandbytes, `kOptimizerStatic8bit1StateBlockwise`.
    void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor);
}
