package dev.gale.kernels.mma;

import dev.gale.kernels.ExpertTileKernels;
import dev.gale.kernels.emulator.KernelEmulator;
import java.util.Arrays;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// How the rows of a matrix belong to experts.
///
/// @param offsets `[E + 1]`
record ExpertRows(int... offsets) {
    /// Experts with so many rows each.
    static ExpertRows counts(int... counts) {
        int[] offsets = new int[counts.length + 1];
        for (int e = 0; e < counts.length; e++) offsets[e + 1] = offsets[e] + counts[e];
        return new ExpertRows(offsets);
    }

    int experts() {
        return offsets.length - 1;
    }

    int total() {
        return offsets[experts()];
    }

    /// The expert of a row.
    int expert(int row) {
        int expert = 0;
        while (offsets[expert + 1] <= row) expert++;
        return expert;
    }

    /// The list of tiles of some experts as the kernel makes it, after a gap.
    IntArray spans(int gap, int first, int count, int rows, int tile) {
        IntArray spans = new IntArray(gap + ExpertTiles.length(rows, count, tile));
        spans.init(-1);
        IntArray given = new IntArray(gap + offsets.length);
        for (int i = 0; i < offsets.length; i++) given.set(gap + i, offsets[i]);
        IntArray table = new IntArray(2);
        table.init(gap);
        int tiles = ExpertTiles.count(rows, count, tile);
        int group = ExpertTileKernels.GROUP;
        int groups = (Math.max(tiles, count + 1) + group - 1) / group;
        KernelEmulator.grid(groups * group).group(group).arrays(spans).run(context -> ExpertTileKernels.expertTiles(context,
                table, 0, spans, given, first, count, tiles, tile));
        return spans;
    }

    @Override
    public String toString() {
        return Arrays.toString(offsets);
    }
}
