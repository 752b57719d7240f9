package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task11;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task14;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// The products of `MmaNarrow` for the rows of several experts, each with an adapter of its own. By row, for low and dLow, the
/// depth is split between work-groups as there; by depth, for dA and dB, the rows of each expert are.
public enum MmaGroupedNarrow {
    NARROW(GroupedNarrowByRow16::groupedNarrowByRow16, GroupedNarrowByDepth16::groupedNarrowByDepth16, 16),
    WIDE(GroupedNarrowByRow64::groupedNarrowByRow64, GroupedNarrowByDepth64::groupedNarrowByDepth64, 64);

    /// Threads of a work-group.
    public static final int THREADS = MmaNarrow.THREADS;
    /// Rows of the tall operand that a group takes.
    public static final int TALL = 128;

    private static final int ENOUGH_GROUPS = 512;
    private static final int LEAST_ROWS = 256;       // of an expert in a part, on average
    private static final int MOST_PARTS = 16;

    private final ByRow byRow;
    private final ByDepth byDepth;
    private final int width;

    /// A kernel: context, table, slot, parts, tall, flat, spans, flatByDepth, rows, cols, depth, partDepth, count, distance.
    @FunctionalInterface
    public interface ByRow extends Task14<KernelContext, IntArray, Integer, FloatArray, LongArray, FloatArray, IntArray,
            Integer, Integer, Integer, Integer, Integer, Integer, Integer> {}

    /// A kernel: context, table, slot, parts, tall, flat, spans, rows, cols, count, partCount.
    @FunctionalInterface
    public interface ByDepth extends Task11<KernelContext, IntArray, Integer, FloatArray, LongArray, FloatArray, IntArray,
            Integer, Integer, Integer, Integer> {}

    MmaGroupedNarrow(ByRow byRow, ByDepth byDepth, int width) {
        this.byRow = byRow;
        this.byDepth = byDepth;
        this.width = width;
    }

    /// @param cols of the flat operand
    public static MmaGroupedNarrow of(int cols) {
        return cols <= NARROW.width ? NARROW : WIDE;
    }

    public ByRow byRow() {
        return byRow;
    }

    public ByDepth byDepth() {
        return byDepth;
    }

    /// Columns of the flat operand that a work-group takes.
    public int width() {
        return width;
    }

    private int paddedCols(int cols) {
        return (cols + width - 1) / width * width;
    }

    // ---- by row: the parts of the depth are `MmaNarrow.partDepth`'s ----

    public int groups(int rows, int cols, int depth, int count) {
        return ExpertTiles.count(rows, count, TALL) * (paddedCols(cols) / width) * MmaNarrow.parts(depth);
    }

    /// Floats of a part by row, whose rows are as long as `stride`.
    public int partLength(int rows, int cols, int count) {
        return Math.multiplyExact(ExpertTiles.count(rows, count, TALL) * TALL, stride(cols));
    }

    /// Floats from one row of a part by row to the next.
    public int stride(int cols) {
        return paddedCols(cols);
    }

    // ---- by depth ----

    /// In how many parts the rows of an expert are summed, from what is known on the host.
    ///
    /// @param total rows of all experts
    public int parts(int rows, int cols, int total, int count) {
        int groups = groupsOfPart(rows, cols, count);
        int wanted = Math.min((ENOUGH_GROUPS + groups - 1) / groups, total / count / LEAST_ROWS);
        return Math.clamp(wanted, 1, MOST_PARTS);
    }

    /// Work-groups of a part by depth.
    public int groupsOfPart(int rows, int cols, int count) {
        return (rows + TALL - 1) / TALL * (paddedCols(cols) / width) * count;
    }

    /// Floats of the sums of one expert by depth, whose rows are as long as `strideByDepth`.
    public int lengthOfExpert(int rows, int cols) {
        return Math.multiplyExact(strideByDepth(rows), paddedCols(cols));
    }

    /// Floats from one row of a part by depth to the next.
    public int strideByDepth(int rows) {
        return (rows + TALL - 1) / TALL * TALL;
    }
}
