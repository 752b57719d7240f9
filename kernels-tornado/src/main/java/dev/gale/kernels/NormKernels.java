package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// RMSNorm, forward and backward, one work-group per row.
/// Source: Zhang & Sennrich 2019, arXiv 1910.07467.
public final class NormKernels {
    private NormKernels() {}

    /// `y[r,c] = x[r,c] * rstd[r] * w[c]`, `rstd[r] = 1 / sqrt(mean_c(x[r,c]^2) + eps)`.
    /// Shapes: y, x `[rows, cols]`, w `[cols]`, F32 or BF16; rstd F32 `[rows]`.
    /// Launch: rows work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: each thread sums every 256th square, then a tree; F32, deterministic. Writes: `=`.
    public static void rmsNormForward(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType, FloatArray rstd,
            FloatArray x, ShortArray xHalf, int xType,
            FloatArray w, ShortArray wHalf, int wType, int cols, float eps) {
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
            float value = Elements.get(x, xHalf, xType, xAt + c) * scale * Elements.getWeight(w, wHalf, wType, wAt + c);
            Elements.set(y, yHalf, yType, yAt + c, value);
        }
    }

    /// `sum = x + r; y = rmsNorm(sum)`: the end of a residual branch and the norm that begins the next one.
    /// Shapes: sum, y, x, r `[rows, cols]`, all F32 or all BF16; w `[cols]`, F32 or BF16; rstd F32 `[rows]`.
    /// Launch and numerics: as `rmsNormForward`, of the sum as it was rounded when stored.
    /// Writes: sum, y, rstd `=`; sum may be x or r.
    public static void rmsNormForwardAdd(KernelContext context, IntArray table, int slot,
            FloatArray sum, ShortArray sumHalf, FloatArray y, ShortArray yHalf, FloatArray rstd,
            FloatArray x, ShortArray xHalf, FloatArray r, ShortArray rHalf, int type,
            FloatArray w, ShortArray wHalf, int wType, int cols, float eps) {
        int row = context.groupIdx;
        int sumAt = table.get(slot) + row * cols;
        int yAt = table.get(slot + 1) + row * cols;
        int xAt = table.get(slot + 3) + row * cols;
        int rAt = table.get(slot + 4) + row * cols;
        int wAt = table.get(slot + 5);
        float squares = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float value = Elements.get(x, xHalf, type, xAt + c) + Elements.get(r, rHalf, type, rAt + c);
            Elements.set(sum, sumHalf, type, sumAt + c, value);
            float stored = Elements.get(sum, sumHalf, type, sumAt + c);
            squares += stored * stored;
        }
        float scale = 1f / TornadoMath.sqrt(Reduce.sum(context, squares) / cols + eps);
        if (context.localIdx == 0) rstd.set(table.get(slot + 2) + row, scale);
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float value = Elements.get(sum, sumHalf, type, sumAt + c) * scale * Elements.getWeight(w, wHalf, wType, wAt + c);
            Elements.set(y, yHalf, type, yAt + c, value);
        }
    }

    /// With `xhat = x * rstd`, `g = dy * w`: `dx = rstd * (g - xhat * mean_c(g * xhat))`.
    /// Shapes: dx, dy, x `[rows, cols]`, w `[cols]`, F32 or BF16; rstd F32 `[rows]`.
    /// Launch: rows work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: as `rmsNormForward`. Writes: `=` or, with accumulate 1, `+=`; dx may be dy when not accumulating, and
    /// then `rmsNormBackwardWeight` must have run before.
    public static void rmsNormBackward(KernelContext context, IntArray table, int slot,
            FloatArray dx, ShortArray dxHalf, int dxType, FloatArray dy, ShortArray dyHalf, int dyType,
            FloatArray x, ShortArray xHalf, int xType, FloatArray w, ShortArray wHalf, int wType,
            FloatArray rstd, int cols, int accumulate) {
        int row = context.groupIdx;
        int dxAt = table.get(slot) + row * cols;
        int dyAt = table.get(slot + 1) + row * cols;
        int xAt = table.get(slot + 2) + row * cols;
        int wAt = table.get(slot + 3);
        float scale = rstd.get(table.get(slot + 4) + row);
        float products = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float g = Elements.get(dy, dyHalf, dyType, dyAt + c) * Elements.getWeight(w, wHalf, wType, wAt + c);
            products += g * (Elements.get(x, xHalf, xType, xAt + c) * scale);
        }
        float mean = Reduce.sum(context, products) / cols;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float g = Elements.get(dy, dyHalf, dyType, dyAt + c) * Elements.getWeight(w, wHalf, wType, wAt + c);
            float value = scale * (g - Elements.get(x, xHalf, xType, xAt + c) * scale * mean);
            if (accumulate == 1) value = value + Elements.get(dx, dxHalf, dxType, dxAt + c);
            Elements.set(dx, dxHalf, dxType, dxAt + c, value);
        }
    }

    /// `dw[c] += sum_r dy[r,c] * x[r,c] * rstd[r]`.
    /// Shapes: dw F32 `[cols]`; dy, x `[rows, cols]`, F32 or BF16; rstd F32 `[rows]`.
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
