package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// RMSNorm, forward and backward, one work-group per row.
/// Source: Zhang & Sennrich 2019, arXiv 1910.07467.
public final class NormKernels {
    private static final int FOURS = 4;              // longs of a row that a thread keeps

    /// Most columns of the kernels that keep a row: those of a work-group of 512 threads, as registers may not do for 1024.
    public static final int FOURS_COLS = 512 * 4 * FOURS;

    private NormKernels() {}

    /// `y[r,c] = x[r,c] * rstd[r] * (shift + w[c])`, `rstd[r] = 1 / sqrt(mean_c(x[r,c]^2) + eps)`.
    /// Shapes: y, x `[rows, cols]`, w `[cols]`, F32, BF16 or F16; rstd F32 `[rows]`.
    /// Launch: rows work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: each thread sums every 256th square, then a tree; F32, deterministic. Writes: `=`.
    public static void rmsNormForward(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType, FloatArray rstd,
            FloatArray x, ShortArray xHalf, int xType,
            FloatArray w, ShortArray wHalf, int wType, int cols, float eps, float shift) {
        int row = context.groupIdx;
        int yAt = table.get(slot) + row * cols;
        int xAt = table.get(slot + 2) + row * cols;
        int wAt = table.get(slot + 3);
        float squares = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float value = Elements.get(x, xHalf, xType, xAt + c);
            squares += value * value;
        }
        float scale = 1f / TornadoMath.sqrt(Reduce.sum(context, squares) / cols + eps);
        if (context.localIdx == 0) rstd.set(table.get(slot + 1) + row, scale);
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float weight = shift + Elements.get(w, wHalf, wType, wAt + c);
            Elements.set(y, yHalf, yType, yAt + c, Elements.get(x, xHalf, xType, xAt + c) * scale * weight);
        }
    }

    /// As `rmsNormForward`, for BF16 x and y of rows that 4 divides, on devices that convert BF16 and have warps.
    /// Shapes: as `rmsNormForward`; cols is at most `FOURS_COLS`.
    /// Launch: rows work-groups of `foursThreads(cols)` threads; 128 bytes of local memory. A thread reads all that it needs
    /// of its row at once and keeps it.
    /// Numerics: each thread sums its squares, then a butterfly in each warp, then the warps in order; F32, deterministic.
    /// Writes: `=`; y may be x.
    ///
    /// @param wFours of a BF16 w
    /// @param threads of a work-group
    public static void rmsNormForwardBf16(KernelContext context, IntArray table, int slot, LongArray y, FloatArray rstd,
            LongArray x, FloatArray w, LongArray wFours, int wType, int cols, float eps, float shift, int threads) {
        float[] sums = context.allocateFloatLocalArray(Reduce.LANES);
        long[] rows = new long[FOURS];
        long[] weights = new long[FOURS];
        int thread = context.localIdx;
        int zero = Halves.zero(thread);
        int row = context.groupIdx;
        int n = cols / 4;
        int xAt = (table.get(slot + 2) >> 2) + row * n;
        int wAt = table.get(slot + 3);
        for (int e = 0; e < FOURS; e++) {
            rows[e] = 0L;
            if (thread + e * threads < n) rows[e] = x.get(xAt + thread + e * threads);
        }
        if (wType == Elements.BF16) {
            for (int e = 0; e < FOURS; e++) {
                if (thread + e * threads < n) weights[e] = wFours.get((wAt >> 2) + thread + e * threads);
            }
        }
        float squares = 0f;
        for (int e = 0; e < FOURS; e++) {
            float x0 = Halves.first(rows[e]), x1 = Halves.second(rows[e]);
            float x2 = Halves.third(rows[e]), x3 = Halves.fourth(rows[e]);
            squares += (x0 * x0 + x1 * x1) + (x2 * x2 + x3 * x3);
        }
        float part = context.simdSum(squares);
        if ((thread & (Reduce.LANES - 1)) == 0) sums[thread >> 5] = part;
        context.localBarrier();
        float total = 0f;
        for (int warp = 0; warp < threads / Reduce.LANES; warp++) total += sums[warp];
        float scale = 1f / TornadoMath.sqrt(total / cols + eps);
        if (thread == 0) rstd.set(table.get(slot + 1) + row, scale);
        int yAt = (table.get(slot) >> 2) + row * n;
        for (int e = 0; e < FOURS; e++) {
            int i = thread + e * threads;
            if (i < n) {
                float y0 = Halves.first(rows[e]) * scale * (shift + weight(w, weights[e], wType, wAt + 4 * i, 0));
                float y1 = Halves.second(rows[e]) * scale * (shift + weight(w, weights[e], wType, wAt + 4 * i, 1));
                float y2 = Halves.third(rows[e]) * scale * (shift + weight(w, weights[e], wType, wAt + 4 * i, 2));
                float y3 = Halves.fourth(rows[e]) * scale * (shift + weight(w, weights[e], wType, wAt + 4 * i, 3));
                y.set(yAt + i, Halves.four(y0, y1, y2, y3, zero));
            }
        }
    }

    /// Threads of a work-group for rows of so many columns.
    public static int foursThreads(int cols) {
        return Math.ceilDiv(cols, 4 * FOURS * Reduce.LANES) * Reduce.LANES;
    }

    /// Element e of four weights, which lie at `at` when they are F32.
    private static float weight(FloatArray w, long four, int type, int at, int e) {
        float weight;
        if (type == Elements.F32) weight = w.get(at + e);
        else if (e == 0) weight = Halves.first(four);
        else if (e == 1) weight = Halves.second(four);
        else if (e == 2) weight = Halves.third(four);
        else weight = Halves.fourth(four);
        return weight;
    }

    /// With `xhat = x * rstd`, `g = dy * (shift + w)`: `dx = rstd * (g - xhat * mean_c(g * xhat))`.
    /// Shapes: dx, dy, x `[rows, cols]`, w `[cols]`, F32, BF16 or F16; rstd F32 `[rows]`.
    /// Launch: rows work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: as `rmsNormForward`. Writes: `=` or, with accumulate 1, `+=`; dx may be dy when not accumulating, and
    /// then `rmsNormBackwardWeight` must have run before.
    public static void rmsNormBackward(KernelContext context, IntArray table, int slot,
            FloatArray dx, ShortArray dxHalf, int dxType, FloatArray dy, ShortArray dyHalf, int dyType,
            FloatArray x, ShortArray xHalf, int xType, FloatArray w, ShortArray wHalf, int wType,
            FloatArray rstd, int cols, int accumulate, float shift) {
        int row = context.groupIdx;
        int dxAt = table.get(slot) + row * cols;
        int dyAt = table.get(slot + 1) + row * cols;
        int xAt = table.get(slot + 2) + row * cols;
        int wAt = table.get(slot + 3);
        float scale = rstd.get(table.get(slot + 4) + row);
        float products = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float g = Elements.get(dy, dyHalf, dyType, dyAt + c) * (shift + Elements.get(w, wHalf, wType, wAt + c));
            products += g * (Elements.get(x, xHalf, xType, xAt + c) * scale);
        }
        float mean = Reduce.sum(context, products) / cols;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float g = Elements.get(dy, dyHalf, dyType, dyAt + c) * (shift + Elements.get(w, wHalf, wType, wAt + c));
            float value = scale * (g - Elements.get(x, xHalf, xType, xAt + c) * scale * mean);
            if (accumulate == 1) value = value + Elements.get(dx, dxHalf, dxType, dxAt + c);
            Elements.set(dx, dxHalf, dxType, dxAt + c, value);
        }
    }

    /// As `rmsNormBackward`, for BF16 dx, dy and x of rows that 4 divides, on devices that convert BF16 and have warps.
    /// Shapes, Launch, Numerics: as `rmsNormForwardBf16`. Writes: as `rmsNormBackward`.
    ///
    /// @param wFours of a BF16 w
    /// @param threads of a work-group
    public static void rmsNormBackwardBf16(KernelContext context, IntArray table, int slot, LongArray dx, LongArray dy,
            LongArray x, FloatArray w, LongArray wFours, int wType, FloatArray rstd, int cols, int accumulate, float shift,
            int threads) {
        float[] sums = context.allocateFloatLocalArray(Reduce.LANES);
        long[] upstream = new long[FOURS];
        long[] rows = new long[FOURS];
        long[] before = new long[FOURS];
        long[] weights = new long[FOURS];
        int thread = context.localIdx;
        int zero = Halves.zero(thread);
        int row = context.groupIdx;
        int n = cols / 4;
        int dxAt = (table.get(slot) >> 2) + row * n;
        int dyAt = (table.get(slot + 1) >> 2) + row * n;
        int xAt = (table.get(slot + 2) >> 2) + row * n;
        int wAt = table.get(slot + 3);
        float scale = rstd.get(table.get(slot + 4) + row);
        for (int e = 0; e < FOURS; e++) {
            upstream[e] = 0L;
            rows[e] = 0L;
            if (thread + e * threads < n) {
                upstream[e] = dy.get(dyAt + thread + e * threads);
                rows[e] = x.get(xAt + thread + e * threads);
            }
        }
        if (wType == Elements.BF16) {
            for (int e = 0; e < FOURS; e++) {
                weights[e] = 0L;
                if (thread + e * threads < n) weights[e] = wFours.get((wAt >> 2) + thread + e * threads);
            }
        }
        if (accumulate == 1) {
            for (int e = 0; e < FOURS; e++) {
                if (thread + e * threads < n) before[e] = dx.get(dxAt + thread + e * threads);
            }
        }
        float products = 0f;
        for (int e = 0; e < FOURS; e++) {
            int at = wAt + 4 * Math.min(thread + e * threads, n - 1);
            float g0 = Halves.first(upstream[e]) * (shift + weight(w, weights[e], wType, at, 0));
            float g1 = Halves.second(upstream[e]) * (shift + weight(w, weights[e], wType, at, 1));
            float g2 = Halves.third(upstream[e]) * (shift + weight(w, weights[e], wType, at, 2));
            float g3 = Halves.fourth(upstream[e]) * (shift + weight(w, weights[e], wType, at, 3));
            products += (g0 * Halves.first(rows[e]) + g1 * Halves.second(rows[e]))
                    + (g2 * Halves.third(rows[e]) + g3 * Halves.fourth(rows[e]));
        }
        float part = context.simdSum(products);
        if ((thread & (Reduce.LANES - 1)) == 0) sums[thread >> 5] = part;
        context.localBarrier();
        float total = 0f;
        for (int warp = 0; warp < threads / Reduce.LANES; warp++) total += sums[warp];
        float mean = total * scale / cols;
        for (int e = 0; e < FOURS; e++) {
            int i = thread + e * threads;
            if (i < n) {
                float g0 = Halves.first(upstream[e]) * (shift + weight(w, weights[e], wType, wAt + 4 * i, 0));
                float g1 = Halves.second(upstream[e]) * (shift + weight(w, weights[e], wType, wAt + 4 * i, 1));
                float g2 = Halves.third(upstream[e]) * (shift + weight(w, weights[e], wType, wAt + 4 * i, 2));
                float g3 = Halves.fourth(upstream[e]) * (shift + weight(w, weights[e], wType, wAt + 4 * i, 3));
                float d0 = scale * (g0 - Halves.first(rows[e]) * (scale * mean));
                float d1 = scale * (g1 - Halves.second(rows[e]) * (scale * mean));
                float d2 = scale * (g2 - Halves.third(rows[e]) * (scale * mean));
                float d3 = scale * (g3 - Halves.fourth(rows[e]) * (scale * mean));
                if (accumulate == 1) {
                    d0 += Halves.first(before[e]);
                    d1 += Halves.second(before[e]);
                    d2 += Halves.third(before[e]);
                    d3 += Halves.fourth(before[e]);
                }
                dx.set(dxAt + i, Halves.four(d0, d1, d2, d3, zero));
            }
        }
    }

    /// `dw[c] += sum_r dy[r,c] * x[r,c] * rstd[r]`.
    /// Shapes: dw F32 `[cols]`; dy, x `[rows, cols]`, F32, BF16 or F16; rstd F32 `[rows]`.
    /// Launch: `ceil(cols / Reduce.COLUMNS)` work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: as `ElementwiseKernels.columnSum`. Writes: `+=`.
    public static void rmsNormBackwardWeight(KernelContext context, IntArray table, int slot,
            FloatArray dw, FloatArray dy, ShortArray dyHalf, int dyType,
            FloatArray x, ShortArray xHalf, int xType, FloatArray rstd, int rows, int cols) {
        int dwAt = table.get(slot);
        int dyAt = table.get(slot + 1);
        int xAt = table.get(slot + 2);
        int rstdAt = table.get(slot + 3);
        int tileRow = context.localIdx / Reduce.COLUMNS;
        int col = context.groupIdx * Reduce.COLUMNS + context.localIdx - tileRow * Reduce.COLUMNS;
        float sum = 0f;
        if (col < cols) {
            for (int r = tileRow; r < rows; r += Reduce.ROWS) {
                float normed = Elements.get(x, xHalf, xType, xAt + r * cols + col) * rstd.get(rstdAt + r);
                sum += Elements.get(dy, dyHalf, dyType, dyAt + r * cols + col) * normed;
            }
        }
        float total = Reduce.columns(context, sum);
        if (tileRow == 0) {
            if (col < cols) dw.set(dwAt + col, dw.get(dwAt + col) + total);
        }
    }
}
