package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Kernels that make each element of their result from the same element of their operands.
///
/// Launch, unless a kernel says otherwise: `ceil(n / Elements.BLOCK)` work-groups of `Elements.GROUP` threads, each
/// thread `Elements.EACH` elements, neighbouring threads neighbouring elements. n is at least 1.
/// Numerics: F32 arithmetic, one rounding to the dtype of the result.
public final class ElementwiseKernels {
    private ElementwiseKernels() {}

    /// `y = value`. Shapes: y `[n]`, F32, BF16 or F16. Writes: `=`.
    public static void fill(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType, int n, float value) {
        int yAt = table.get(slot);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) Elements.set(y, yHalf, yType, yAt + i, value);
        }
    }

    /// `y = value`. Shapes: y `[n]`, I32. Writes: `=`. Seen as I32, an F32 tensor can be filled with any bits.
    public static void fillInts(KernelContext context, IntArray table, int slot, IntArray y, int n, int value) {
        int yAt = table.get(slot);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) y.set(yAt + i, value);
        }
    }

    /// `dst = src`. Shapes: both `[n]`, F32, BF16 or F16. Numerics: to nearest even. Writes: `=`.
    public static void copy(KernelContext context, IntArray table, int slot,
            FloatArray dst, ShortArray dstHalf, int dstType,
            FloatArray src, ShortArray srcHalf, int srcType, int n) {
        int dstAt = table.get(slot);
        int srcAt = table.get(slot + 1);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        float[] values = new float[Elements.EACH];
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) values[e] = Elements.get(src, srcHalf, srcType, srcAt + i);
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) Elements.set(dst, dstHalf, dstType, dstAt + i, values[e]);
        }
    }

    /// `y = a + b`. Shapes: all `[n]`, F32, BF16 or F16. Writes: `=`; y may be a or b.
    public static void add(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType,
            FloatArray a, ShortArray aHalf, int aType,
            FloatArray b, ShortArray bHalf, int bType, int n) {
        int yAt = table.get(slot);
        int aAt = table.get(slot + 1);
        int bAt = table.get(slot + 2);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        float[] sums = new float[Elements.EACH];
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) sums[e] = Elements.get(a, aHalf, aType, aAt + i) + Elements.get(b, bHalf, bType, bAt + i);
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) Elements.set(y, yHalf, yType, yAt + i, sums[e]);
        }
    }

    /// `y += scale * x`. Shapes: both `[n]`, F32, BF16 or F16. Writes: `+=`.
    public static void addScaled(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType,
            FloatArray x, ShortArray xHalf, int xType, int n, float scale) {
        int yAt = table.get(slot);
        int xAt = table.get(slot + 1);
        int first = context.groupIdx * Elements.BLOCK + context.localIdx;
        float[] sums = new float[Elements.EACH];
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) {
                float share = scale * Elements.get(x, xHalf, xType, xAt + i);
                sums[e] = Elements.get(y, yHalf, yType, yAt + i) + share;
            }
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            if (i < n) Elements.set(y, yHalf, yType, yAt + i, sums[e]);
        }
    }

    /// Sum over rows. Shapes: x `[rows, cols]`, F32, BF16 or F16; sums `[cols]`, F32.
    /// Launch: `ceil(cols / Reduce.COLUMNS)` work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    /// Numerics: thread row t sums rows t, t + 8, t + 16 and so on, a tree adds the eight sums, then what was there;
    /// F32, deterministic. Writes: `+=`.
    public static void columnSum(KernelContext context, IntArray table, int slot,
            FloatArray sums, FloatArray x, ShortArray xHalf, int xType, int rows, int cols) {
        int sumsAt = table.get(slot);
        int xAt = table.get(slot + 1);
        int tileRow = context.localIdx / Reduce.COLUMNS;
        int col = context.groupIdx * Reduce.COLUMNS + context.localIdx - tileRow * Reduce.COLUMNS;
        float sum = 0f;
        if (col < cols) {
            for (int r = tileRow; r < rows; r += Reduce.ROWS) {
                sum += Elements.get(x, xHalf, xType, xAt + r * cols + col);
            }
        }
        float total = Reduce.columns(context, sum);
        if (tileRow == 0) {
            if (col < cols) sums.set(sumsAt + col, sums.get(sumsAt + col) + total);
        }
    }
}
