package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task11;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// The products of the matrix unit that have a narrow side, as adapters have: a tall BF16 operand is read once, which takes
/// all the time, and the depth is split between work-groups, whose sums `LowRankKernels` adds in a fixed order.
///
/// | product | tall | flat | parts |
/// |---|---|---|---|
/// | low = input aᵀ | input, by row | a, by row | `[.., M, R]` |
/// | dLow = scale dy b | dy, by row | b, by depth | `[.., M, R]` |
/// | dA += dLowᵀ input | input, by depth | dLow, by depth | `[.., R, in]` |
/// | dB += scale dyᵀ low | dy, by depth | low, by depth | `[.., R, out]` |
public enum MmaNarrow {
    BY_ROW_16(NarrowByRow16::narrowByRow16, false, 16),
    BY_ROW_64(NarrowByRow64::narrowByRow64, false, 64),
    BY_DEPTH_16(NarrowByDepth16::narrowByDepth16, true, 16),
    BY_DEPTH_64(NarrowByDepth64::narrowByDepth64, true, 64);

    /// Threads of a work-group.
    public static final int THREADS = 128;

    private static final int TALL = 128;             // rows of the tall operand that a group takes
    private static final int DEPTH = 64;             // of a tile
    private static final int LEAST_DEPTH = 512;
    private static final int MOST_PARTS = 16;

    private final Kernel kernel;
    private final boolean byDepth;
    private final int width;

    /// A kernel: context, table, slot, parts, tall, flat, flatByDepth, rows, cols, depth, partDepth.
    @FunctionalInterface
    public interface Kernel extends Task11<KernelContext, IntArray, Integer, FloatArray, LongArray, FloatArray, Integer,
            Integer, Integer, Integer, Integer> {}

    MmaNarrow(Kernel kernel, boolean byDepth, int width) {
        this.kernel = kernel;
        this.byDepth = byDepth;
        this.width = width;
    }

    /// @param byDepth the tall operand is stored `[depth, rows]` rather than `[rows, depth]`
    /// @param cols    of the flat operand
    public static MmaNarrow of(boolean byDepth, int cols) {
        if (byDepth) return cols <= BY_DEPTH_16.width ? BY_DEPTH_16 : BY_DEPTH_64;
        return cols <= BY_ROW_16.width ? BY_ROW_16 : BY_ROW_64;
    }

    public Kernel kernel() {
        return kernel;
    }

    public boolean byDepth() {
        return byDepth;
    }

    /// Columns of the flat operand that a work-group takes.
    public int width() {
        return width;
    }

    /// How much depth one part sums, from the depth alone.
    public static int partDepth(int depth) {
        return Math.max(LEAST_DEPTH, ((depth + MOST_PARTS - 1) / MOST_PARTS + DEPTH - 1) / DEPTH * DEPTH);
    }

    public static int parts(int depth) {
        return (depth + partDepth(depth) - 1) / partDepth(depth);
    }

    /// Floats from one row of a part to the next.
    public int stride(int rows, int cols) {
        return byDepth ? padded(rows, TALL) : padded(cols, width);
    }

    /// Floats of a part.
    public int partLength(int rows, int cols) {
        return Math.multiplyExact(padded(rows, TALL), padded(cols, width));
    }

    public int groups(int rows, int cols, int depth) {
        return padded(rows, TALL) / TALL * (padded(cols, width) / width) * parts(depth);
    }

    private static int padded(int size, int tile) {
        return (size + tile - 1) / tile * tile;
    }

    /// Element l of a row of the flat operand, or of its last row; 0 beyond the depth.
    public static float element(FloatArray flat, int at, int byDepth, int row, int l, int cols, int depth) {
        int i = Math.min(row, cols - 1);
        int d = MmaTiles.clamp(l, depth, DEPTH);
        float value = flat.get(at + (byDepth == 1 ? d * cols + i : i * depth + d));
        return depth % DEPTH == 0 ? value : l < depth ? value : 0f;
    }

    /// The int of a tile of rows of 64 elements where a pair of a row stands.
    public static int place(int row, int pair) {
        return row * (DEPTH / 2) + (pair >> 2 ^ row & 7) * 4 + (pair & 3);
    }
}
