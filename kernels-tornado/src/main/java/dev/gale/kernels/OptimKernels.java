package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Gradient norm, clipping, AdamW. What changes from step to step is read from device memory.
///
/// Every kernel takes a range of tensors that lie one behind the other as well as one tensor.
public final class OptimKernels {
    private OptimKernels() {}

    /// First half of a sum of squares: `partial[g] = sum of x_i^2` over the share of work-group g, which is every
    /// `groups * 256`-th run of 256 elements.
    /// Shapes: partial F32 `[groups]`, x `[n]`, F32 or BF16.
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
}
