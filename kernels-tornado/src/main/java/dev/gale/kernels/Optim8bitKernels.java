package dev.gale.kernels;

import dev.gale.tensor.quant.Dynamic8;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// Updates whose states are kept in 8 bits: see `Dynamic8`.
///
/// Codes are seen as words of four, the first one lowest; a word at the end may be in part another's, who has no use for it.
/// `values` holds what codes stand for, F32 `[512]`: the signed values and the unsigned ones.
/// Launch: one work-group of `Elements.GROUP` threads for a block of `Dynamic8.BLOCK` elements, which is as many; 4 KB of
/// local memory, 2 KB with one state. Numerics: F32; which of two values is nearer is found by halving.
public final class Optim8bitKernels {
    /// Where the unsigned values begin.
    private static final int UNSIGNED = Dynamic8.CODES;

    private Optim8bitKernels() {}

    /// `g = factor[0] * grad; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    /// p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + sqrt(1 - b2^t) * eps); p *= 1 - lr * wd`; where grad is not
    /// finite, m and v become 0 and p stays.
    /// Shapes: param, grad F32 `[n]`; m, v codes `[ceil(n / 4)]` words; their absmax F32 `[ceil(n / 256)]`; hyper F32 `[7]` =
    /// lr, b1, b2, eps, wd, 1 - b1^t, 1 - b2^t; factor F32 `[1]` or longer. Writes: param, m, v in place.
    /// Source: Dettmers et al. 2021, arXiv 2110.02861; bitsandbytes, `kOptimizerStatic8bit2StateBlockwise`.
    public static void adamW8bit(KernelContext context, IntArray table, int slot, FloatArray param, FloatArray grad,
            IntArray m, FloatArray mAbsmax, IntArray v, FloatArray vAbsmax, FloatArray hyper, FloatArray factor,
            FloatArray values, int n) {
        int[] mCodes = context.allocateIntLocalArray(Elements.GROUP);
        int[] vCodes = context.allocateIntLocalArray(Elements.GROUP);
        int[] pin = new int[2];                      // keeps reads where they stand: see Reduce
        int hyperAt = table.get(slot + 6);
        float lr = hyper.get(hyperAt);
        float beta1 = hyper.get(hyperAt + 1);
        float beta2 = hyper.get(hyperAt + 2);
        float root = TornadoMath.sqrt(hyper.get(hyperAt + 6));
        float eps = root * hyper.get(hyperAt + 3);
        float keep = 1f - lr * hyper.get(hyperAt + 4);
        float step = lr * root / hyper.get(hyperAt + 5);
        float scale = factor.get(table.get(slot + 7));
        int valuesAt = table.get(slot + 8);
        int block = context.groupIdx;
        int thread = context.localIdx;
        int i = block * Elements.GROUP + thread;
        int last = Math.min(i, n - 1);
        float raw = grad.get(table.get(slot + 1) + last);
        float g = scale * raw;
        float first = number(m, table.get(slot + 2), last, values, valuesAt) * mAbsmax.get(table.get(slot + 3) + block);
        float second = number(v, table.get(slot + 4), last, values, valuesAt + UNSIGNED)
                * vAbsmax.get(table.get(slot + 5) + block);
        first = beta1 * first + (1f - beta1) * g;
        second = beta2 * second + (1f - beta2) * g * g;
        int moves = moves(raw, i, n);
        if (moves == 0) {
            first = 0f;
            second = 0f;
        }
        float largestM = Reduce.max(context, TornadoMath.abs(first));
        float largestV = Reduce.max(context, second);
        if (moves == 1) {
            int paramAt = table.get(slot) + i;
            param.set(paramAt, (param.get(paramAt) - step * (first / (TornadoMath.sqrt(second) + eps))) * keep);
        }
        mCodes[thread] = nearestSigned(values, valuesAt, share(first, largestM));
        vCodes[thread] = nearest(values, valuesAt + UNSIGNED, share(second, largestV));
        context.localBarrier();
        if (thread < Elements.GROUP / 4) {
            int word = block * (Elements.GROUP / 4) + thread;
            int four = 4 * thread;
            pin[0] = mCodes[four] | mCodes[four + 1] << 8 | mCodes[four + 2] << 16 | mCodes[four + 3] << 24;
            pin[1] = vCodes[four] | vCodes[four + 1] << 8 | vCodes[four + 2] << 16 | vCodes[four + 3] << 24;
            if (4 * word < n) {
                m.set(table.get(slot + 2) + word, pin[0]);
                v.set(table.get(slot + 4) + word, pin[1]);
            }
        }
        if (thread == 0) {
            mAbsmax.set(table.get(slot + 3) + block, largestM);
            vAbsmax.set(table.get(slot + 5) + block, largestV);
        }
    }

