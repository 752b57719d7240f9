package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;
import static dev.gale.tensor.cpu.Lanes.WIDTH;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// Gradient of attention with respect to the queries: block of rows by block of keys, scores made again from lse.
/// Keys and values have their own pass, `AttentionKeyGradients`, so that no two threads add to the same element.
/// Source: Dao et al. 2022, arXiv 2205.14135, algorithm 4.
final class AttentionBackward {
    private final AttentionRows layout;
    private final Tensor dq;
    private final Tensor dO;
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;
    private final float[] lse;
    private final float[] delta;

    /// @param lse   `[H, M]`
    /// @param delta `[H, M]`, as `deltas` makes it
    AttentionBackward(AttentionRows layout, Tensor dq, Tensor dO, Tensor q, Tensor k, Tensor v, float[] lse,
                      float[] delta) {
        this.layout = layout;
        this.dq = dq;
        this.dO = dO;
        this.q = q;
        this.k = k;
        this.v = v;
        this.lse = lse;
        this.delta = delta;
    }

    /// Writes: `delta[h, i] = dO_i · o_i`.
    static void deltas(Team team, AttentionRows layout, float[] delta, Tensor dO, Tensor o) {
        int heads = layout.spec.numHeads();
        team.rows(layout.queries, layout.spec.queryWidth(), (i, scratch) -> {
            float[] upstream = scratch.get(Use.A, layout.stride);
            float[] out = scratch.get(Use.B, layout.stride);
            Arrays.fill(upstream, layout.width, layout.stride, 0f);
            Arrays.fill(out, layout.width, layout.stride, 0f);
            for (int h = 0; h < heads; h++) {
                long at = (long) i * layout.spec.queryWidth() + (long) h * layout.width;
                Lanes.load(upstream, 0, dO, at, layout.width);
                Lanes.load(out, 0, o, at, layout.width);
                delta[h * layout.queries + i] = Lanes.dot(upstream, 0, out, 0, layout.stride);
            }
        });
    }

    void run(Team team) {
        int perHead = layout.blocksPerHead();
        int heads = layout.spec.numKvHeads();
        team.tasks(heads * perHead, (task, scratch) ->
                block(layout.block(task % heads, perHead - 1 - task / heads), scratch));
    }

    private void block(AttentionRows.Block block, Scratch scratch) {
        int rows = block.rows;
        int outStride = Tile.paddedCols(layout.width);
        float[] out = scratch.get(Use.OUT, Tile.paddedRows(rows) * outStride);
        Arrays.fill(out, 0, Tile.paddedRows(rows) * outStride, 0f);
        float[] staged = scratch.get(Use.ROWS, Math.max(rows, AttentionRows.KEYS) * layout.stride);
        float[] left = scratch.get(Use.LEFT, Tile.leftSize(rows, layout.width));
        float[] leftUpstream = scratch.get(Use.MORE_OUT, Tile.leftSize(rows, layout.width));
        block.load(staged, q);
        Lanes.scale(staged, 0, layout.spec.scale(), rows * layout.stride);
        Tile.packLeft(left, staged, layout.stride, rows, layout.width);
        block.load(staged, dO);
        Tile.packLeft(leftUpstream, staged, layout.stride, rows, layout.width);
        for (int key = block.firstKey; key < block.endKey; key += AttentionRows.KEYS) {
            int count = Math.min(AttentionRows.KEYS, block.endKey - key);
            keys(block, out, outStride, left, leftUpstream, key, count, scratch);
        }
        Lanes.scale(out, 0, layout.spec.scale(), rows * outStride);
        block.store(dq, out, outStride);
    }

