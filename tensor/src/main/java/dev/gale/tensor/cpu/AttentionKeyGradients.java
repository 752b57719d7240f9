package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;
import static dev.gale.tensor.cpu.Lanes.WIDTH;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Gradients of attention with respect to keys and values: one block of keys against every block of rows that sees it,
/// in order; scores lie transposed, a row per key.
final class AttentionKeyGradients {
    private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());

    private final AttentionRows layout;
    private final Tensor dk;
    private final Tensor dv;
    private final Tensor dO;
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;
    private final float[] lse;
    private final float[] delta;

    AttentionKeyGradients(AttentionRows layout, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v,
                          float[] lse, float[] delta) {
        this.layout = layout;
        this.dk = dk;
        this.dv = dv;
        this.dO = dO;
        this.q = q;
        this.k = k;
        this.v = v;
        this.lse = lse;
        this.delta = delta;
    }

    void run(Team team) {
        int heads = layout.spec.numKvHeads();
        team.tasks(heads * layout.keyBlocks(), (task, scratch) ->
                block(task % heads, task / heads * AttentionRows.KEYS, scratch));
    }

    /// What stands above each column of a block of scores: its row's range of keys and statistics. Padding sees no key.
    private static final class Columns {
        private final int[] start;
        private final int[] stop;
        private final float[] lse;
        private final float[] delta;

        private Columns(int size) {
            start = new int[size];
            stop = new int[size];
            lse = new float[size];
            delta = new float[size];
        }
    }

    private Columns columns(AttentionRows.Block block) {
        Columns columns = new Columns(Tile.paddedCols(block.rows));
        for (int r = 0; r < block.rows; r++) {
            columns.start[r] = layout.start[block.queryOf(r)];
            columns.stop[r] = layout.stop[block.queryOf(r)];
            columns.lse[r] = lse[block.statistic(r)];
            columns.delta[r] = delta[block.statistic(r)];
        }
        return columns;
    }

    /// Operands of one block of keys.
    private record Keys(int first, int count, float[] left, float[] leftValues, float[] dk, float[] dv,
                        int outStride) {}

    private void block(int kvHead, int first, Scratch scratch) {
        int count = Math.min(AttentionRows.KEYS, layout.keys - first);
        int padded = Tile.paddedRows(count);
        int outStride = Tile.paddedCols(layout.width);
        float[] staged = scratch.get(Use.ROWS, AttentionRows.KEYS * layout.stride);
        Keys keys = new Keys(first, count, scratch.get(Use.LEFT, Tile.leftSize(count, layout.width)),
                scratch.get(Use.STAGE, Tile.leftSize(count, layout.width)), scratch.get(Use.OUT, padded * outStride),
                scratch.get(Use.MORE_OUT, padded * outStride), outStride);
        Arrays.fill(keys.dk, 0, padded * outStride, 0f);
        Arrays.fill(keys.dv, 0, padded * outStride, 0f);
        layout.loadKeys(staged, k, kvHead, first, count);
        Tile.packLeft(keys.left, staged, layout.stride, count, layout.width);
        layout.loadKeys(staged, v, kvHead, first, count);
        Tile.packLeft(keys.leftValues, staged, layout.stride, count, layout.width);
        for (int i = 0; i < layout.blocksPerHead(); i++) {
            AttentionRows.Block rows = layout.block(kvHead, i);
            if (rows.firstKey < first + count && rows.endKey > first) rows(keys, rows, scratch);
        }
        layout.storeKeys(dk, keys.dk, outStride, kvHead, first, count);
        layout.storeKeys(dv, keys.dv, outStride, kvHead, first, count);
    }

    private void rows(Keys keys, AttentionRows.Block block, Scratch scratch) {
        int rows = block.rows;
        int width = layout.width;
        int paddedKeys = Tile.paddedRows(keys.count);
        int paddedRows = Tile.paddedCols(rows);
        float[] queries = scratch.get(Use.ROWS, Math.max(rows, AttentionRows.KEYS) * layout.stride);
        float[] upstream = scratch.get(Use.MORE_ROWS, rows * layout.stride);
        float[] queryPanels = scratch.get(Use.PANELS, paddedRows * (width + Tile.DEPTH));
        float[] upstreamPanels = scratch.get(Use.MORE_PANELS, paddedRows * (width + Tile.DEPTH));
        float[] queryRows = scratch.get(Use.VECTORS, Tile.paddedCols(width) * rows);
        float[] upstreamRows = scratch.get(Use.D, Tile.paddedCols(width) * rows);
        float[] scores = scratch.get(Use.SCORES, paddedKeys * Tile.DEPTH);
        float[] slopes = scratch.get(Use.SLOPES, paddedKeys * Tile.DEPTH);
        block.load(queries, q);
        Lanes.scale(queries, 0, layout.spec.scale(), rows * layout.stride);
        block.load(upstream, dO);
        Tile.packRightTransposed(queryPanels, queries, layout.stride, rows, width);
        Tile.packRight(queryRows, queries, layout.stride, width, rows);
        Tile.packRightTransposed(upstreamPanels, upstream, layout.stride, rows, width);
        Tile.packRight(upstreamRows, upstream, layout.stride, width, rows);
        boolean finite = Lanes.finite(queries, 0, rows * layout.stride)
                && Lanes.finite(upstream, 0, rows * layout.stride);
        Columns columns = columns(block);
        for (int key = 0; key < keys.count; key += Tile.ROWS) {
            int endKey = Math.min(keys.count, key + Tile.ROWS);
            int from = firstColumn(columns, rows, keys.first + key, keys.first + endKey);
            int to = endColumn(columns, rows, keys.first + key, keys.first + endKey);
            if (from >= to) continue;
            AttentionRows.scores(scores, keys.left, key, paddedKeys, queryPanels, paddedRows, width, from, to);
            AttentionRows.scores(slopes, keys.leftValues, key, paddedKeys, upstreamPanels, paddedRows, width, from, to);
            for (int j = key; j < endKey; j++) probabilities(scores, slopes, j, keys.first + j, from, to, columns);
            if (finite) {
                AttentionRows.weighted(keys.dv, keys.outStride, scores, key, from, to, upstreamRows, rows, width);
                AttentionRows.weighted(keys.dk, keys.outStride, slopes, key, from, to, queryRows, rows, width);
            } else {
                for (int j = key; j < endKey; j++) {
                    oneByOne(keys, j, scores, slopes, queries, upstream, from, to, columns);
                }
            }
        }
    }

    private static int firstColumn(Columns columns, int rows, int fromKey, int endKey) {
        for (int r = 0; r < rows; r++) if (columns.start[r] < endKey && columns.stop[r] > fromKey) return r;
        return rows;
    }

    private static int endColumn(Columns columns, int rows, int fromKey, int endKey) {
        for (int r = rows; r > 0; r--) if (columns.start[r - 1] < endKey && columns.stop[r - 1] > fromKey) return r;
        return 0;
    }

    /// Turns a key's scores into probabilities and dp in slopes into gradients of scores, zero where a row does not see
    /// it.
    private void probabilities(float[] scores, float[] slopes, int row, int key, int from, int to, Columns columns) {
        float softcap = layout.spec.softcap();
        int base = row * Tile.DEPTH;
        for (int i = from / WIDTH * WIDTH; i < to; i += WIDTH) {
            FloatVector lse = Lanes.at(columns.lse, i);
            FloatVector raw = Lanes.at(scores, base + i);
            VectorMask<Float> visible = IntVector.fromArray(I, columns.start, i).compare(VectorOperators.LE, key)
                    .and(IntVector.fromArray(I, columns.stop, i).compare(VectorOperators.GT, key)).cast(F);
            FloatVector zero = FloatVector.zero(F);
            FloatVector p = Maths.exp(Maths.softcap(raw, softcap).sub(lse));
            FloatVector ds = AttentionBackward.gradient(raw, Lanes.at(slopes, base + i), lse,
                    Lanes.at(columns.delta, i), softcap);
            zero.blend(p, visible).intoArray(scores, base + i);
            zero.blend(ds, visible).intoArray(slopes, base + i);
        }
    }

    /// The sums over visible rows alone: 0 times a value that is not finite would spread to keys that the row does not
    /// see.
    private void oneByOne(Keys keys, int row, float[] scores, float[] slopes, float[] queries, float[] upstream,
                          int from, int to, Columns columns) {
        int key = keys.first + row;
        for (int r = from; r < to; r++) {
            if (columns.start[r] > key || columns.stop[r] <= key) continue;
            int at = row * Tile.DEPTH + r;
            int out = row * keys.outStride;
            Lanes.addScaled(keys.dv, out, scores[at], upstream, r * layout.stride, layout.stride);
            Lanes.addScaled(keys.dk, out, slopes[at], queries, r * layout.stride, layout.stride);
        }
    }
}
