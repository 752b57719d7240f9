package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Gradient norm, clipping, and updates with F32 states. What changes from step to step is read from device memory.
///
/// Every kernel takes a range of tensors that lie one behind the other as well as one tensor.
public final class OptimKernels {
    private OptimKernels() {}

    /// First half of a sum of squares: `partial[g] = sum of x_i^2` over the share of work-group g, which is every
    /// `groups * 256`-th run of 256 elements.
    /// Shapes: partial F32 `[groups]`, x `[n]`, F32, BF16 or F16.
    /// Launch: any number of work-groups, given as groups too, of `Elements.GROUP` threads; 1 KB of local memory. Take
    /// it from n alone, `squareGroups(n)`.
    /// Numerics: a thread sums its elements in order, then a tree; F32, deterministic. Writes: `=`.
    public static void partialSquares(KernelContext context, IntArray table, int slot,
            FloatArray partial, FloatArray x, ShortArray xHalf, int xType, int n, int groups) {
        int xAt = table.get(slot + 1);
        float squares = 0f;
        for (int i = context.globalIdx; i < n; i += groups * Elements.GROUP) {
            float value = Elements.get(x, xHalf, xType, xAt + i);
            squares += value * value;
        }
        float total = Reduce.sum(context, squares);
        if (context.localIdx == 0) partial.set(table.get(slot) + context.groupIdx, total);
    }

    /// How many work-groups `partialSquares` takes for n elements: 16 elements a thread, but no more than 1024 groups.
    public static int squareGroups(int n) {
        return Math.clamp(Math.ceilDiv(n, 16 * Elements.GROUP), 1, 1024);
    }

    /// Second half: `sum[0] += partial[0] + partial[1] + ...`.
    /// Shapes: sum F32 `[1]`, partial F32 `[groups]`.
    /// Launch: one work-group of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: as `partialSquares`. Writes: `+=`.
    public static void addPartials(KernelContext context, IntArray table, int slot,
            FloatArray sum, FloatArray partial, int groups) {
        int sumAt = table.get(slot);
        int partialAt = table.get(slot + 1);
        float share = 0f;
        for (int g = context.localIdx; g < groups; g += Elements.GROUP) share += partial.get(partialAt + g);
        float total = Reduce.sum(context, share);
        if (context.localIdx == 0) sum.set(sumAt, sum.get(sumAt) + total);
    }

    /// `out[1] = norm = sqrt(sumSquares) / tokens`, `out[0] = min(1, maxNorm / (norm + 1e-6)) / tokens`; maxNorm <= 0
    /// does not clip.
    /// Shapes: out F32 `[2]`; sumSquares, tokens F32 `[1]`. Launch: one work-group of any size; its first thread works.
    /// Numerics: a NaN norm gives a NaN factor. Writes: `=`. Source: torch.nn.utils.clip_grad_norm_.
    public static void clipFactor(KernelContext context, IntArray table, int slot,
            FloatArray out, FloatArray sumSquares, FloatArray tokens, float maxNorm) {
        if (context.globalIdx == 0) {
            int outAt = table.get(slot);
            float count = tokens.get(table.get(slot + 2));
            float norm = TornadoMath.sqrt(sumSquares.get(table.get(slot + 1))) / count;
            float clip = 1f;
            if (maxNorm > 0f) {
                clip = maxNorm / (norm + 1e-6f);
                if (clip > 1f) clip = 1f;
            }
            out.set(outAt, clip / count);
            out.set(outAt + 1, norm);
        }
    }

    /// AdamW with decoupled weight decay: `g = factor[0] * grad; p *= 1 - lr * wd; m = b1 m + (1 - b1) g;
    /// v = b2 v + (1 - b2) g^2; p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`.
    /// Shapes: param, grad, m, v F32 `[n]`, one tensor or ranges of arenas laid out alike; hyper F32 `[7]` = lr, b1,
    /// b2, eps, wd, 1 - b1^t, 1 - b2^t; factor F32 `[1]` or longer.
    /// Launch: `ceil(n / 256)` work-groups of `Elements.GROUP` threads, an element a thread: it has four reads to wait
    /// for. Numerics: F32. Writes: param, m, v in place.
    /// Source: Loshchilov & Hutter 2017, arXiv 1711.05101; torch.optim.AdamW.
    public static void adamW(KernelContext context, IntArray table, int slot,
            FloatArray param, FloatArray grad, FloatArray m, FloatArray v, FloatArray hyper, FloatArray factor,
            int n) {
        int hyperAt = table.get(slot + 4);
        float lr = hyper.get(hyperAt);
        float beta1 = hyper.get(hyperAt + 1);
        float beta2 = hyper.get(hyperAt + 2);
        float eps = hyper.get(hyperAt + 3);
        float keep = 1f - lr * hyper.get(hyperAt + 4);
        float step = lr / hyper.get(hyperAt + 5);
        float correction = TornadoMath.sqrt(hyper.get(hyperAt + 6));
        float scale = factor.get(table.get(slot + 5));
        int i = context.globalIdx;
        if (i < n) {
            int paramAt = table.get(slot) + i;
            int mAt = table.get(slot + 2) + i;
            int vAt = table.get(slot + 3) + i;
            float g = scale * grad.get(table.get(slot + 1) + i);
            float first = beta1 * m.get(mAt) + (1f - beta1) * g;
            float second = beta2 * v.get(vAt) + (1f - beta2) * g * g;
            float decayed = param.get(paramAt) * keep;
            m.set(mAt, first);
            v.set(vAt, second);
            param.set(paramAt, decayed - step * first / (TornadoMath.sqrt(second) / correction + eps));
        }
    }

