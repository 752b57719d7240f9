package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.WIDTH;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// Attention, one block of rows at a time against one block of keys after the other, with a running maximum and sum.
/// Source: Dao et al. 2022, arXiv 2205.14135, algorithm 1.
final class AttentionForward {
    private final AttentionRows layout;
    private final Tensor o;
    private final Tensor lse;
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;

    AttentionForward(AttentionRows layout, Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v) {
        this.layout = layout;
        this.o = o;
        this.lse = lse;
        this.q = q;
        this.k = k;
        this.v = v;
    }

    void run(Team team) {
        int perHead = layout.blocksPerHead();
        int heads = layout.spec.numKvHeads();
        team.tasks(heads * perHead, (task, scratch) ->
                block(layout.block(task % heads, perHead - 1 - task / heads), scratch));
    }

    /// The running state of a block of rows.
    private record State(float[] max, float[] sum, float[] out, int outStride) {}

    private void block(AttentionRows.Block block, Scratch scratch) {
        int rows = block.rows;
        int padded = Tile.paddedRows(rows);
        int outStride = Tile.paddedCols(layout.width);
        State state = new State(scratch.get(Use.A, padded), scratch.get(Use.B, padded),
                scratch.get(Use.OUT, padded * outStride), outStride);
        Arrays.fill(state.max, 0, rows, Float.NEGATIVE_INFINITY);
        Arrays.fill(state.sum, 0, rows, 0f);
        Arrays.fill(state.out, 0, padded * outStride, 0f);
        float[] queries = scratch.get(Use.ROWS, Math.max(rows, AttentionRows.KEYS) * layout.stride);
        block.load(queries, q);
        Lanes.scale(queries, 0, layout.spec.scale(), rows * layout.stride);
        float[] left = scratch.get(Use.LEFT, Tile.leftSize(rows, layout.width));
        Tile.packLeft(left, queries, layout.stride, rows, layout.width);
        for (int key = block.firstKey; key < block.endKey; key += AttentionRows.KEYS) {
            keys(block, state, left, key, Math.min(AttentionRows.KEYS, block.endKey - key), scratch);
        }
        finish(block, state, scratch);
    }

    private void keys(AttentionRows.Block block, State state, float[] left, int key, int count, Scratch scratch) {
        int width = layout.width;
        float[] staged = scratch.get(Use.ROWS, Math.max(block.rows, AttentionRows.KEYS) * layout.stride);
        int paddedRows = Tile.paddedRows(block.rows);
        int paddedKeys = Tile.paddedCols(count);
        float[] keyPanels = scratch.get(Use.PANELS, paddedKeys * (width + Tile.DEPTH));
        float[] valuePanels = scratch.get(Use.MORE_PANELS, Tile.paddedCols(width) * count);
        float[] scores = scratch.get(Use.SCORES, paddedRows * Tile.DEPTH);
        layout.loadKeys(staged, k, block.kvHead, key, count);
        Tile.packRightTransposed(keyPanels, staged, layout.stride, count, width);
        layout.loadKeys(staged, v, block.kvHead, key, count);
        Tile.packRight(valuePanels, staged, layout.stride, width, count);
        boolean finite = Lanes.finite(staged, 0, count * layout.stride);
        for (int row = 0; row < block.rows; row += Tile.ROWS) {
            int end = Math.min(block.rows, row + Tile.ROWS);
            int from = Math.max(block.first(row, end) - key, 0);
            int to = Math.min(block.end(row, end) - key, count);
            if (from >= to) continue;
            AttentionRows.scores(scores, left, row, paddedRows, keyPanels, paddedKeys, width, from, to);
            for (int r = row; r < end; r++) {
                int first = Math.max(layout.start[block.queryOf(r)] - key, from);
                int last = Math.min(layout.stop[block.queryOf(r)] - key, to);
                softmax(scores, r, from, to, first, last, state);
                if (!finite) weightedOneByOne(state, r, scores, staged, first, last);
            }
            if (!finite) continue;
            AttentionRows.weighted(state.out, state.outStride, scores, row, from, to, valuePanels, count, width);
        }
    }

    /// Turns the scores [first, last) of a row into exponentials, zero in the rest of [from, to), and rescales what the
    /// row has summed so far when the maximum rises.
    private void softmax(float[] scores, int row, int from, int to, int first, int last, State state) {
        int base = row * Tile.DEPTH;
        int begin = base + from / WIDTH * WIDTH;
        int count = base + Lanes.roundUp(to) - begin;
        if (first >= last) {
            Arrays.fill(scores, begin, begin + count, 0f);
            return;
        }
        float softcap = layout.spec.softcap();
        if (softcap > 0) {
            for (int i = begin; i < begin + count; i += WIDTH) {
                Maths.softcap(Lanes.at(scores, i), softcap).intoArray(scores, i);
            }
        }
        Arrays.fill(scores, begin, base + first, Float.NEGATIVE_INFINITY);
        Arrays.fill(scores, base + last, begin + count, Float.NEGATIVE_INFINITY);
        float before = state.max[row];
        float max = Math.max(before, Lanes.max(scores, begin, count));
        float shift = max == Float.NEGATIVE_INFINITY ? 0f : max;       // a difference of infinities would be NaN
        FloatVector sum = FloatVector.zero(Lanes.F);
        for (int i = begin; i < begin + count; i += WIDTH) {
            FloatVector p = Maths.exp(Lanes.at(scores, i).sub(shift));
            sum = sum.add(p);
            p.intoArray(scores, i);
        }
        if (max != before) {
            float factor = Maths.exp(before - shift);
            state.sum[row] *= factor;
            if (before != Float.NEGATIVE_INFINITY) Lanes.scale(state.out, row * state.outStride, factor, layout.stride);
            state.max[row] = max;
        }
        state.sum[row] += Lanes.sum(sum);
    }

    /// The sum over visible keys alone: 0 times a value that is not finite would spread to rows that do not see it.
    private void weightedOneByOne(State state, int row, float[] scores, float[] values, int first, int last) {
        for (int j = first; j < last; j++) {
            float weight = scores[row * Tile.DEPTH + j];
            Lanes.addScaled(state.out, row * state.outStride, weight, values, j * layout.stride, layout.stride);
        }
    }

    private void finish(AttentionRows.Block block, State state, Scratch scratch) {
        float[] logs = scratch.get(Use.C, block.rows);
        for (int r = 0; r < block.rows; r++) {
            int query = block.queryOf(r);
            boolean empty = layout.start[query] >= layout.stop[query];
            if (!empty) Lanes.scale(state.out, r * state.outStride, 1 / state.sum[r], layout.stride);
            logs[r] = empty ? Float.NEGATIVE_INFINITY : (float) (state.max[r] + StrictMath.log(state.sum[r]));
            Lanes.store(lse, block.statistic(r), logs, r, 1);
        }
        block.store(o, state.out, state.outStride);
    }
}
