package dev.gale.tensor.cpu;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import java.util.Arrays;
import java.util.Objects;

/// How attention cuts its operands into blocks. A block of rows holds some queries of some heads that share a key-value
/// head, so that a packed block of keys serves all of them: row r is query `r / heads`, head `r % heads`.
final class AttentionRows {
    /// Keys in a block; rows in a block at most. Neither exceeds `Tile.DEPTH`: scores are operands of products, too.
    static final int KEYS = 128;
    private static final int ROWS = 192;
    private static final int MOST_HEADS = 64;

    final AttentionSpec spec;
    final int width;                      // of a head
    final int stride;                     // between rows of a head in scratch
    final int queries;                    // M
    final int keys;                       // S
    final int[] start;
    final int[] stop;
    private final int group;
    private final int headsPerBlock;
    private final int queriesPerBlock;
    private final int headBlocks;
    private final int queryBlocks;

    AttentionRows(Tensor q, Tensor k, int[] start, int[] stop, AttentionSpec spec) {
        this.spec = spec;
        this.start = start;
        this.stop = stop;
        width = spec.headDim();
        stride = Lanes.roundUp(width);
        queries = q.rows();
        keys = k.rows();
        group = spec.numHeads() / spec.numKvHeads();
        headsPerBlock = Math.min(group, MOST_HEADS);
        queriesPerBlock = Math.max(1, ROWS / headsPerBlock);
        headBlocks = Math.ceilDiv(group, headsPerBlock);
        queryBlocks = Math.ceilDiv(queries, queriesPerBlock);
        for (int i = 0; i < start.length; i++) {
            if (start[i] < stop[i]) Objects.checkFromToIndex(start[i], stop[i], keys);
        }
    }

    /// Some queries of some heads.
    ///
    /// @param kvHead the head of keys and values that all share
    /// @param head   first query head, counted over all
    final class Block {
        final int kvHead;
        final int head;
        final int heads;
        final int query;
        final int count;
        final int rows;
        final int firstKey;               // of all that some row sees
        final int endKey;

        private Block(int kvHead, int headBlock, int queryBlock) {
            this.kvHead = kvHead;
            int from = headBlock * headsPerBlock;
            head = kvHead * group + from;
            heads = Math.min(headsPerBlock, group - from);
            query = queryBlock * queriesPerBlock;
            count = Math.min(queriesPerBlock, queries - query);
            rows = heads * count;
            int first = Integer.MAX_VALUE;
            int end = 0;
            for (int i = query; i < query + count; i++) {
                if (start[i] >= stop[i]) continue;
                first = Math.min(first, start[i]);
                end = Math.max(end, stop[i]);
            }
            firstKey = Math.min(first, end);
            endKey = end;
        }

        int queryOf(int row) {
            return query + row / heads;
        }

        /// Place of a row's number in an array `[H, M]`.
        int statistic(int row) {
            return (head + row % heads) * queries + queryOf(row);
        }

        /// First key that one of these rows sees.
        int first(int fromRow, int endRow) {
            int first = Integer.MAX_VALUE;
            for (int i = queryOf(fromRow); i <= queryOf(endRow - 1); i++) {
                if (start[i] < stop[i]) first = Math.min(first, start[i]);
            }
            return first;
        }

        /// End of the keys that one of these rows sees.
        int end(int fromRow, int endRow) {
            int end = 0;
            for (int i = queryOf(fromRow); i <= queryOf(endRow - 1); i++) {
                if (start[i] < stop[i]) end = Math.max(end, stop[i]);
            }
            return end;
        }

        /// Rows of q, o or dO as `[rows, stride]`, zeros in the padding.
        void load(float[] to, Tensor x) {
            for (int r = 0; r < rows; r++) {
                Lanes.load(to, r * stride, x, offset(r), width);
                Arrays.fill(to, r * stride + width, (r + 1) * stride, 0f);
            }
        }

        /// Writes rows `from`, `fromStride` apart, to o or dq.
        void store(Tensor x, float[] from, int fromStride) {
            for (int r = 0; r < rows; r++) Lanes.store(x, offset(r), from, r * fromStride, width);
        }

        private long offset(int row) {
            return (long) queryOf(row) * spec.queryWidth() + (long) (head + row % heads) * width;
        }
    }

    /// Number of blocks of each key-value head.
    int blocksPerHead() {
        return headBlocks * queryBlocks;
    }

    /// Blocks with late queries come last: under a causal mask they are the longest.
    Block block(int kvHead, int index) {
        return new Block(kvHead, index % headBlocks, index / headBlocks);
    }

    int keyBlocks() {
        return Math.ceilDiv(keys, KEYS);
    }

    /// Rows of k or v of one head as `[count, stride]`, zeros in the padding.
    void loadKeys(float[] to, Tensor x, int kvHead, int from, int count) {
        for (int j = 0; j < count; j++) {
            Lanes.load(to, j * stride, x, (long) (from + j) * spec.keyWidth() + (long) kvHead * width, width);
            Arrays.fill(to, j * stride + width, (j + 1) * stride, 0f);
        }
    }

    void storeKeys(Tensor x, float[] from, int fromStride, int kvHead, int key, int count) {
        for (int j = 0; j < count; j++) {
            Lanes.store(x, (long) (key + j) * spec.keyWidth() + (long) kvHead * width, from, j * fromStride, width);
        }
    }

    /// Part of `left * right`: one tile of rows, panels [fromPanel, endPanel) in columns, all of depth.
    static void scores(float[] out, float[] left, int row, int paddedRows, float[] right, int paddedCols, int depth,
                       int fromCol, int endCol) {
        for (int col = fromCol / Tile.COLS * Tile.COLS; col < endCol; col += Tile.COLS) {
            for (int k = 0; k < depth; k += Tile.DEPTH) {
                int slice = Math.min(Tile.DEPTH, depth - k);
                Tile.multiply(left, k * paddedRows + row * Tile.DEPTH, right, k * paddedCols + col * slice, slice,
                        out, row * Tile.DEPTH + col, Tile.DEPTH, k > 0);
            }
        }
    }

    /// `out += weights * right` for one tile of rows, of which the weights [from, end) count; right has `depth` rows.
    static void weighted(float[] out, int outStride, float[] weights, int row, int from, int end, float[] right,
                         int depth, int cols) {
        if (from >= end) return;
        for (int col = 0; col < cols; col += Tile.COLS) {
            Tile.multiply(weights, row * Tile.DEPTH + from, right, col * depth + from * Tile.COLS, end - from,
                    out, row * outStride + col, outStride, true);
        }
    }
}
