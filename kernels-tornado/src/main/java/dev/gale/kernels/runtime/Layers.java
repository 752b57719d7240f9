package dev.gale.kernels.runtime;

import dev.gale.kernels.Elements;
import dev.gale.kernels.GluKernels;
import dev.gale.kernels.LayerKernels;
import dev.gale.kernels.LookupKernels;
import dev.gale.kernels.NormKernels;
import dev.gale.kernels.Reduce;
import dev.gale.kernels.RopeKernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Columns;
import java.util.Arrays;
import java.util.List;

/// Lookups, norms, positions, gates, and what takes matrices apart and together.
final class Layers {
    private final DeviceOps ops;
    private final boolean warps;

    Layers(DeviceOps ops, Abilities abilities) {
        this.ops = ops;
        warps = abilities.matrixUnit();
    }

    /// Whether the kernels for four BF16 at a time can take rows of so many elements.
    boolean fours(long cols, Tensor... tensors) {
        return warps && cols % 4 == 0 && Arrays.stream(tensors).allMatch(tensor -> tensor.dtype() == DType.BF16);
    }

    private static int size(Tensor tensor) {
        return Math.toIntExact(tensor.size());
    }

    private static int flag(boolean set) {
        return set ? 1 : 0;
    }

    private static Grid rows(int rows) {
        return Grid.groups(rows, Elements.GROUP);
    }

    private static Grid columns(int cols) {
        return Grid.groups(Math.ceilDiv(cols, Reduce.COLUMNS), Elements.GROUP);
    }

    private static Grid elements(int n) {
        return Grid.threads(Math.ceilDiv(n, Elements.EACH), Elements.GROUP);
    }

    // ---- lookups ----