    /// `g = factor[0] * grad; p *= 1 - lr * wd; p -= lr * sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g`.
    /// Shapes: param, grad, m F32 `[n]`; hyper F32 `[4]` = lr, b1, b2, wd; factor F32 `[1]` or longer.
    /// Launch and numerics: as `adamW`. Writes: param, m in place. Source: Chen et al. 2023, arXiv 2302.06675.
    public static void lion(KernelContext context, IntArray table, int slot,
            FloatArray param, FloatArray grad, FloatArray m, FloatArray hyper, FloatArray factor, int n) {
        int hyperAt = table.get(slot + 3);
        float lr = hyper.get(hyperAt);
        float beta1 = hyper.get(hyperAt + 1);
        float beta2 = hyper.get(hyperAt + 2);
        float keep = 1f - lr * hyper.get(hyperAt + 3);
        float scale = factor.get(table.get(slot + 4));
        int i = context.globalIdx;
        if (i < n) {
            int paramAt = table.get(slot) + i;
            int mAt = table.get(slot + 2) + i;
            float g = scale * grad.get(table.get(slot + 1) + i);
            float mean = m.get(mAt);
            float kept = param.get(paramAt) * keep;
            m.set(mAt, beta2 * mean + (1f - beta2) * g);
            param.set(paramAt, kept - lr * sign(beta1 * mean + (1f - beta1) * g));
        }
    }

    /// 1, -1, or x itself if it is 0 or NaN.
    static float sign(float x) {
        float sign = x;
        if (x > 0f) sign = 1f;
        if (x < 0f) sign = -1f;
        return sign;
    }

    /// `d = factor[0] * grad + wd * p; m = mu * m + d; p -= lr * m`; without m, `p -= lr * d`.
    /// Shapes: param, grad, m F32 `[n]`; hyper F32 `[3]` = lr, mu, wd; factor F32 `[1]` or longer.
    /// Launch and numerics: as `adamW`. Writes: param, m in place. Source: torch.optim.SGD.
    ///
    /// @param momentum 1 with m, 0 where anything may stand for it
    public static void sgd(KernelContext context, IntArray table, int slot,
            FloatArray param, FloatArray grad, FloatArray m, FloatArray hyper, FloatArray factor, int momentum, int n) {
        int hyperAt = table.get(slot + 3);
        float lr = hyper.get(hyperAt);
        float mu = hyper.get(hyperAt + 1);
        float weightDecay = hyper.get(hyperAt + 2);
        float scale = factor.get(table.get(slot + 4));
        int i = context.globalIdx;
        if (i < n) {
            int paramAt = table.get(slot) + i;
            float before = param.get(paramAt);
            float change = scale * grad.get(table.get(slot + 1) + i) + weightDecay * before;
            if (momentum == 1) {
                int mAt = table.get(slot + 2) + i;
                change = mu * m.get(mAt) + change;
                m.set(mAt, change);
            }
            param.set(paramAt, before - lr * change);
        }
    }

    /// `g = factor[0] * grad; v = b2 v + (1 - b2) g^2; u = g / (sqrt(v / (1 - b2^t)) + eps) + wd * y;
    /// y += c * (z - y) + lr * (b1 * (1 - c) - 1) * u; z -= lr * u`.
    /// Shapes: y, grad, z, v F32 `[n]`; hyper F32 `[7]` = lr, b1, b2, eps, wd, c, 1 - b2^t; factor F32 `[1]` or longer.
    /// Launch and numerics: as `adamW`. Writes: y, z, v in place. Source: Defazio et al. 2024, arXiv 2405.15682.
    public static void scheduleFreeAdamW(KernelContext context, IntArray table, int slot,
            FloatArray y, FloatArray grad, FloatArray z, FloatArray v, FloatArray hyper, FloatArray factor, int n) {
        int hyperAt = table.get(slot + 4);
        float lr = hyper.get(hyperAt);
        float beta2 = hyper.get(hyperAt + 2);
        float eps = hyper.get(hyperAt + 3);
        float weightDecay = hyper.get(hyperAt + 4);
        float c = hyper.get(hyperAt + 5);
        float pull = lr * (hyper.get(hyperAt + 1) * (1f - c) - 1f);
        float correction = hyper.get(hyperAt + 6);
        float scale = factor.get(table.get(slot + 5));
        int i = context.globalIdx;
        if (i < n) {
            int yAt = table.get(slot) + i;
            int zAt = table.get(slot + 2) + i;
            int vAt = table.get(slot + 3) + i;
            float g = scale * grad.get(table.get(slot + 1) + i);
            float second = beta2 * v.get(vAt) + (1f - beta2) * g * g;
            float here = y.get(yAt);
            float there = z.get(zAt);
            float change = g / (TornadoMath.sqrt(second / correction) + eps) + weightDecay * here;
            v.set(vAt, second);
            y.set(yAt, here + c * (there - here) + pull * change);
            z.set(zAt, there - lr * change);
        }
    }
}
