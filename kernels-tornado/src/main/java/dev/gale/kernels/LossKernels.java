package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Cross-entropy over a chunk of rows. Every row takes part, because which rows are trained stands on the device alone;
/// those that are not count nothing and give zeros.
///
/// A chunk: `maskedRows` (x to scratch), `MatmulKernels.product` (logits, alpha the scale), `crossEntropyRows` (losses;
/// logits become their gradient), `addLosses`, then `product` for dx = dLogits w and dw += dLogitsᵀ scratch, and
/// `maskedRows` of dx in place.
public final class LossKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;

    private LossKernels() {}

    /// `y[r] = x[r]` for trained rows, 0 for the others, whatever x holds there.
    /// Shapes: y, x `[rows, cols]`, targets I32 `[rows]`, negative where not trained. Operands in the table: y, x,
    /// targets.
    /// Launch: `Grid.threads(rows * cols, GROUP)`. Writes: `=`. y may be x.
    public static void maskedRows(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf,
            FloatArray x, ShortArray xHalf, IntArray targets, int yType, int xType, int rows, int cols) {
        int i = context.globalIdx;
        if (i < rows * cols) {
            float value = 0f;
            if (targets.get(table.get(slot + 2) + i / cols) >= 0) {
                value = Elements.get(x, xHalf, xType, table.get(slot + 1) + i);
            }
            Elements.set(y, yHalf, yType, table.get(slot) + i, value);
        }
    }

    /// With `z = softcap(logits[r])` and target t >= 0: `losses[0, r] = logsumexp(z) - z[t]`, `losses[1, r] = 1` if z[t]
    /// is the first largest, else 0, and `logits[r] = (exp(z - logsumexp(z)) - [c == t]) * softcap'(z) * scale`. Rows
    /// with a negative target give zeros; a target beyond the vocabulary gives an infinite loss.
    /// Shapes: logits `[rows, vocab]` with their scale, F32, or BF16 of a vocabulary that 4 divides, targets I32 `[rows]`, losses F32 scratch `[2, rows]`,
    /// tokenLoss F32 `[rows]`. Operands in the table: logits, targets, losses, tokenLoss; anything may stand for an
    /// absent tokenLoss.
    /// Launch: one group of `GROUP` threads a row; 3 KB of local memory.
    /// Numerics: F32, relative to the largest logit; eight logits at a time a thread, then a tree. Writes: `=`.
    /// Source: Hsu et al. 2024 (Liger), arXiv 2410.10989 section 3.2.
    ///
    /// @param gradients 1: logits become their gradient, 0: they stay
    /// @param perToken  1: tokenLoss is written
    public static void crossEntropyRows(KernelContext context, IntArray table, int slot, FloatArray logits,
            LongArray logitsHalf, int type, IntArray targets, FloatArray losses, FloatArray tokenLoss, int rows, int vocab,
            float scale, float softcap, int gradients, int perToken) {
        float[] largest = context.allocateFloatLocalArray(GROUP);
        float[] sums = context.allocateFloatLocalArray(GROUP);
        float[] rivals = context.allocateFloatLocalArray(GROUP);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        int thread = context.localIdx;
        int zero = thread >> 10;
        int row = context.groupIdx;
        int at = table.get(slot) + row * vocab;
        int target = targets.get(table.get(slot + 1) + row);
        int near = Math.min(Math.max(target, 0), vocab - 1) & -4;
        long goals = four(logitsHalf, type, at, near, vocab);
        float goal = pin[0];
        for (int e = 0; e < 4; e++) goal = near + e == target ? logit(logits, goals, type, at, near, e, vocab, softcap) : goal;
        if (target >= vocab) goal = Float.NEGATIVE_INFINITY;
        float max = Float.NEGATIVE_INFINITY;
        float sum = pin[0];
        float before = pin[0];                           // logits that make the target not the first largest
        for (int c = 4 * thread; c < vocab; c += 8 * GROUP) {
            int d = c + 4 * GROUP;
            long left = four(logitsHalf, type, at, c, vocab);
            long right = four(logitsHalf, type, at, d, vocab);
            float z0 = logit(logits, left, type, at, c, 0, vocab, softcap), z1 = logit(logits, left, type, at, c, 1, vocab, softcap);
            float z2 = logit(logits, left, type, at, c, 2, vocab, softcap), z3 = logit(logits, left, type, at, c, 3, vocab, softcap);
            float z4 = logit(logits, right, type, at, d, 0, vocab, softcap), z5 = logit(logits, right, type, at, d, 1, vocab, softcap);
            float z6 = logit(logits, right, type, at, d, 2, vocab, softcap), z7 = logit(logits, right, type, at, d, 3, vocab, softcap);
            float last = max;
            max = larger(larger(larger(larger(max, z0), larger(z1, z2)), larger(z3, z4)), larger(z5, larger(z6, z7)));
            float shift = finite(max);
            sum = sum * TornadoMath.exp(last - shift) + (TornadoMath.exp(z0 - shift) + TornadoMath.exp(z1 - shift))
                    + (TornadoMath.exp(z2 - shift) + TornadoMath.exp(z3 - shift)) + (TornadoMath.exp(z4 - shift)
                    + TornadoMath.exp(z5 - shift)) + (TornadoMath.exp(z6 - shift) + TornadoMath.exp(z7 - shift));
            before += rival(z0, c, goal, target, vocab) + rival(z1, c + 1, goal, target, vocab)
                    + rival(z2, c + 2, goal, target, vocab) + rival(z3, c + 3, goal, target, vocab)
                    + rival(z4, d, goal, target, vocab) + rival(z5, d + 1, goal, target, vocab)
                    + rival(z6, d + 2, goal, target, vocab) + rival(z7, d + 3, goal, target, vocab);
        }
        largest[thread] = max;
        sums[thread] = sum;
        rivals[thread] = before;
        context.localBarrier();
        for (int half = GROUP / 2; half > 0; half >>= 1) {
            if (thread < half) {
                float a = largest[thread];
                float b = largest[thread + half];
                float shift = finite(larger(a, b));
                sums[thread] = sums[thread] * TornadoMath.exp(a - shift) + sums[thread + half] * TornadoMath.exp(b - shift);
                largest[thread] = larger(a, b);
                rivals[thread] = rivals[thread] + rivals[thread + half];
            }
            context.localBarrier();
        }
        float top = largest[0];
        float logSum = TornadoMath.log(sums[0]);     // relative to the largest, which may be large
        if (thread == 0) {
            int trained = target >= 0 ? 1 : 0;
            float loss = trained == 1 ? top - goal + logSum : 0f;
            int atLosses = table.get(slot + 2) + row;
            losses.set(atLosses, loss);
            losses.set(atLosses + rows, trained == 1 ? (rivals[0] == 0f ? 1f : 0f) : 0f);
            if (perToken == 1) tokenLoss.set(table.get(slot + 3) + row, loss);
        }
        if (gradients == 1) {
            float factor = target >= 0 ? scale : 0f;
            for (int c = 4 * thread; c < vocab; c += 4 * GROUP) {
                long four = four(logitsHalf, type, at, c, vocab);
                float d0 = slope(logit(logits, four, type, at, c, 0, vocab, softcap), c, target, top, logSum, softcap, factor);
                float d1 = slope(logit(logits, four, type, at, c, 1, vocab, softcap), c + 1, target, top, logSum, softcap, factor);
                float d2 = slope(logit(logits, four, type, at, c, 2, vocab, softcap), c + 2, target, top, logSum, softcap, factor);
                float d3 = slope(logit(logits, four, type, at, c, 3, vocab, softcap), c + 3, target, top, logSum, softcap, factor);
                if (type == Elements.F32) {
                    logits.set(at + c, d0);
                    if (c + 1 < vocab) logits.set(at + c + 1, d1);
                    if (c + 2 < vocab) logits.set(at + c + 2, d2);
                    if (c + 3 < vocab) logits.set(at + c + 3, d3);
                } else {
                    logitsHalf.set((at + c) / 4, Halves.four(d0, d1, d2, d3, zero));
                }
            }
        }
    }

    /// Four BF16 logits from c on, or anything when they are F32 or beyond the vocabulary.
    private static long four(LongArray logits, int type, int at, int c, int vocab) {
        long four = 0L;
        if (type != Elements.F32) four = logits.get((at + Math.min(c, vocab - 4)) / 4);
        return four;
    }

    /// Capped logit c + e, -inf outside the vocabulary.
    private static float logit(FloatArray logits, long four, int type, int at, int c, int e, int vocab, float softcap) {
        float z = Float.NEGATIVE_INFINITY;
        if (c + e < vocab) {
            float raw;
            if (type == Elements.F32) raw = logits.get(at + c + e);
            else if (e == 0) raw = Halves.first(four);
            else if (e == 1) raw = Halves.second(four);
            else if (e == 2) raw = Halves.third(four);
            else raw = Halves.fourth(four);
            z = softcap > 0f ? softcap * TornadoMath.tanh(raw / softcap) : raw;
        }
        return z;
    }

    /// The gradient of logit c; factor is the scale, 0 where the row is not trained.
    private static float slope(float z, int c, int target, float top, float logSum, float softcap, float factor) {
        float bend = softcap > 0f ? z / softcap : 0f;
        float d = (TornadoMath.exp(z - top - logSum) - (c == target ? 1f : 0f)) * (1f - bend * bend) * factor;
        return factor == 0f ? 0f : d;
    }

    private static float larger(float a, float b) {
        return a > b ? a : b;
    }

    /// What exponentials are taken relative to: the maximum, 0 while there is none.
    private static float finite(float max) {
        return max > Float.NEGATIVE_INFINITY ? max : 0f;
    }

    /// 1 if logit c keeps the target from being the first largest; NaN does.
    private static float rival(float z, int c, float goal, int target, int vocab) {
        float value = 0f;
        if (c < vocab) {
            if (c < target) value = z < goal ? 0f : 1f;
            else value = z <= goal ? 0f : 1f;
        }
        return value;
    }

    /// `stats[0] += sum_r losses[0, r]`, `stats[1] += sum_r losses[1, r]`.
    /// Shapes: stats F32 `[2]`, losses F32 `[2, rows]`. Operands in the table: stats, losses.
    /// Launch: two groups of `GROUP` threads, one for each sum; 1 KB of local memory.
    /// Numerics: F32, a strided part a thread, then a tree. Writes: `+=`.
    public static void addLosses(KernelContext context, IntArray table, int slot, FloatArray stats, FloatArray losses,
            int rows) {
        int thread = context.localIdx;
        int which = context.groupIdx;
        int at = table.get(slot + 1) + which * rows;
        float sum = 0f;
        for (int r = thread; r < rows; r += GROUP) sum += losses.get(at + r);
        float total = Reduce.sum(context, sum);
        if (thread == 0) {
            int atStats = table.get(slot) + which;
            stats.set(atStats, stats.get(atStats) + total);
        }
    }
}