    void gatherRows(Tensor y, Tensor table, Tensor ids) {
        if (y.size() == 0) return;
        if (DeviceOps.isOnHost(table)) {
            ops.gatherFromHost(y, table, ids);
            return;
        }
        int cols = y.cols();
        int vocab = table.rows();
        if (fours(cols, y, table)) {
            ops.launch("gatherRowsBf16", Grid.groups(y.rows(), LookupKernels.FOURS_GROUP), List.of(cols, vocab),
                    (graph, id, a) -> graph.task(id, LookupKernels::gatherRowsBf16, a.context(), a.table(), a.slot(),
                            a.longs(0), a.longs(1), a.ints(2), cols, vocab), y, table, ids);
            return;
        }
        ops.launch("gatherRows", rows(y.rows()), List.of(cols, vocab), (graph, id, a) -> graph.task(id,
                LookupKernels::gatherRows, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1),
                a.halves(1), a.type(1), a.ints(2), cols, vocab), y, table, ids);
    }

    void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids) {
        if (dy.size() == 0) return;
        int rows = dy.rows();
        int cols = dy.cols();
        int vocab = dTable.rows();
        Tensor links = ops.allocate("links", DType.I32, Shape.of(2, rows));
        ops.launch("linkRows", Grid.threads(rows, Elements.GROUP), List.of(rows), (graph, id, a) -> graph.task(id,
                LookupKernels::linkRows, a.context(), a.table(), a.slot(), a.ints(0), a.ints(1), rows), links, ids);
        ops.launch("scatterAddRows", new Grid(Math.ceilDiv(cols, Elements.GROUP), rows, Elements.GROUP, 1), List.of(rows, cols,
                vocab), (graph, id, a) -> graph.task(id, LookupKernels::scatterAddRows, a.context(), a.table(), a.slot(),
                        a.floats(0), a.floats(1), a.halves(1), a.type(1), a.ints(2), a.ints(3), rows, cols, vocab),
                dTable, dy, ids, links);
        ops.release(links);
    }

    // ---- norms ----

    void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift) {
        if (x.size() == 0) return;
        int rows = size(rstd);
        int cols = size(w);
        if (normsFours(w, y, x)) {
            int threads = NormKernels.foursThreads(cols);
            ops.launch("rmsNormForwardBf16", Grid.groups(rows, threads), List.of(cols, eps, shift),
                    (graph, id, a) -> graph.task(id, NormKernels::rmsNormForwardBf16, a.context(), a.table(), a.slot(),
                            a.longs(0), a.floats(1), a.longs(2), a.floats(3), a.longs(3), a.type(3), cols, eps, shift, threads),
                    y, rstd, x, w);
            return;
        }
        ops.launch("rmsNormForward", rows(rows), List.of(cols, eps, shift), (graph, id, a) -> graph.task(id,
                NormKernels::rmsNormForward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1),
                a.floats(2), a.halves(2), a.type(2), a.floats(3), a.halves(3), a.type(3), cols, eps, shift), y, rstd, x, w);
    }

    private boolean normsFours(Tensor w, Tensor... rows) {
        return fours(w.size(), rows) && w.size() <= NormKernels.FOURS_COLS && w.dtype() != DType.F16;
    }

    void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd, float shift) {
        if (x.size() == 0) return;
        int rows = size(rstd);
        int cols = size(w);
        int adds = flag(accumulate);
        if (dw != null) {                                         // first: dx may be dy
            ops.launch("rmsNormBackwardWeight", columns(cols), List.of(rows, cols), (graph, id, a) -> graph.task(id,
                    NormKernels::rmsNormBackwardWeight, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.halves(1),
                    a.type(1), a.floats(2), a.halves(2), a.type(2), a.floats(3), rows, cols), dw, dy, x, rstd);
        }
        if (dx == null) return;
        if (normsFours(w, dx, dy, x)) {
            int threads = NormKernels.foursThreads(cols);
            ops.launch("rmsNormBackwardBf16", Grid.groups(rows, threads), List.of(cols, adds, shift),
                    (graph, id, a) -> graph.task(id, NormKernels::rmsNormBackwardBf16, a.context(), a.table(), a.slot(),
                            a.longs(0), a.longs(1), a.longs(2), a.floats(3), a.longs(3), a.type(3), a.floats(4), cols, adds,
                            shift, threads), dx, dy, x, w, rstd);
            return;
        }
        ops.launch("rmsNormBackward", rows(rows), List.of(cols, adds, shift), (graph, id, a) -> graph.task(id,
                NormKernels::rmsNormBackward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0),
                a.floats(1), a.halves(1), a.type(1), a.floats(2), a.halves(2), a.type(2), a.floats(3), a.halves(3), a.type(3),
                a.floats(4), cols, adds, shift), dx, dy, x, w, rstd);
    }

    void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps) {
        if (x.size() == 0) return;
        int cols = size(w);
        ops.launch("layerNormForward", rows(size(rstd)), List.of(cols, eps), (graph, id, a) -> graph.task(id,
                LayerKernels::layerNormForward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0),
                a.floats(1), a.floats(2), a.floats(3), a.halves(3), a.type(3), a.floats(4), a.halves(4), a.floats(5),
                a.halves(5), a.type(4), cols, eps), y, mean, rstd, x, w, bias);
    }

    void layerNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor mean, Tensor rstd) {
        if (x.size() == 0) return;
        int rows = size(rstd);
        int cols = size(w);
        int adds = flag(accumulate);
        if (dw != null) {                                         // first: dx may be dy
            ops.launch("layerNormBackwardWeight", columns(cols), List.of(rows, cols), (graph, id, a) -> graph.task(id,
                    LayerKernels::layerNormBackwardWeight, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1),
                    a.halves(1), a.type(1), a.floats(2), a.halves(2), a.type(2), a.floats(3), a.floats(4), rows, cols),
                    dw, dy, x, mean, rstd);
        }
        if (dx == null) return;
        ops.launch("layerNormBackward", rows(rows), List.of(cols, adds), (graph, id, a) -> graph.task(id,
                LayerKernels::layerNormBackward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.floats(1),
                a.halves(1), a.floats(2), a.halves(2), a.type(2), a.floats(3), a.halves(3), a.type(3), a.floats(4), a.floats(5),
                cols, adds), dx, dy, x, w, mean, rstd);
    }

    // ---- positions ----

    void rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec, boolean transpose) {
        int rows = size(positions);
        int half = cos.cols();
        if (rows == 0 || half == 0) return;
        int heads = q == null ? 0 : spec.numHeads();
        int kvHeads = k == null ? 0 : spec.numKvHeads();
        int dims = spec.headDim();
        int sign = flag(transpose);
        int neighbours = flag(spec.interleaved());
        Tensor first = q == null ? k : q;
        Tensor second = k == null ? q : k;
        if (fours(dims, first, second) && half % 4 == 0 && half <= RopeKernels.MOST_HALF && !spec.interleaved()) {
            ops.launch("ropeBf16", Grid.groups(rows, RopeKernels.HEADS * half / 4), List.of(heads, kvHeads, dims, half, sign),
                    (graph, id, a) -> graph.task(id, RopeKernels::ropeBf16, a.context(), a.table(), a.slot(), a.longs(0),
                            a.longs(1), a.floats(2), a.floats(3), a.ints(4), heads, kvHeads, dims, half, sign),
                    first, second, cos, sin, positions);
            return;
        }
        ops.launch("rope", rows(rows), List.of(heads, kvHeads, dims, half, sign, neighbours), (graph, id, a) -> graph.task(id,
                RopeKernels::rope, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1),
                a.halves(1), a.type(1), a.floats(2), a.floats(3), a.ints(4), heads, kvHeads, dims, half, sign, neighbours),
                first, second, cos, sin, positions);
    }

    // ---- gates ----

    void gluForward(Tensor y, Tensor gate, Tensor up, Activation activation) {
        int n = size(y);
        if (n == 0) return;
        int act = activation.ordinal();
        if (up != null && fours(n, y, gate, up)) {
            ops.launch("gluForwardBf16", elements(n / 4), List.of(n, act), (graph, id, a) -> graph.task(id,
                    GluKernels::gluForwardBf16, a.context(), a.table(), a.slot(), a.longs(0), a.longs(1), a.longs(2), n, act),
                    y, gate, up);
            return;
        }
        int upType = up == null ? GluKernels.ABSENT : Launch.type(up.dtype());
        ops.launch("gluForward", elements(n), List.of(n, act, upType), (graph, id, a) -> graph.task(id, GluKernels::gluForward,
                a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1), a.halves(1), a.type(1),
                a.floats(2), a.halves(2), upType, n, act), y, gate, up == null ? gate : up);
    }

    void gluBackward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, Activation activation) {
        int n = size(dy);
        if (n == 0) return;
        int act = activation.ordinal();
        if (up != null && fours(n, dGate, dUp, dy, gate, up)) {
            ops.launch("gluBackwardBf16", elements(n / 4), List.of(n, act), (graph, id, a) -> graph.task(id,
                    GluKernels::gluBackwardBf16, a.context(), a.table(), a.slot(), a.longs(0), a.longs(1), a.longs(2),
                    a.longs(3), a.longs(4), n, act), dGate, dUp, dy, gate, up);
            return;
        }
        int upType = up == null ? GluKernels.ABSENT : Launch.type(up.dtype());
        ops.launch("gluBackward", elements(n), List.of(n, act, upType), (graph, id, a) -> graph.task(id,
                GluKernels::gluBackward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1),
                a.halves(1), a.type(1), a.floats(2), a.halves(2), a.type(2), a.floats(3), a.halves(3), a.type(3), a.floats(4),
                a.halves(4), upType, n, act), dGate, dUp == null ? dy : dUp, dy, gate, up == null ? gate : up);
    }

    // ---- elements and columns ----

    void scale(Tensor y, Tensor x, float factor, float cap) {
        int n = size(y);
        if (n == 0) return;
        ops.launch("scale", elements(n), List.of(n, factor, cap), (graph, id, a) -> graph.task(id,
                LayerKernels::scale, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1),
                a.halves(1), a.type(1), n, factor, cap), y, x);
    }

    void copyColumns(Tensor dst, Tensor src, Columns c, boolean accumulate) {
        if (src.rows() == 0) return;
        int dstCols = dst.cols();
        int srcCols = src.cols();
        int adds = flag(accumulate);
        int blocks = c.blocks(), width = c.width(), from = c.from(), fromStep = c.fromStep(), to = c.to(), toStep = c.toStep();
        ops.launch("copyColumns", rows(src.rows()), List.of(dstCols, srcCols, blocks, width, from, fromStep, to, toStep, adds),
                (graph, id, a) -> graph.task(id, LayerKernels::copyColumns, a.context(), a.table(), a.slot(), a.floats(0),
                        a.halves(0), a.type(0), a.floats(1), a.halves(1), a.type(1), dstCols, srcCols, blocks, width, from,
                        fromStep, to, toStep, adds), dst, src);
    }
}
