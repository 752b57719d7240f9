package dev.gale.kernels.runtime;

import dev.gale.kernels.AttentionGradientKernels;
import dev.gale.kernels.AttentionKernels;
import dev.gale.kernels.HeadShape;
import dev.gale.kernels.mma.AttentionGradient;
import dev.gale.kernels.mma.AttentionTiles;
import dev.gale.kernels.mma.GradientTiles;
import dev.gale.kernels.mma.MmaAttention;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import java.util.Arrays;
import java.util.List;

/// Which kernels make attention and its gradients.
final class Attentions {
    private final DeviceOps ops;
    private final boolean matrixUnit;

    Attentions(DeviceOps ops, Abilities abilities) {
        this.ops = ops;
        matrixUnit = abilities.matrixUnit();
    }

    void forward(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop, AttentionSpec spec) {
        int queries = q.rows();
        if (queries == 0) return;
        int shape = shape(spec, q, 0);
        float scale = spec.scale();
        float softcap = spec.softcap();
        Tensor ranges = ranges(start, stop, queries, k.rows());
        if (fitsMatrixUnit(o, q, k, v, spec)) {
            onMatrixUnit(o, lse, q, k, v, ranges, spec);
            ops.release(ranges);
            return;
        }
        ops.launch("attentionForward", grid(queries, spec.numHeads()), List.of(shape, queries, scale, softcap),
                (graph, id, a) -> graph.task(id, AttentionKernels::attentionForward, a.context(), a.table(), a.slot(),
                        a.floats(0), a.halves(0), a.floats(1), a.floats(2), a.halves(2), a.floats(3), a.halves(3), a.floats(4),
                        a.halves(4), a.ints(5), shape, queries, scale, softcap), o, lse, q, k, v, ranges);
        ops.release(ranges);
    }

    /// Not a question of how many queries there are, on which the bits of a row must not depend.
    private boolean fitsMatrixUnit(Tensor o, Tensor q, Tensor k, Tensor v, AttentionSpec spec) {
        return matrixUnit && allBf16(o, q, k, v) && MmaAttention.takes(spec.headDim(), k.rows(), spec.scale());
    }

    private void onMatrixUnit(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        int queries = q.rows();
        int keys = k.rows();
        int heads = spec.numHeads();
        int kvHeads = spec.numKvHeads();
        int dims = spec.headDim();
        float scale = spec.scale();
        float softcap = spec.softcap();
        Tensor norms = ops.allocate("key norms", DType.F32, Shape.of(kvHeads, AttentionTiles.norms(keys)));
        ops.launch("keyNorms", new Grid(AttentionTiles.norms(keys), kvHeads, AttentionTiles.NORM_GROUP, 1),
                List.of(kvHeads, dims, keys), (graph, id, a) -> graph.task(id, AttentionTiles::keyNorms, a.context(), a.table(),
                        a.slot(), a.floats(0), a.longs(1), kvHeads, dims, keys), norms, k);
        MmaAttention kernel = MmaAttention.of(dims);
        ops.launch(kernel.name(), Grid.groups(kernel.groups(queries, heads), AttentionTiles.THREADS),
                List.of(heads, kvHeads, queries, keys, scale, softcap),
                (graph, id, a) -> graph.task(id, kernel.kernel(), a.context(), a.table(), a.slot(), a.longs(0), a.floats(1),
                        a.longs(2), a.longs(3), a.longs(4), a.ints(5), a.floats(6), heads, kvHeads, queries, keys, scale,
                        softcap), o, lse, q, k, v, ranges, norms);
        ops.release(norms);
    }

