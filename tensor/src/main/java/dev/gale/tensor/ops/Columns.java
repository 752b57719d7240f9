package dev.gale.tensor.ops;

/// Blocks of columns that `LayerOps.copyColumns` takes from one matrix to another.
///
/// @param blocks   how many, at least 1
/// @param width    columns of a block, at least 1
/// @param from     first column of the first block in the source
/// @param fromStep columns from a block to the next there, 0 when all are the same
/// @param to       first column of the first block in the destination
/// @param toStep   columns from a block to the next there, 0 when all are summed in one
public record Columns(int blocks, int width, int from, int fromStep, int to, int toStep) {
    public Columns {
        if (blocks < 1 || width < 1) throw new IllegalArgumentException("no columns: %d blocks of %d".formatted(blocks, width));
        if (from < 0 || to < 0 || !apart(blocks, width, fromStep) || !apart(blocks, width, toStep)) {
            throw new IllegalArgumentException("blocks of %d columns from %d step %d to %d step %d overlap or lie outside"
                    .formatted(width, from, fromStep, to, toStep));
        }
    }

    private static boolean apart(int blocks, int width, int step) {
        return step == 0 || step >= width || blocks == 1 && step > 0;
    }

    /// One block.
    public static Columns range(int width, int from, int to) {
        return new Columns(1, width, from, 0, to, 0);
    }

    /// The way back.
    public Columns reversed() {
        return new Columns(blocks, width, to, toStep, from, fromStep);
    }

    /// One past the last column that is read.
    public int sourceEnd() {
        return from + (blocks - 1) * fromStep + width;
    }

    /// One past the last column that is written.
    public int destinationEnd() {
        return to + (blocks - 1) * toStep + width;
    }

    /// Different columns that are written.
    public int written() {
        return toStep == 0 ? width : blocks * width;
    }
}
