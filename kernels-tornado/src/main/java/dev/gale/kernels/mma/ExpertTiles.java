package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/// Which rows of which expert a tile of a grouped product has, and what its threads do where they end.
///
/// How many rows an expert has is known on the device alone. A list there, the spans, has for `count` experts the `count + 1`
/// rows at which they begin and end, then for each tile its expert, its first row and where its expert's rows end; there are a
/// few tiles more than needed, those without rows. A tile near the end of the matrix is read from further up, whole, so that no
/// thread reads beyond it; in all tiles the rows of other experts are multiplied too and not written.
public final class ExpertTiles {
    private static final int SPAN = 3;

    private ExpertTiles() {}

    /// How many tiles of so many rows are enough for `rows` rows of `count` experts.
    public static int count(int rows, int count, int tile) {
        return rows / tile + count;
    }

    /// Ints of the list.
    public static int length(int rows, int count, int tile) {
        return span(count(rows, count, tile), count);
    }

    /// Where in the list a tile stands.
    public static int span(int tile, int count) {
        return count + 1 + SPAN * tile;
    }

    /// The row from which on a tile is read.
    public static int anchor(int begin, int rows, int tile) {
        return Math.max(0, Math.min(begin, rows - tile));
    }

    /// `index`, or the last one there is, in a matrix of less than a tile.
    public static int clamp(int index, int size, int tile) {
        return size >= tile ? index : Math.min(index, size - 1);
    }

    /// How far one may go from there: any distance within the tile, or to the end of a matrix of less.
    public static int room(int index, int size, int tile) {
        return size >= tile ? tile : size - 1 - index;
    }

    /// `row`, or the last one before `end`; 0 if there is none.
    public static int within(int row, int end) {
        return Math.max(0, Math.min(row, end - 1));
    }

    /// How far one may go from there.
    public static int roomWithin(int row, int end) {
        return Math.max(0, end - 1 - row);
    }

    /// All bits of what stands in a row before `end`, none of others.
    public static int keepWithin(int row, int end) {
        return row < end ? -1 : 0;
    }

    /// How many of an expert's rows each of `parts` sums adds up: whole tiles of so many.
    public static int partDepth(int rows, int parts, int tile) {
        return ((rows + parts - 1) / parts + tile - 1) / tile * tile;
    }

    /// Element (row, column) of a matrix `[.., cols]`, or of its last column; 0 from `end` on.
    public static float element(FloatArray matrix, int at, int row, int column, int cols, int end) {
        float value = matrix.get(at + within(row, end) * cols + Math.min(column, cols - 1));
        return row < end ? value : 0f;
    }
}