    private void keys(AttentionRows.Block block, float[] out, int outStride, float[] left, float[] leftUpstream,
                      int key, int count, Scratch scratch) {
        int width = layout.width;
        int panelSize = Tile.paddedCols(count) * (width + Tile.DEPTH);
        int paddedRows = Tile.paddedRows(block.rows);
        int paddedKeys = Tile.paddedCols(count);
        float[] staged = scratch.get(Use.ROWS, Math.max(block.rows, AttentionRows.KEYS) * layout.stride);
        float[] valuePanels = scratch.get(Use.MORE_PANELS, panelSize);
        float[] keyPanels = scratch.get(Use.PANELS, panelSize);
        float[] keyRows = scratch.get(Use.VECTORS, Tile.paddedCols(width) * count);
        float[] scores = scratch.get(Use.SCORES, paddedRows * Tile.DEPTH);
        float[] slopes = scratch.get(Use.SLOPES, paddedRows * Tile.DEPTH);
        layout.loadKeys(staged, v, block.kvHead, key, count);
        Tile.packRightTransposed(valuePanels, staged, layout.stride, count, width);
        layout.loadKeys(staged, k, block.kvHead, key, count);
        Tile.packRightTransposed(keyPanels, staged, layout.stride, count, width);
        Tile.packRight(keyRows, staged, layout.stride, width, count);
        boolean finite = Lanes.finite(staged, 0, count * layout.stride);
        for (int row = 0; row < block.rows; row += Tile.ROWS) {
            int end = Math.min(block.rows, row + Tile.ROWS);
            int from = Math.max(block.first(row, end) - key, 0);
            int to = Math.min(block.end(row, end) - key, count);
            if (from >= to) continue;
            AttentionRows.scores(scores, left, row, paddedRows, keyPanels, paddedKeys, width, from, to);
            AttentionRows.scores(slopes, leftUpstream, row, paddedRows, valuePanels, paddedKeys, width, from, to);
            for (int r = row; r < end; r++) {
                int first = Math.max(layout.start[block.queryOf(r)] - key, from);
                int last = Math.min(layout.stop[block.queryOf(r)] - key, to);
                int statistic = block.statistic(r);
                scoreGradients(scores, slopes, r, from, to, first, last, lse[statistic], delta[statistic]);
                for (int j = first; j < last && !finite; j++) {
                    Lanes.addScaled(out, r * outStride, scores[r * Tile.DEPTH + j], staged, j * layout.stride,
                            layout.stride);
                }
            }
            if (finite) AttentionRows.weighted(out, outStride, scores, row, from, to, keyRows, count, width);
        }
    }

    /// Turns the scores [first, last) of a row into their gradients `p (dp - delta)`, given dp in slopes; zero in the
    /// rest of [from, to).
    private void scoreGradients(float[] scores, float[] slopes, int row, int from, int to, int first, int last,
                                float lse, float delta) {
        int base = row * Tile.DEPTH;
        int begin = base + from / WIDTH * WIDTH;
        int end = base + Lanes.roundUp(to);
        float softcap = layout.spec.softcap();
        for (int i = begin; i < end; i += WIDTH) {
            gradient(Lanes.at(scores, i), Lanes.at(slopes, i), FloatVector.broadcast(F, lse),
                    FloatVector.broadcast(F, delta), softcap).intoArray(scores, i);
        }
        Arrays.fill(scores, begin, base + Math.max(first, from), 0f);
        Arrays.fill(scores, base + Math.max(from, Math.min(to, last)), end, 0f);
        if (first >= last) Arrays.fill(scores, begin, end, 0f);
    }

    /// Gradient of raw scores: `p (dp - delta)`, times the softcap's slope.
    static FloatVector gradient(FloatVector raw, FloatVector dp, FloatVector lse, FloatVector delta, float softcap) {
        if (softcap <= 0) return Maths.exp(raw.sub(lse)).mul(dp.sub(delta));
        FloatVector capped = Maths.softcap(raw, softcap);
        FloatVector part = capped.div(softcap);
        FloatVector slope = FloatVector.broadcast(F, 1f).sub(part.mul(part));
        return Maths.exp(capped.sub(lse)).mul(dp.sub(delta)).mul(slope);
    }
}