    void backward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v, Tensor o, Tensor lse, Tensor start,
                  Tensor stop, AttentionSpec spec) {
        int queries = q.rows();
        int keys = k.rows();
        int heads = spec.numHeads();
        if (queries == 0) {
            ops.fill(dk, 0f);
            ops.fill(dv, 0f);
            return;
        }
        int shape = shape(spec, q, 0);
        Tensor ranges = ranges(start, stop, queries, keys);
        Tensor stats = ops.allocate("attention stats", DType.F32, Shape.of(2, heads, queries));
        if (fitsMatrixUnit(spec, keys, dq, dk, dv, dO, q, k, v, o)) {
            int groups = Math.ceilDiv(queries, AttentionGradientKernels.DELTA_QUERIES);
            Grid grid = new Grid(groups, heads, AttentionGradientKernels.GROUP, 1);
            ops.launch("attentionDeltaBf16", grid, List.of(shape, queries), (graph, id, a) -> graph.task(id,
                    AttentionGradientKernels::attentionDeltaBf16, a.context(), a.table(), a.slot(), a.floats(0), a.longs(1),
                    a.longs(2), a.floats(3), shape, queries), stats, dO, o, lse);
            gradientsOnMatrixUnit(dq, dk, dv, dO, q, k, v, stats, ranges, spec);
        } else {
            int groups = Math.ceilDiv(Math.multiplyExact(queries, heads), AttentionGradientKernels.DELTA_ROWS);
            ops.launch("attentionDelta", Grid.groups(groups, AttentionGradientKernels.GROUP), List.of(shape, queries),
                    (graph, id, a) -> graph.task(id, AttentionGradientKernels::attentionDelta, a.context(), a.table(), a.slot(),
                            a.floats(0), a.floats(1), a.halves(1), a.floats(2), a.halves(2), a.floats(3), shape, queries),
                    stats, dO, o, lse);
            gradient("dq", dq, shape(spec, q, HeadShape.DQ), grid(queries, heads), spec, q, dO, k, v, stats, ranges);
            gradient("dk", dk, shape(spec, q, HeadShape.DK), grid(keys, spec.numKvHeads()), spec, k, v, q, dO, stats, ranges);
            gradient("dv", dv, shape(spec, q, HeadShape.DV), grid(keys, spec.numKvHeads()), spec, k, v, q, dO, stats, ranges);
        }
        ops.release(stats);
        ops.release(ranges);
    }

    private boolean fitsMatrixUnit(AttentionSpec spec, int keys, Tensor... tensors) {
        return matrixUnit && allBf16(tensors) && keys > 0 && AttentionGradient.takes(spec.headDim())
                && spec.scale() >= GradientTiles.LEAST_SCALE;
    }

    private static boolean allBf16(Tensor... tensors) {
        return Arrays.stream(tensors).allMatch(tensor -> tensor.dtype() == DType.BF16);
    }

    private void gradientsOnMatrixUnit(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v, Tensor stats,
                                       Tensor ranges, AttentionSpec spec) {
        int queries = q.rows();
        int keys = k.rows();
        int heads = spec.numHeads();
        int kvHeads = spec.numKvHeads();
        float scale = spec.scale();
        float softcap = spec.softcap();
        List<Number> constants = List.of(heads, kvHeads, queries, keys, scale, softcap);
        AttentionGradient<AttentionGradient.OfKeys> ofKeys = AttentionGradient.ofKeys(spec.headDim());
        ops.launch(ofKeys.name(), Grid.groups(ofKeys.groups(keys, kvHeads), ofKeys.threads()), constants,
                (graph, id, a) -> graph.task(id, ofKeys.kernel(), a.context(), a.table(), a.slot(), a.ints(0), a.ints(1),
                        a.longs(2), a.longs(3), a.longs(4), a.longs(5), a.floats(6), a.ints(7), heads, kvHeads, queries, keys,
                        scale, softcap),
                dk, dv, q, k, v, dO, stats, ranges);
        AttentionGradient<AttentionGradient.OfQueries> ofQueries = AttentionGradient.ofQueries(spec.headDim());
        ops.launch(ofQueries.name(), Grid.groups(ofQueries.groups(queries, heads), ofQueries.threads()), constants,
                (graph, id, a) -> graph.task(id, ofQueries.kernel(), a.context(), a.table(), a.slot(), a.ints(0), a.longs(1),
                        a.longs(2), a.longs(3), a.longs(4), a.floats(5), a.ints(6), heads, kvHeads, queries, keys, scale,
                        softcap),
                dq, q, k, v, dO, stats, ranges);
    }

    private void gradient(String name, Tensor out, int shape, Grid grid, AttentionSpec spec, Tensor x1, Tensor x2, Tensor y1,
                          Tensor y2, Tensor stats, Tensor ranges) {
        if (out.size() == 0) return;
        int queries = stats.shape().dim(2);
        int keys = (name.equals("dq") ? y1 : x1).rows();
        float scale = spec.scale();
        float softcap = spec.softcap();
        ops.launch("attentionGradient " + name, grid, List.of(shape, queries, keys, scale, softcap),
                (graph, id, a) -> graph.task(id, AttentionGradientKernels::attentionGradient, a.context(), a.table(), a.slot(),
                        a.floats(0), a.halves(0), a.floats(1), a.halves(1), a.floats(2), a.halves(2), a.floats(3), a.halves(3),
                        a.floats(4), a.halves(4), a.floats(5), a.ints(6), shape, queries, keys, scale, softcap),
                out, x1, x2, y1, y2, stats, ranges);
    }

    private Tensor ranges(Tensor start, Tensor stop, int queries, int keys) {
        Tensor ranges = ops.allocate("ranges", DType.I32, Shape.of(AttentionKernels.rangesLength(queries, keys)));
        int groups = AttentionKernels.blocks(queries) + AttentionKernels.blocks(keys);
        ops.launch("attentionRanges", Grid.groups(groups, AttentionKernels.GROUP), List.of(queries, keys),
                (graph, id, a) -> graph.task(id, AttentionKernels::attentionRanges, a.context(), a.table(), a.slot(), a.ints(0),
                        a.ints(1), a.ints(2), queries, keys), ranges, start, stop);
        return ranges;
    }

    private static Grid grid(int rows, int heads) {
        return new Grid(AttentionKernels.blocks(rows), heads, AttentionKernels.GROUP, 1);
    }

    private static int shape(AttentionSpec spec, Tensor q, int gradient) {
        return HeadShape.of(Launch.type(q.dtype()), gradient, spec.numHeads(), spec.numKvHeads(), spec.headDim());
    }
}
