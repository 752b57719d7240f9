package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task20;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// The products of the matrix unit: which elements, how w is stored, what tile a work-group makes.
public enum MmaProduct {
    BF16_FORWARD_128X128(Bf16Forward128x128::bf16Forward128x128, true, false, 128, 128, 128),
    BF16_FORWARD_64X64(Bf16Forward64x64::bf16Forward64x64, true, false, 64, 64, 128),
    BF16_BACKWARD_128X128(Bf16Backward128x128::bf16Backward128x128, true, true, 128, 128, 128),
    BF16_BACKWARD_64X64(Bf16Backward64x64::bf16Backward64x64, true, true, 64, 64, 128),
    F16_FORWARD_128X128(F16Forward128x128::f16Forward128x128, false, false, 128, 128, 128),
    F16_FORWARD_64X64(F16Forward64x64::f16Forward64x64, false, false, 64, 64, 128),
    F16_BACKWARD_128X128(F16Backward128x128::f16Backward128x128, false, true, 128, 128, 128),
    F16_BACKWARD_64X64(F16Backward64x64::f16Backward64x64, false, true, 64, 64, 128);

    /// With fewer work-groups than this, small tiles fill more of a large GPU.
    private static final int FEW_GROUPS = 128;
    /// Of a low-rank term that a step along k takes.
    private static final int RANKS = 32;

    private final Kernel kernel;
    private final boolean bf16;
    private final boolean byDepth;
    private final int rows;
    private final int cols;
    private final int threads;

    /// A kernel: context, table, slot, y in three views, x, w, bias in two views, residual in three, low, up, form, m, n, k,
    /// alpha.
    @FunctionalInterface
    public interface Kernel extends Task20<KernelContext, IntArray, Integer, LongArray, FloatArray, ShortArray, LongArray,
            LongArray, FloatArray, ShortArray, LongArray, FloatArray, ShortArray, LongArray, LongArray, Integer, Integer,
            Integer, Integer, Float> {}

    MmaProduct(Kernel kernel, boolean bf16, boolean byDepth, int rows, int cols, int threads) {
        this.kernel = kernel;
        this.bf16 = bf16;
        this.byDepth = byDepth;
        this.rows = rows;
        this.cols = cols;
        this.threads = threads;
    }

    /// The kernel for `x op(w)`. All of them give the same bits.
    ///
    /// @param bf16    x and w are BF16 rather than F16
    /// @param byDepth w is stored `[k, n]` rather than `[n, k]`
    public static MmaProduct of(boolean bf16, boolean byDepth, int m, int n) {
        MmaProduct large = byDepth ? bf16 ? BF16_BACKWARD_128X128 : F16_BACKWARD_128X128
                : bf16 ? BF16_FORWARD_128X128 : F16_FORWARD_128X128;
        if (large.groups(m, n) >= FEW_GROUPS) return large;
        return byDepth ? bf16 ? BF16_BACKWARD_64X64 : F16_BACKWARD_64X64
                : bf16 ? BF16_FORWARD_64X64 : F16_FORWARD_64X64;
    }

    /// Whether the rows of both operands are whole numbers of longs, and not empty.
    public static boolean takes(boolean byDepth, int n, int k) {
        return k > 0 && k % 4 == 0 && (!byDepth || n % 4 == 0);
    }

    public Kernel kernel() {
        return kernel;
    }

    public boolean bf16() {
        return bf16;
    }

    /// Whether w is stored `[k, n]`.
    public boolean byDepth() {
        return byDepth;
    }

    /// Threads of a work-group.
    public int threads() {
        return threads;
    }

    public int groups(int m, int n) {
        return MmaTiles.groups(m, n, rows, cols);
    }

    /// The rank of a low-rank term as kernels take it, with columns of zeros.
    public static int paddedRank(int rank) {
        return (rank + RANKS - 1) / RANKS * RANKS;
    }

    /// Rows of the sums of m rows: a whole number of tiles.
    public int sumRows(int m) {
        return (m + rows - 1) / rows * rows;
    }

    /// Columns of the sums of n columns: a whole number of tiles.
    public int sumCols(int n) {
        return (n + cols - 1) / cols * cols;
    }
}
