package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Rows of a table by number, and the gradient of that.
///
/// Rows are added in order without atomics: `linkRows` chains the positions that name the same row, and then each chain
/// is walked by the threads of its first position, one a column, with the sum in a register. Walking all ids for each
/// column would leave the device idle, and one work-group per row of the table would start far more than there are
/// different ids in a batch.
public final class LookupKernels {
    /// Threads of a work-group of `gatherRowsBf16`.
    public static final int FOURS_GROUP = 128;

    private LookupKernels() {}

    /// `y[i] = table[ids[i]]`. Shapes: y `[rows, cols]`, weight `[vocab, cols]`, F32, BF16 or F16; ids I32 `[rows]`.
    /// Launch: rows work-groups of `Elements.GROUP` threads. A row whose id is outside the table becomes NaN.
    /// Writes: `=`.
    public static void gatherRows(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType,
            FloatArray weight, ShortArray weightHalf, int weightType, IntArray ids, int cols, int vocab) {
        int yAt = table.get(slot) + context.groupIdx * cols;
        int id = ids.get(table.get(slot + 2) + context.groupIdx);
        int row = TornadoMath.max(0, TornadoMath.min(id, vocab - 1));
        int weightAt = table.get(slot + 1) + row * cols;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) {
            float value = Elements.get(weight, weightHalf, weightType, weightAt + c);
            if (row != id) value = TornadoMath.sqrt(-1f - c);
            Elements.set(y, yHalf, yType, yAt + c, value);
        }
    }

    /// As `gatherRows`, for a BF16 y and weight of rows that 4 divides.
    /// Launch: rows work-groups of `FOURS_GROUP` threads, each thread `Elements.EACH` times four elements at once. Writes: `=`.
    public static void gatherRowsBf16(KernelContext context, IntArray table, int slot, LongArray y, LongArray weight,
            IntArray ids, int cols, int vocab) {
        long[] fours = new long[Elements.EACH];
        int n = cols / 4;
        int yAt = (table.get(slot) >> 2) + context.groupIdx * n;
        int id = ids.get(table.get(slot + 2) + context.groupIdx);
        int row = TornadoMath.max(0, TornadoMath.min(id, vocab - 1));
        int weightAt = (table.get(slot + 1) >> 2) + row * n;
        for (int first = context.localIdx; first < n; first += Elements.EACH * FOURS_GROUP) {
            for (int e = 0; e < Elements.EACH; e++) {
                int i = first + e * FOURS_GROUP;
                if (i < n) fours[e] = weight.get(weightAt + i);
            }
            for (int e = 0; e < Elements.EACH; e++) {
                int i = first + e * FOURS_GROUP;
                if (i < n) y.set(yAt + i, row == id ? fours[e] : Halves.FOUR_TIMES_NAN);
            }
        }
    }

    /// `y[r,i] = x[r, ids[i]]`. Shapes: y `[rows, count]`, x `[rows, cols]`, of one type, F32 or BF16; ids I32 `[count]`.
    /// Launch: one thread an element of y. An id outside x gives NaN. Writes: `=`.
    public static void gatherColumns(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf,
            FloatArray x, ShortArray xHalf, int type, IntArray ids, int n, int count, int cols) {
        int i = context.globalIdx;
        if (i < n) {
            int row = i / count;
            int id = ids.get(table.get(slot + 2) + i - row * count);
            int col = TornadoMath.max(0, TornadoMath.min(id, cols - 1));
            float value = Elements.get(x, xHalf, type, table.get(slot + 1) + row * cols + col);
            if (col != id) value = TornadoMath.sqrt(-1f - col);
            Elements.set(y, yHalf, type, table.get(slot) + i, value);
        }
    }

    /// Chains equal ids: `links[i]` = the next position after i with the same id, or -1;
    /// `links[rows + i]` = 1 where no earlier position has that id, else 0.
    /// Shapes: links I32 `[2 * rows]`, ids I32 `[rows]`.
    /// Launch: `ceil(rows / Elements.GROUP)` work-groups of `Elements.GROUP` threads, one thread a position; 1 KB of
    /// local memory, through which the work-group compares with all ids. Writes: `=`.
    public static void linkRows(KernelContext context, IntArray table, int slot,
            IntArray links, IntArray ids, int rows) {
        int[] tile = context.allocateIntLocalArray(Elements.GROUP);
        int[] pin = new int[1];                      // keeps reads where they stand: see Reduce
        int linksAt = table.get(slot);
        int idsAt = table.get(slot + 1);
        int i = context.globalIdx;
        int id = ids.get(idsAt + TornadoMath.min(i, rows - 1));
        pin[0] = rows;
        int next = pin[0];
        int earliest = i;
        for (int from = 0; from < rows; from += Elements.GROUP) {
            tile[context.localIdx] = ids.get(idsAt + TornadoMath.min(from + context.localIdx, rows - 1));
            context.localBarrier();
            int count = TornadoMath.min(Elements.GROUP, rows - from);
            for (int k = 0; k < count; k++) {
                if (tile[k] == id) {
                    int j = from + k;
                    earliest = TornadoMath.min(earliest, j);
                    if (j > i) next = TornadoMath.min(next, j);
                }
            }
            context.localBarrier();
        }
        if (i < rows) {
            int link = -1;
            if (next < rows) link = next;
            int head = 0;
            if (earliest == i) head = 1;
            links.set(linksAt + i, link);
            links.set(linksAt + rows + i, head);
        }
    }

    /// `dTable[ids[i]] += dy[i]`, in order of i for each row. An id outside the table adds nothing.
    /// Shapes: dTable F32 `[vocab, cols]`, dy `[rows, cols]`, F32, BF16 or F16, ids I32 `[rows]`, links of `linkRows`.
    /// Launch: two dimensions, `ceil(cols / 256)` by rows work-groups of `Elements.GROUP` by 1 threads.
    /// Numerics: F32 sums in order of i, beginning with what was there; deterministic. Writes: `+=`.
    public static void scatterAddRows(KernelContext context, IntArray table, int slot,
            FloatArray dTable, FloatArray dy, ShortArray dyHalf, int dyType,
            IntArray ids, IntArray links, int rows, int cols, int vocab) {
        int dyAt = table.get(slot + 1);
        int linksAt = table.get(slot + 3);
        int i = context.groupIdy;
        int c = context.globalIdx;
        int id = ids.get(table.get(slot + 2) + i);
        int last = -1;
        if (links.get(linksAt + rows + i) == 1) {
            if (id == TornadoMath.max(0, TornadoMath.min(id, vocab - 1))) last = cols;
        }
        if (c < last) {
            int at = table.get(slot) + id * cols + c;
            float sum = dTable.get(at);
            for (int j = i; j >= 0; j = links.get(linksAt + j)) {
                sum += Elements.get(dy, dyHalf, dyType, dyAt + j * cols + c);
            }
            dTable.set(at, sum);
        }
    }
}
