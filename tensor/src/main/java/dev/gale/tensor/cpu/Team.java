package dev.gale.tensor.cpu;

import java.util.Arrays;

/// Threads and their working memory.
final class Team implements AutoCloseable {
    /// Elements that elementwise loops take at a time: a few arrays of that size stay in the first-level cache.
    static final int BLOCK = 1024;
    private static final long GRAIN = 16 * BLOCK;
    private static final int CACHE_LINE = 16;

    final Workers workers;
    private final Scratch[] scratch;

    Team(Workers workers) {
        this.workers = workers;
        scratch = new Scratch[workers.threads()];
        Arrays.setAll(scratch, i -> new Scratch());
    }

    /// A body that takes `count <= BLOCK` elements from `at` on.
    @FunctionalInterface
    interface BlockBody {
        void run(long at, int count, Scratch scratch);
    }

    /// A body that takes one row or task.
    @FunctionalInterface
    interface RowBody {
        void run(int row, Scratch scratch);
    }

    /// A body that takes columns [from, to).
    @FunctionalInterface
    interface ColumnBody {
        void run(int from, int to, Scratch scratch);
    }

    Scratch scratch(int worker) {
        return scratch[worker];
    }

    /// Covers [0, n) in blocks.
    void blocks(long n, BlockBody body) {
        workers.parallelRanges(n, GRAIN, (from, to, worker) -> {
            for (long at = from; at < to; at += BLOCK) body.run(at, (int) Math.min(BLOCK, to - at), scratch[worker]);
        });
    }

    /// Covers rows, several at a time when they are short.
    void rows(int rows, int elementsPerRow, RowBody body) {
        workers.parallelRanges(rows, Math.max(1, GRAIN / Math.max(1, elementsPerRow)), (from, to, worker) -> {
            for (long row = from; row < to; row++) body.run((int) row, scratch[worker]);
        });
    }

    /// Covers columns in ranges of at most `BLOCK`, for sums over `rows` rows that must be taken in order.
    void columns(int cols, int rows, ColumnBody body) {
        long grain = Math.clamp(GRAIN / Math.max(1, rows) / CACHE_LINE * CACHE_LINE, CACHE_LINE, BLOCK);
        workers.parallelRanges(cols, grain, (from, to, worker) -> {
            for (long at = from; at < to; at += BLOCK) {
                body.run((int) at, (int) Math.min(at + BLOCK, to), scratch[worker]);
            }
        });
    }

    /// Runs n tasks that are long enough to be handed out one by one.
    void tasks(int n, RowBody body) {
        workers.parallelFor(n, (task, worker) -> body.run(task, scratch[worker]));
    }

    long bytes() {
        return Arrays.stream(scratch).mapToLong(Scratch::bytes).sum();
    }

    @Override
    public void close() {
        workers.close();
    }
}
