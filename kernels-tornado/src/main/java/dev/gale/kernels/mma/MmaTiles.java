package dev.gale.kernels.mma;

/// Which part of a product a work-group makes, and what its threads do where a matrix ends inside a tile.
///
/// Sizes and tiles are constants when a kernel is compiled, so `clamp`, `room` and `keep` cost nothing where a matrix is
/// a whole number of tiles.
public final class MmaTiles {
    /// Work-groups that follow each other share this many rows of tiles, so that what they read stays in the cache.
    private static final int BAND = 8;

    private MmaTiles() {}

    /// How many work-groups make an `[m, n]` result.
    static int groups(int m, int n, int rows, int cols) {
        return (m + rows - 1) / rows * ((n + cols - 1) / cols);
    }

    /// The first row of a work-group's tile. Groups walk down a band of up to `BAND` rows of tiles, then to the next
    /// column.
    static int top(int group, int m, int n, int rows, int cols) {
        int perBand = BAND * ((n + cols - 1) / cols);
        int band = group / perBand;
        int bandRows = Math.min(BAND, (m + rows - 1) / rows - band * BAND);
        return (band * BAND + (group - band * perBand) % bandRows) * rows;
    }

    /// The first column of a work-group's tile.
    static int left(int group, int m, int n, int rows, int cols) {
        int perBand = BAND * ((n + cols - 1) / cols);
        int band = group / perBand;
        int bandRows = Math.min(BAND, (m + rows - 1) / rows - band * BAND);
        return (group - band * perBand) / bandRows * cols;
    }

    /// `index`, or the last one there is.
    public static int clamp(int index, int size, int tile) {
        return size % tile == 0 ? index : Math.min(index, size - 1);
    }

    /// How far one may go from an index that exists: to the end, or any distance within a tile.
    static int room(int index, int size, int tile) {
        return size % tile == 0 ? tile : size - 1 - index;
    }

    /// All bits of what stands at an index that exists, none of others.
    static int keep(int index, int size, int tile) {
        return size % tile == 0 ? -1 : index < size ? -1 : 0;
    }

    /// The lower halves of two ints side by side.
    static int lower(int first, int second) {
        return first & 0xffff | second << 16;
    }

    /// The upper halves of two ints side by side. The shift is signed: after an unsigned one the compiler takes the mask for
    /// superfluous, and the CUDA backend shifts with the sign all the same.
    public static int upper(int first, int second) {
        return first >> 16 & 0xffff | second & 0xffff0000;
    }
}