    /// `g = factor[0] * grad; p *= 1 - lr * wd; p -= lr * sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g`; where grad is not
    /// finite, m becomes 0 and p stays.
    /// Shapes: as `adamW8bit`; hyper F32 `[4]` = lr, b1, b2, wd. Writes: param, m in place.
    /// Source: Chen et al. 2023, arXiv 2302.06675; bitsandbytes, `kOptimizerStatic8bit1StateBlockwise`.
    public static void lion8bit(KernelContext context, IntArray table, int slot, FloatArray param, FloatArray grad,
            IntArray m, FloatArray mAbsmax, FloatArray hyper, FloatArray factor, FloatArray values, int n) {
        int[] mCodes = context.allocateIntLocalArray(Elements.GROUP);
        int[] pin = new int[1];                      // keeps reads where they stand: see Reduce
        int hyperAt = table.get(slot + 4);
        float lr = hyper.get(hyperAt);
        float beta1 = hyper.get(hyperAt + 1);
        float beta2 = hyper.get(hyperAt + 2);
        float keep = 1f - lr * hyper.get(hyperAt + 3);
        float scale = factor.get(table.get(slot + 5));
        int valuesAt = table.get(slot + 6);
        int block = context.groupIdx;
        int thread = context.localIdx;
        int i = block * Elements.GROUP + thread;
        int last = Math.min(i, n - 1);
        float raw = grad.get(table.get(slot + 1) + last);
        float g = scale * raw;
        float before = number(m, table.get(slot + 2), last, values, valuesAt) * mAbsmax.get(table.get(slot + 3) + block);
        float mean = beta2 * before + (1f - beta2) * g;
        int moves = moves(raw, i, n);
        if (moves == 0) mean = 0f;
        float largest = Reduce.max(context, TornadoMath.abs(mean));
        if (moves == 1) {
            int paramAt = table.get(slot) + i;
            param.set(paramAt, param.get(paramAt) * keep - lr * OptimKernels.sign(beta1 * before + (1f - beta1) * g));
        }
        mCodes[thread] = nearestSigned(values, valuesAt, share(mean, largest));
        context.localBarrier();
        if (thread < Elements.GROUP / 4) {
            int word = block * (Elements.GROUP / 4) + thread;
            int four = 4 * thread;
            pin[0] = mCodes[four] | mCodes[four + 1] << 8 | mCodes[four + 2] << 16 | mCodes[four + 3] << 24;
            if (4 * word < n) m.set(table.get(slot + 2) + word, pin[0]);
        }
        if (thread == 0) mAbsmax.set(table.get(slot + 3) + block, largest);
    }

    /// 1 for an element with a finite gradient, else 0. TornadoVM 5.2.0 forgets NaN where it turns `<` into the opposite of
    /// `>=`; the opposite of `==` has no such gap.
    private static int moves(float raw, int i, int n) {
        int moves = 0;
        if (i < n) {
            if (raw * 0f == 0f) moves = 1;
        }
        return moves;
    }

    /// The value of code i.
    private static float number(IntArray codes, int codesAt, int i, FloatArray values, int valuesAt) {
        return values.get(valuesAt + (codes.get(codesAt + i / 4) >> (i & 3) * 8 & 255));
    }

    private static float share(float number, float largest) {
        float share = 0f;
        if (largest > 0f) share = number / largest;
        return share;
    }

    /// As `Dynamic8.nearest`.
    private static int nearest(FloatArray values, int valuesAt, float x) {
        int at = valuesAt;
        for (int step = Dynamic8.CODES / 2; step > 0; step = step / 2) {
            if (values.get(at + step) <= x) at = at + step;
        }
        int next = Math.min(at + 1, valuesAt + Dynamic8.CODES - 1);
        if (x > 0.5f * (values.get(at) + values.get(next))) at = next;
        return at - valuesAt;
    }

    /// As `Dynamic8.nearestSigned`.
    private static int nearestSigned(FloatArray values, int valuesAt, float x) {
        int code = nearest(values, valuesAt, x);
        if (x < 0f) {
            if (values.get(valuesAt + code) >= 0f) code = code - 1;
        }
        return code;
    }
}
