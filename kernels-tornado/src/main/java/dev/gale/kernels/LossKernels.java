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
    /// Threads of a work-group of `crossEntropyRowsBf16`.
    public static final int WIDE = 512;

    private static final int WARPS = WIDE / Reduce.LANES;
    private static final int EACH = 4;               // longs that a thread reads before it needs the first

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
    /// is the first largest, else 0, and `logits[r] = (exp(z - logsumexp(z)) - [c == t]) * softcap'(z) * scale * gradScale`.
    /// Rows with a negative target give zeros; a target beyond the vocabulary gives an infinite loss.
    /// Shapes: logits F32 `[rows, vocab]` with their scale, targets I32 `[rows]`, losses F32 scratch `[2, rows]`,
    /// tokenLoss F32 `[rows]`, gradScale F32 `[1]`. Operands in the table: logits, targets, losses, tokenLoss, gradScale;
    /// anything may stand for an absent tokenLoss or gradScale.
    /// Launch: one group of `GROUP` threads a row; 3 KB of local memory.
    /// Numerics: F32, relative to the largest logit; four logits at a time a thread, then a tree. Writes: `=`.
    /// Source: Hsu et al. 2024 (Liger), arXiv 2410.10989 section 3.2.
    ///
    /// @param gradients 1: logits become their gradient, 0: they stay
    /// @param perToken  1: tokenLoss is written
    /// @param scaled    0: gradScale is absent, and 1
    public static void crossEntropyRows(KernelContext context, IntArray table, int slot, FloatArray logits, IntArray targets,
            FloatArray losses, FloatArray tokenLoss, FloatArray gradScale, int rows, int vocab, float scale, float softcap,
            int gradients, int perToken, int scaled) {
        float[] largest = context.allocateFloatLocalArray(GROUP);
        float[] sums = context.allocateFloatLocalArray(GROUP);
        float[] rivals = context.allocateFloatLocalArray(GROUP);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        int thread = context.localIdx;
        int row = context.groupIdx;
        int at = table.get(slot) + row * vocab;
        int target = targets.get(table.get(slot + 1) + row);
        float goal = Float.NEGATIVE_INFINITY;
        if (target < vocab) goal = logit(logits, at, Math.max(target, 0), vocab, softcap);
        float max = Float.NEGATIVE_INFINITY;
        float sum = pin[0];
        float before = pin[0];                           // logits that make the target not the first largest
        for (int c = thread; c < vocab; c += 4 * GROUP) {
            float z0 = logit(logits, at, c, vocab, softcap), z1 = logit(logits, at, c + GROUP, vocab, softcap);
            float z2 = logit(logits, at, c + 2 * GROUP, vocab, softcap), z3 = logit(logits, at, c + 3 * GROUP, vocab, softcap);
            float last = max;
            max = larger(larger(max, z0), larger(z1, larger(z2, z3)));
            float shift = finite(max);
            sum = sum * TornadoMath.exp(last - shift) + (TornadoMath.exp(z0 - shift) + TornadoMath.exp(z1 - shift))
                    + (TornadoMath.exp(z2 - shift) + TornadoMath.exp(z3 - shift));
            before += rival(z0, c, goal, target, vocab) + rival(z1, c + GROUP, goal, target, vocab)
                    + rival(z2, c + 2 * GROUP, goal, target, vocab) + rival(z3, c + 3 * GROUP, goal, target, vocab);
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
            float factor = scale;
            if (scaled == 1) factor *= gradScale.get(table.get(slot + 4));
            for (int c = thread; c < vocab; c += GROUP) {
                float d = 0f;
                if (target >= 0) {
                    float z = logit(logits, at, c, vocab, softcap);
                    float p = TornadoMath.exp(z - top - logSum);
                    d = (c == target ? p - 1f : p) * (factor * bend(z, softcap));
                }
                logits.set(at + c, d);
            }
        }
    }

    /// Capped logit c, -inf outside the vocabulary.
    private static float logit(FloatArray logits, int at, int c, int vocab, float softcap) {
        float z = Float.NEGATIVE_INFINITY;
        if (c < vocab) z = capped(logits.get(at + c), softcap);
        return z;
    }

    private static float capped(float logit, float softcap) {
        return softcap > 0f ? softcap * TornadoMath.tanh(logit / softcap) : logit;
    }

    /// The slope of `capped` where it gives z.
    private static float bend(float z, float softcap) {
        float share = softcap > 0f ? z / softcap : 0f;
        return 1f - share * share;
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

    /// As `crossEntropyRows`, for BF16 logits of a vocabulary that 4 divides, on devices that convert BF16 and have warps.
    /// Launch: one group of `WIDE` threads a row, so that few rows are between their two readings at a time and the second
    /// finds much of them in the cache; it begins at the end, where the first one was last. 0.2 KB of local memory.
    /// Numerics: F32, relative to the largest logit; sixteen logits at a time a thread, butterflies of warps. Writes: `=`.
    public static void crossEntropyRowsBf16(KernelContext context, IntArray table, int slot, LongArray logits, IntArray targets,
            FloatArray losses, FloatArray tokenLoss, FloatArray gradScale, int rows, int vocab, float scale, float softcap,
            int gradients, int perToken, int scaled) {
        float[] largest = context.allocateFloatLocalArray(WARPS);
        float[] sums = context.allocateFloatLocalArray(WARPS);
        float[] rivals = context.allocateFloatLocalArray(WARPS);
        long[] fours = new long[EACH];
        int thread = context.localIdx;
        int zero = Halves.zero(thread);
        int lane = thread & (Reduce.LANES - 1);
        int row = context.groupIdx;
        int count = vocab / 4;
        int at = (table.get(slot) >> 2) + row * count;
        int target = targets.get(table.get(slot + 1) + row);
        int near = Math.min(Math.max(target, 0) >> 2, count - 1);
        long goals = logits.get(at + near);
        float g0 = capped(Halves.first(goals), softcap), g1 = capped(Halves.second(goals), softcap);
        float g2 = capped(Halves.third(goals), softcap), g3 = capped(Halves.fourth(goals), softcap);
        int place = target & 3;
        float goal = place == 0 ? g0 : place == 1 ? g1 : place == 2 ? g2 : g3;
        float rival = -Float.MAX_VALUE;                  // the largest logit before the target
        if (place > 0) rival = g0;
        if (place > 1) rival = TornadoMath.max(rival, g1);
        if (place > 2) rival = TornadoMath.max(rival, g2);
        if (target >= vocab) goal = Halves.first(Halves.FOUR_TIMES_MINUS_INFINITY);
        float max = -Float.MAX_VALUE;
        float sum = 0f;
        int trained = target >= 0 ? count : 0;
        for (int i = thread; i < trained; i += EACH * WIDE) {
            float top = max;
            for (int e = 0; e < EACH; e++) {
                fours[e] = Halves.FOUR_TIMES_MINUS_INFINITY;
                if (i + e * WIDE < count) fours[e] = logits.get(at + i + e * WIDE);
            }
            for (int e = 0; e < EACH; e++) {
                float z0 = capped(Halves.first(fours[e]), softcap), z1 = capped(Halves.second(fours[e]), softcap);
                float z2 = capped(Halves.third(fours[e]), softcap), z3 = capped(Halves.fourth(fours[e]), softcap);
                float most = TornadoMath.max(TornadoMath.max(z0, z1), TornadoMath.max(z2, z3));
                if (i + e * WIDE < near) rival = TornadoMath.max(rival, most);
                top = TornadoMath.max(top, most);
            }
            sum *= TornadoMath.exp(max - top);
            for (int e = 0; e < EACH; e++) {
                float z0 = capped(Halves.first(fours[e]), softcap), z1 = capped(Halves.second(fours[e]), softcap);
                float z2 = capped(Halves.third(fours[e]), softcap), z3 = capped(Halves.fourth(fours[e]), softcap);
                sum += (TornadoMath.exp(z0 - top) + TornadoMath.exp(z1 - top))
                        + (TornadoMath.exp(z2 - top) + TornadoMath.exp(z3 - top));
            }
            max = top;
        }
        float most = Reduce.warpMax(context, max);
        float before = Reduce.warpMax(context, rival);
        float part = context.simdSum(sum * TornadoMath.exp(max - most));
        if (lane == 0) {
            largest[thread >> 5] = most;
            sums[thread >> 5] = part;
            rivals[thread >> 5] = before;
        }
        context.localBarrier();
        int warp = lane & (WARPS - 1);
        float top = Reduce.warpMax(context, largest[warp]);
        float total = context.simdSum(lane < WARPS ? sums[warp] * TornadoMath.exp(largest[warp] - top) : 0f);
        float first = Reduce.warpMax(context, rivals[warp]);
        if (thread == 0) {
            float loss = 0f;
            float correct = 0f;
            if (target >= 0) {
                loss = top - goal + TornadoMath.log(total);
                if (first < goal) {
                    if (top <= goal) correct = total > 0f ? 1f : 0f;     // it is NaN if a logit is
                }
            }
            int atLosses = table.get(slot + 2) + row;
            losses.set(atLosses, loss);
            losses.set(atLosses + rows, correct);
            if (perToken == 1) tokenLoss.set(table.get(slot + 3) + row, loss);
        }
        if (gradients == 1) {
            float whole = scale;
            if (scaled == 1) whole *= gradScale.get(table.get(slot + 4));
            float factor = whole / total;
            int last = (count - 1) / (EACH * WIDE) * (EACH * WIDE);
            for (int i = target >= 0 ? thread + last : -1; i >= 0; i -= EACH * WIDE) {
                for (int e = 0; e < EACH; e++) fours[e] = logits.get(at + Math.min(i + e * WIDE, count - 1));
                for (int e = 0; e < EACH; e++) {
                    float z0 = capped(Halves.first(fours[e]), softcap), z1 = capped(Halves.second(fours[e]), softcap);
                    float z2 = capped(Halves.third(fours[e]), softcap), z3 = capped(Halves.fourth(fours[e]), softcap);
                    long slopes = Halves.four(TornadoMath.exp(z0 - top) * (factor * bend(z0, softcap)),
                            TornadoMath.exp(z1 - top) * (factor * bend(z1, softcap)),
                            TornadoMath.exp(z2 - top) * (factor * bend(z2, softcap)),
                            TornadoMath.exp(z3 - top) * (factor * bend(z3, softcap)), zero);
                    if (i + e * WIDE < count) logits.set(at + i + e * WIDE, slopes);
                }
            }
            for (int i = target >= 0 ? count : thread; i < count; i += WIDE) logits.set(at + i, 0L);
            if (thread == near % WIDE) {                 // it wrote the target's gradient without the 1
                if (target >= 0) {
                    if (target < vocab) {
                        float share = 1f / total;
                        float d0 = TornadoMath.exp(g0 - top) * share - (place == 0 ? 1f : 0f);
                        float d1 = TornadoMath.exp(g1 - top) * share - (place == 1 ? 1f : 0f);
                        float d2 = TornadoMath.exp(g2 - top) * share - (place == 2 ? 1f : 0f);
                        float d3 = TornadoMath.exp(g3 - top) * share - (place == 3 ? 1f : 0f);
                        logits.set(at + near, Halves.four(d0 * (whole * bend(g0, softcap)), d1 * (whole * bend(g1, softcap)),
                                d2 * (whole * bend(g2, softcap)), d3 * (whole * bend(g3, softcap)), zero));
                    }
                }
            }
        }
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
