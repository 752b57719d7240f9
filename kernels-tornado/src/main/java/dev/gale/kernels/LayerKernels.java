package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// What layers of other families than Llama are made of. Numerics: F32 arithmetic, one rounding to the dtype of the result.
public final class LayerKernels {
    private LayerKernels() {}

    /// `y = softcap(factor * x)`, `softcap(z) = cap * tanh(z / cap)` when cap is positive, else z.
    /// Shapes: both `[n]`, F32, BF16 or F16. Launch: as `ElementwiseKernels`. Writes: `=`; y may be x.
    public static void scale(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf, int yType,
            FloatArray x, ShortArray xHalf, int xType, int n, float factor, float cap) {
        int yAt = table.get(slot);
        int xAt = table.get(slot + 1);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        float[] values = new float[Elements.EACH];
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) values[e] = factor * Elements.get(x, xHalf, xType, xAt + i);
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) {
                float value = values[e];
                if (cap > 0f) value = cap * TornadoMath.tanh(value / cap);
                Elements.set(y, yHalf, yType, yAt + i, value);
            }
        }
    }

    /// `dst[r, to + b * toStep + c] = src[r, from + b * fromStep + c]` for every block b and column c < width; a toStep of 0
    /// sums blocks.
    /// Shapes: dst `[rows, dstCols]`, src `[rows, srcCols]`, F32, BF16 or F16.
    /// Launch: rows work-groups of `Elements.GROUP` threads. Numerics: a sum is in order of b.
    /// Writes: `=` or, with accumulate 1, `+=`.
    public static void copyColumns(KernelContext context, IntArray table, int slot, FloatArray dst, ShortArray dstHalf,
            int dstType, FloatArray src, ShortArray srcHalf, int srcType, int dstCols, int srcCols, int blocks, int width,
            int from, int fromStep, int to, int toStep, int accumulate) {
        int dstAt = table.get(slot) + context.groupIdx * dstCols + to;
        int srcAt = table.get(slot + 1) + context.groupIdx * srcCols + from;
        int terms = toStep == 0 ? blocks : 1;
        int n = toStep == 0 ? width : blocks * width;
        for (int i = context.localIdx; i < n; i += Elements.GROUP) {
            int block = i / width;
            int c = i - block * width;
            int at = dstAt + block * toStep + c;
            int read = srcAt + block * fromStep + c;
            float sum = Elements.get(src, srcHalf, srcType, read);
            if (accumulate == 1) sum = sum + Elements.get(dst, dstHalf, dstType, at);
            for (int term = 1; term < terms; term++) sum += Elements.get(src, srcHalf, srcType, read + term * fromStep);
            Elements.set(dst, dstHalf, dstType, at, sum);
        }
    }

    /// `y[r,c] = (x[r,c] - mean[r]) * rstd[r] * w[c] + bias[c]`, `rstd[r] = 1 / sqrt(mean_c((x[r,c] - mean[r])^2) + eps)`.
    /// Shapes: y, x `[rows, cols]`, F32, BF16 or F16; w, bias `[cols]`, of one type; stats F32: mean, rstd `[rows]`.
    /// Launch: rows work-groups of `Elements.GROUP` threads; 2 KB of local memory.
    /// Numerics: each thread sums every 256th element, then a tree; F32, deterministic. Writes: `=`.
    /// Source: Ba et al. 2016, arXiv 1607.06450.
    public static void layerNormForward(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf,
            int yType, FloatArray mean, FloatArray rstd, FloatArray x, ShortArray xHalf, int xType, FloatArray w,
            ShortArray wHalf, FloatArray bias, ShortArray biasHalf, int wType, int cols, float eps) {
        int row = context.groupIdx;
        int yAt = table.get(slot) + row * cols;
        int xAt = table.get(slot + 3) + row * cols;
        int wAt = table.get(slot + 4);
        int biasAt = table.get(slot + 5);
        float sum = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) sum += Elements.get(x, xHalf, xType, xAt + c);
        float center = Reduce.sum(context, sum) / cols;
        float squares = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float value = Elements.get(x, xHalf, xType, xAt + c) - center;
            squares += value * value;
        }
        float scale = 1f / TornadoMath.sqrt(Reduce.sum(context, squares) / cols + eps);
        if (context.localIdx == 0) {
            mean.set(table.get(slot + 1) + row, center);
            rstd.set(table.get(slot + 2) + row, scale);
        }
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float normed = (Elements.get(x, xHalf, xType, xAt + c) - center) * scale;
            float value = normed * Elements.get(w, wHalf, wType, wAt + c)
                    + Elements.get(bias, biasHalf, wType, biasAt + c);
            Elements.set(y, yHalf, yType, yAt + c, value);
        }
    }

    /// With `xhat = (x - mean) * rstd`, `g = dy * w`: `dx = rstd * (g - mean_c(g) - xhat * mean_c(g * xhat))`.
    /// Shapes: dx, dy, x `[rows, cols]`, of one type, F32, BF16 or F16; w `[cols]`; mean, rstd F32 `[rows]`.
    /// Launch, Numerics: as `layerNormForward`. Writes: `=` or, with accumulate 1, `+=`; dx may be dy when not accumulating,
    /// and then `layerNormBackwardWeight` must have run before.
    public static void layerNormBackward(KernelContext context, IntArray table, int slot, FloatArray dx, ShortArray dxHalf,
            FloatArray dy, ShortArray dyHalf, FloatArray x, ShortArray xHalf, int type, FloatArray w, ShortArray wHalf,
            int wType, FloatArray mean, FloatArray rstd, int cols, int accumulate) {
        int row = context.groupIdx;
        int dxAt = table.get(slot) + row * cols;
        int dyAt = table.get(slot + 1) + row * cols;
        int xAt = table.get(slot + 2) + row * cols;
        int wAt = table.get(slot + 3);
        float center = mean.get(table.get(slot + 4) + row);
        float scale = rstd.get(table.get(slot + 5) + row);
        float sum = 0f;
        float products = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float g = Elements.get(dy, dyHalf, type, dyAt + c) * Elements.get(w, wHalf, wType, wAt + c);
            sum += g;
            products += g * ((Elements.get(x, xHalf, type, xAt + c) - center) * scale);
        }
        float gMean = Reduce.sum(context, sum) / cols;
        float productMean = Reduce.sum(context, products) / cols;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float g = Elements.get(dy, dyHalf, type, dyAt + c) * Elements.get(w, wHalf, wType, wAt + c);
            float normed = (Elements.get(x, xHalf, type, xAt + c) - center) * scale;
            float value = scale * (g - gMean - normed * productMean);
            if (accumulate == 1) value = value + Elements.get(dx, dxHalf, type, dxAt + c);
            Elements.set(dx, dxHalf, type, dxAt + c, value);
        }
    }

    /// `dw[c] += sum_r dy[r,c] * (x[r,c] - mean[r]) * rstd[r]`.
    /// Shapes: dw F32 `[cols]`; dy, x `[rows, cols]`, F32, BF16 or F16; mean, rstd F32 `[rows]`.
    /// Launch: `ceil(cols / Reduce.COLUMNS)` work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: as `ElementwiseKernels.columnSum`. Writes: `+=`.
    public static void layerNormBackwardWeight(KernelContext context, IntArray table, int slot, FloatArray dw, FloatArray dy,
            ShortArray dyHalf, int dyType, FloatArray x, ShortArray xHalf, int xType, FloatArray mean, FloatArray rstd,
            int rows, int cols) {
        int dwAt = table.get(slot);
        int dyAt = table.get(slot + 1);
        int xAt = table.get(slot + 2);
        int meanAt = table.get(slot + 3);
        int rstdAt = table.get(slot + 4);
        int tileRow = context.localIdx / Reduce.COLUMNS;
        int col = context.groupIdx * Reduce.COLUMNS + context.localIdx - tileRow * Reduce.COLUMNS;
        float sum = 0f;
        if (col < cols) {
            for (int r = tileRow; r < rows; r += Reduce.ROWS) {
                float centered = Elements.get(x, xHalf, xType, xAt + r * cols + col) - mean.get(meanAt + r);
                sum += Elements.get(dy, dyHalf, dyType, dyAt + r * cols + col) * (centered * rstd.get(rstdAt + r));
            }
        }
        float total = Reduce.columns(context, sum);
        if (tileRow == 0) {
            if (col < cols) dw.set(dwAt + col, dw.get(dwAt + col) + total);
        }
    }
}
