package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task18;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// The products of the matrix unit that multiply the rows of several experts, of BF16, each with its expert's matrix: how w is
/// stored, what tile a work-group makes.
public enum MmaGrouped {
    FORWARD_128X128(GroupedForward128x128::groupedForward128x128, false, 128, 128),
    FORWARD_64X64(GroupedForward64x64::groupedForward64x64, false, 64, 64),
    BACKWARD_128X128(GroupedBackward128x128::groupedBackward128x128, true, 128, 128),
    BACKWARD_64X64(GroupedBackward64x64::groupedBackward64x64, true, 64, 64);

    /// Threads of a work-group.
    public static final int THREADS = 128;

    /// With fewer work-groups than this, small tiles fill more of a large GPU.
    private static final int FEW_GROUPS = 128;
    /// With fewer rows of an expert than this, small tiles are emptier by more than they are slower.
    private static final int FEW_ROWS = 32;

    private final Kernel kernel;
    private final boolean byDepth;
    private final int rows;
    private final int cols;

    /// A kernel: context, table, slot, y in three views, x, w, low, up, spans, form, count, distance, m, n, k, alpha.
    @FunctionalInterface
    public interface Kernel extends Task18<KernelContext, IntArray, Integer, LongArray, FloatArray, ShortArray, LongArray,
            LongArray, LongArray, LongArray, IntArray, Integer, Integer, Integer, Integer, Integer, Integer, Float> {}

    MmaGrouped(Kernel kernel, boolean byDepth, int rows, int cols) {
        this.kernel = kernel;
        this.byDepth = byDepth;
        this.rows = rows;
        this.cols = cols;
    }

    /// The kernel for `x[j] op(w[e])`. All of them give the same bits.
    ///
    /// @param byDepth w is stored `[k, n]` rather than `[n, k]`
    /// @param count   how many experts share the m rows
    public static MmaGrouped of(boolean byDepth, int m, int n, int count) {
        MmaGrouped large = byDepth ? BACKWARD_128X128 : FORWARD_128X128;
        boolean fills = MmaTiles.groups(m, n, large.rows, large.cols) >= FEW_GROUPS && m / count >= FEW_ROWS;
        if (fills) return large;
        return byDepth ? BACKWARD_64X64 : FORWARD_64X64;
    }

    public Kernel kernel() {
        return kernel;
    }

    /// Whether w is stored `[k, n]`.
    public boolean byDepth() {
        return byDepth;
    }

    /// Rows of a tile.
    public int rows() {
        return rows;
    }

    /// Columns of a tile.
    public int cols() {
        return cols;
    }

    public int groups(int m, int n, int count) {
        return ExpertTiles.count(m, count, rows) * ((n + cols - 1) / cols);
    }
}
