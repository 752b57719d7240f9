package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Norms of weight rows, and columns scaled by them.
/// Source: Liu et al. 2024 (DoRA), arXiv 2402.09353 section 4.3.
public final class ScaleKernels {
    private ScaleKernels() {}

    /// `norm[i] = sqrt(base[i]^2 + 2 scale b[i]·cross[i] + scale^2 b[i] gram b[i]ᵀ)`, base where based is 1 and gram where
    /// squared is.
    /// Shapes: norm, base F32 `[rows]`; b, cross `[rows, r]`, F32, BF16 or F16; gram F32 `[r, r]`.
    /// Launch: rows work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: each thread sums every 256th term, then a tree; F32, deterministic. Writes: `=`.
    public static void rowNorm(KernelContext context, IntArray table, int slot, FloatArray norm, FloatArray base,
            FloatArray b, ShortArray bHalf, int bType, FloatArray cross, ShortArray crossHalf, int crossType,
            FloatArray gram, int r, int based, int squared, float scale) {
        int row = context.groupIdx;
        int bAt = table.get(slot + 2) + row * r;
        int crossAt = table.get(slot + 3) + row * r;
        int gramAt = table.get(slot + 4);
        float sum = 0f;
        for (int c = context.localIdx; c < r; c += Elements.GROUP) {
            float term = 2f * scale * Elements.get(cross, crossHalf, crossType, crossAt + c);
            if (squared == 1) {
                float product = 0f;
                for (int k = 0; k < r; k++) {
                    product += gram.get(gramAt + c * r + k) * Elements.get(b, bHalf, bType, bAt + k);
                }
                term += scale * scale * product;
            }
            sum += Elements.get(b, bHalf, bType, bAt + c) * term;
        }
        float total = Reduce.sum(context, sum);
        if (context.localIdx == 0) {
            if (based == 1) {
                float length = base.get(table.get(slot + 1) + row);
                total += length * length;
            }
            if (total < Float.MIN_NORMAL) total = Float.MIN_NORMAL;
            norm.set(table.get(slot) + row, TornadoMath.sqrt(total));
        }
    }

    /// `y[r,c] = magnitude[c] / norm[c] * x[r,c] + bias[c] + residual[r,c]`.
    /// Shapes: y, x, residual `[rows, cols]` and bias `[cols]`, F32, BF16 or F16; magnitude, norm F32 `[cols]`.
    /// A type of bias or residual may be `ProductForm.ABSENT`.
    /// Launch: rows work-groups of `Elements.GROUP` threads.
    /// Numerics: F32, one rounding to the dtype of y. Writes: `=`; y may be x or residual.
    public static void columnScaleForward(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType, FloatArray x, ShortArray xHalf, int xType,
            FloatArray magnitude, FloatArray norm, FloatArray bias, ShortArray biasHalf, int biasType,
            FloatArray residual, ShortArray residualHalf, int residualType, int cols) {
        int row = context.groupIdx;
        int yAt = table.get(slot) + row * cols;
        int xAt = table.get(slot + 1) + row * cols;
        int magnitudeAt = table.get(slot + 2);
        int normAt = table.get(slot + 3);
        int biasAt = table.get(slot + 4);
        int residualAt = table.get(slot + 5) + row * cols;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float factor = magnitude.get(magnitudeAt + c) / norm.get(normAt + c);
            float value = factor * Elements.get(x, xHalf, xType, xAt + c);
            if (biasType != ProductForm.ABSENT) value += Elements.get(bias, biasHalf, biasType, biasAt + c);
            if (residualType != ProductForm.ABSENT) value += Elements.get(residual, residualHalf, residualType, residualAt + c);
            Elements.set(y, yHalf, yType, yAt + c, value);
        }
    }

    /// `dx[r,c] = magnitude[c] / norm[c] * dy[r,c]`.
    /// Shapes: dx, dy `[rows, cols]`, F32, BF16 or F16; magnitude, norm F32 `[cols]`.
    /// Launch and numerics: as `columnScaleForward`. Writes: `=`; dx may be dy, and then `columnScaleBackwardMagnitude` must
    /// have run before.
    public static void columnScaleBackward(KernelContext context, IntArray table, int slot,
            FloatArray dx, ShortArray dxHalf, int dxType, FloatArray dy, ShortArray dyHalf, int dyType,
            FloatArray magnitude, FloatArray norm, int cols) {
        int row = context.groupIdx;
        int dxAt = table.get(slot) + row * cols;
        int dyAt = table.get(slot + 1) + row * cols;
        int magnitudeAt = table.get(slot + 2);
        int normAt = table.get(slot + 3);
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float factor = magnitude.get(magnitudeAt + c) / norm.get(normAt + c);
            Elements.set(dx, dxHalf, dxType, dxAt + c, factor * Elements.get(dy, dyHalf, dyType, dyAt + c));
        }
    }

    /// `dMagnitude[c] += sum_r dy[r,c] * x[r,c] / norm[c]`.
    /// Shapes: dMagnitude, norm F32 `[cols]`; dy, x `[rows, cols]`, F32, BF16 or F16.
    /// Launch: `ceil(cols / Reduce.COLUMNS)` work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: as `ElementwiseKernels.columnSum`. Writes: `+=`.
    public static void columnScaleBackwardMagnitude(KernelContext context, IntArray table, int slot, FloatArray dMagnitude,
            FloatArray dy, ShortArray dyHalf, int dyType, FloatArray x, ShortArray xHalf, int xType,
            FloatArray norm, int rows, int cols) {
        int dMagnitudeAt = table.get(slot);
        int dyAt = table.get(slot + 1);
        int xAt = table.get(slot + 2);
        int normAt = table.get(slot + 3);
        int tileRow = context.localIdx / Reduce.COLUMNS;
        int col = context.groupIdx * Reduce.COLUMNS + context.localIdx - tileRow * Reduce.COLUMNS;
        float sum = 0f;
        if (col < cols) {
            for (int r = tileRow; r < rows; r += Reduce.ROWS) {
                float value = Elements.get(x, xHalf, xType, xAt + r * cols + col);
                sum += Elements.get(dy, dyHalf, dyType, dyAt + r * cols + col) * value;
            }
        }
        float total = Reduce.columns(context, sum);
        if (tileRow == 0) {
            if (col < cols) {
                dMagnitude.set(dMagnitudeAt + col, dMagnitude.get(dMagnitudeAt + col) + total / norm.get(normAt + col));
            }
        }
    }
}
