package dev.gale.kernels;

import dev.gale.kernels.mma.ExpertTiles;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// What stands before and after the products of experts on the matrix unit: the list of their tiles, and what tiles of
/// a narrow product add up to.
public final class ExpertTileKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;

    private ExpertTileKernels() {}

    /// The list that `ExpertTiles` describes.
    /// Shapes: spans I32 `[ExpertTiles.length]`, offsets I32 `[E + 1]`. Operands in the table in that order.
    /// Launch: `Grid.threads(max(tiles, count + 1), GROUP)`. Writes: `=`.
    ///
    /// @param first number of the first expert of the list, and count how many there are
    /// @param tiles from `ExpertTiles.count`
    /// @param tile  rows of a tile
    public static void expertTiles(KernelContext context, IntArray table, int slot, IntArray spans, IntArray offsets, int first,
            int count, int tiles, int tile) {
        int i = context.globalIdx;
        int at = table.get(slot);
        int atOffsets = table.get(slot + 1) + first;
        if (i <= count) spans.set(at + i, offsets.get(atOffsets + i));
        if (i < tiles) {
            int expert = 0;
            int top = 0;
            int end = 0;
            int passed = 0;
            for (int e = 0; e < count; e++) {
                int begin = offsets.get(atOffsets + e);
                int stop = offsets.get(atOffsets + e + 1);
                int mine = i - passed;
                passed += (stop - begin + tile - 1) / tile;
                if (mine >= 0) {
                    if (i < passed) {
                        expert = e;
                        top = begin + mine * tile;
                        end = stop;
                    }
                }
            }
            int span = at + ExpertTiles.span(i, count);
            spans.set(span, expert);
            spans.set(span + 1, top);
            spans.set(span + 2, end);
        }
    }

    /// `low[i, j] = alpha * sum_p parts[p, i, j]`, and `copy = copyAlpha * sum_p ..` in BF16 with columns of zeros, for the
    /// rows i of all tiles.
    /// Shapes: low F32 `[rows, cols]`, copy BF16 `[rows, copyCols]`, seen as ints of two elements, copyCols even and at least
    /// cols; parts F32, `partLength` each, rows of `stride`, from a product with these spans, I32. Operands in the table: low,
    /// copy, parts, spans.
    /// Launch: `Grid.threads(tiles * tile * copyCols / 2, GROUP)`. Numerics: serial F32 sums. Writes: `=`.
    ///
    /// @param count how many experts there are, and tiles from `ExpertTiles.count`, of `tile` rows
    public static void addExpertLow(KernelContext context, IntArray table, int slot, FloatArray low, IntArray copy,
            FloatArray parts, IntArray spans, int rows, int cols, int copyCols, int count, int tiles, int tile, int partCount,
            int partLength, int stride, float alpha, float copyAlpha) {
        int i = context.globalIdx;
        int zero = context.localIdx >> 10;
        if (i < tiles * tile * (copyCols / 2)) {
            int line = i / (copyCols / 2);
            int col = i % (copyCols / 2) * 2;
            int span = table.get(slot + 3) + ExpertTiles.span(line / tile, count);
            int begin = spans.get(span + 1);
            int end = spans.get(span + 2);
            int row = ExpertTiles.anchor(begin, rows, tile) + line % tile;
            if (row >= begin) {
                if (row < end) {
                    int atLow = table.get(slot) + row * cols + col;
                    int at = table.get(slot + 2) + line * stride + col;
                    float one = 0f;
                    float other = 0f;
                    if (col < cols) {
                        for (int p = 0; p < partCount; p++) one += parts.get(at + p * partLength);
                        low.set(atLow, alpha * one);
                    }
                    if (col + 1 < cols) {
                        for (int p = 0; p < partCount; p++) other += parts.get(at + p * partLength + 1);
                        low.set(atLow + 1, alpha * other);
                    }
                    int half = Halves.bits(copyAlpha * other, zero);
                    copy.set(table.get(slot + 1) / 2 + row * (copyCols / 2) + col / 2,
                            Halves.bits(copyAlpha * one, zero) | half << 16);
                }
            }
        }
    }
}
