package dev.gale.kernels.runtime;

import dev.gale.kernels.BalanceKernels;
import dev.gale.kernels.Elements;
import dev.gale.kernels.ExpertKernels;
import dev.gale.kernels.GroupedKernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.RouteSpec;
import java.util.ArrayList;
import java.util.List;

/// Mixtures of experts. Matrices of experts that lie at equal distances in one chunk, as those that were allocated one after the
/// other do, are multiplied in one launch.
final class Experts {
    private static final int TRANSPOSED = 1;
    private static final int ACCUMULATES = 2;

    private final DeviceOps ops;
    private final QuantizedWeights quantized;

    Experts(DeviceOps ops, QuantizedWeights quantized) {
        this.ops = ops;
        this.quantized = quantized;
    }

    // ---- choice and order ----

    void routeForward(Tensor weights, Tensor experts, Tensor logits, RouteSpec spec) {
        int rows = logits.rows();
        if (rows == 0) return;
        if (spec.groups() > ExpertKernels.MOST_GROUPS) {
            throw new IllegalArgumentException("experts on the GPU have at most %d groups, not %d"
                    .formatted(ExpertKernels.MOST_GROUPS, spec.groups()));
        }
        int count = logits.cols();
        int k = spec.perToken();
        int normalize = spec.normalize() ? 1 : 0;
        float scale = spec.scale();
        int groups = spec.groups();
        int used = spec.groupsPerToken();
        ops.launch("routeForward", Grid.threads(rows, ExpertKernels.GROUP), List.of(rows, count, k, normalize, scale, groups, used),
                (graph, id, a) -> graph.task(id, ExpertKernels::routeForward, a.context(), a.table(), a.slot(), a.floats(0),
                        a.ints(1), a.floats(2), a.halves(2), a.type(2), rows, count, k, normalize, scale, groups, used),
                weights, experts, logits);
    }

    void routeBackward(Tensor dLogits, Tensor dWeights, Tensor experts, Tensor logits, RouteSpec spec) {
        int rows = logits.rows();
        if (rows == 0) return;
        int count = logits.cols();
        int k = spec.perToken();
        int normalize = spec.normalize() ? 1 : 0;
        float scale = spec.scale();
        ops.launch("routeBackward", Grid.threads(rows, ExpertKernels.GROUP), List.of(rows, count, k, normalize, scale),
                (graph, id, a) -> graph.task(id, ExpertKernels::routeBackward, a.context(), a.table(), a.slot(), a.floats(0),
                        a.halves(0), a.floats(1), a.ints(2), a.floats(3), a.halves(3), a.type(3), rows, count, k, normalize,
                        scale), dLogits, dWeights, experts, logits);
    }

    void balanceForward(Tensor sums, Tensor experts, Tensor logits, Tensor present) {
        int rows = logits.rows();
        if (rows == 0) return;
        int count = logits.cols();
        int k = experts.cols();
        int blocks = Math.ceilDiv(rows, BalanceKernels.GROUP);
        int n = 2 * count;
        Tensor shares = ops.allocate("shares of blocks", DType.F32, Shape.of(blocks, n));
        ops.launch("balanceShares", Grid.groups(blocks, BalanceKernels.GROUP), List.of(rows, count, k), (graph, id, a) ->
                graph.task(id, BalanceKernels::balanceShares, a.context(), a.table(), a.slot(), a.floats(0), a.ints(1), a.floats(2),
                        a.halves(2), a.type(2), a.ints(3), rows, count, k), shares, experts, logits, present);
        ops.launch("addShares", Grid.threads(n, BalanceKernels.GROUP), List.of(blocks, n), (graph, id, a) -> graph.task(id,
                BalanceKernels::addShares, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), blocks, n), sums, shares);
        ops.release(shares);
    }

    void balanceBackward(Tensor dLogits, Tensor sums, Tensor logits, Tensor present, Tensor factor, int perToken,
                         boolean accumulate) {
        int rows = logits.rows();
        if (rows == 0) return;
        int count = logits.cols();
        int adds = accumulate ? 1 : 0;
        ops.launch("balanceBackward", Grid.threads(rows, BalanceKernels.GROUP), List.of(rows, count, perToken, adds),
                (graph, id, a) -> graph.task(id, BalanceKernels::balanceBackward, a.context(), a.table(), a.slot(), a.floats(0),
                        a.halves(0), a.floats(1), a.floats(2), a.halves(2), a.type(2), a.ints(3), a.floats(4), rows, count, perToken,
                        adds), dLogits, sums, logits, present, factor);
    }

    void groupByExpert(Tensor tokens, Tensor places, Tensor offsets, Tensor experts) {
        int n = Math.toIntExact(experts.size());
        int count = Math.toIntExact(offsets.size()) - 1;
        int k = experts.cols();
        if (n == 0) {
            ops.fill(offsets, 0f);
            return;
        }
        int blocks = Math.ceilDiv(n, ExpertKernels.GROUP);
        Tensor counts = ops.allocate("choices of blocks", DType.I32, Shape.of(blocks, count));
        Grid choices = Grid.groups(blocks, ExpertKernels.GROUP);
        Grid each = Grid.threads(count, ExpertKernels.GROUP);
        ops.launch("countChoices", choices, List.of(n, count), (graph, id, a) -> graph.task(id, ExpertKernels::countChoices,
                a.context(), a.table(), a.slot(), a.ints(0), a.ints(1), n, count), counts, experts);
        ops.launch("expertTotals", each, List.of(blocks, count), (graph, id, a) -> graph.task(id, ExpertKernels::expertTotals,
                a.context(), a.table(), a.slot(), a.ints(0), a.ints(1), blocks, count), offsets, counts);
        ops.launch("expertOffsets", Grid.groups(1, 32), List.of(count), (graph, id, a) -> graph.task(id,
                ExpertKernels::expertOffsets, a.context(), a.table(), a.slot(), a.ints(0), count), offsets);
        ops.launch("blockOffsets", each, List.of(blocks, count), (graph, id, a) -> graph.task(id, ExpertKernels::blockOffsets,
                a.context(), a.table(), a.slot(), a.ints(0), a.ints(1), blocks, count), offsets, counts);
        ops.launch("placeChoices", choices, List.of(n, count, k), (graph, id, a) -> graph.task(id, ExpertKernels::placeChoices,
                a.context(), a.table(), a.slot(), a.ints(0), a.ints(1), a.ints(2), a.ints(3), n, count, k),
                tokens, places, counts, experts);
        ops.release(counts);
    }

    void combineForward(Tensor y, Tensor x, Tensor places, Tensor weights, boolean accumulate) {
        if (y.size() == 0) return;
        int cols = y.cols();
        int k = places == null ? 1 : places.cols();
        int form = (weights == null ? 0 : 1) + (places == null ? 0 : 2) + (accumulate ? 4 : 0);
        ops.launch("combineForward", Grid.groups(y.rows(), Elements.GROUP), List.of(cols, k, form), (graph, id, a) ->
                graph.task(id, ExpertKernels::combineForward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0),
                        a.floats(1), a.halves(1), a.type(1), a.ints(2), a.floats(3), cols, k, form),
                y, x, places == null ? y : places, weights == null ? y : weights);
    }

    void combineBackward(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor places, Tensor weights) {
        if (dy.size() == 0) return;
        int cols = dy.cols();
        int k = places == null ? 1 : places.cols();
        int placed = places == null ? 0 : 1;
        Grid choices = Grid.groups(x.rows(), Elements.GROUP);
        Tensor placesOrAny = places == null ? dy : places;
        if (dWeights != null) {
            ops.launch("combineBackwardWeights", choices, List.of(cols, k, placed), (graph, id, a) -> graph.task(id,
                    ExpertKernels::combineBackwardWeights, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.halves(1),
                    a.type(1), a.floats(2), a.halves(2), a.type(2), a.ints(3), cols, k, placed), dWeights, dy, x, placesOrAny);
        }
        if (dx == null) return;
        int form = (weights == null ? 0 : 1) + 2 * placed;
        ops.launch("combineBackward", choices, List.of(cols, k, form), (graph, id, a) -> graph.task(id,
                ExpertKernels::combineBackward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1),
                a.halves(1), a.type(1), a.ints(2), a.floats(3), cols, k, form),
                dx, dy, placesOrAny, weights == null ? dy : weights);
    }

    // ---- products ----

    /// Experts whose matrices lie at equal distances.
    ///
    /// @param first  number of the first
    /// @param stride elements from one to the next
    private record Run(int first, int count, int stride, Tensor matrix) {}

    private static List<Run> runs(List<Tensor> matrices) {
        List<Run> runs = new ArrayList<>();
        for (int e = 0; e < matrices.size();) {
            if (matrices.get(e) == null) {
                e++;
                continue;
            }
            int count = 1;
            long stride = e + 1 < matrices.size() ? distance(matrices.get(e), matrices.get(e + 1)) : 0;
            while (stride > 0 && e + count < matrices.size()
                    && distance(matrices.get(e + count - 1), matrices.get(e + count)) == stride) count++;
            runs.add(new Run(e, count, count == 1 ? 0 : Math.toIntExact(stride), matrices.get(e)));
            e += count;
        }
        return runs;
    }

    /// Elements from a matrix to the next one, 0 when they are not of one kind in one chunk, the first one before the other.
    private static long distance(Tensor from, Tensor to) {
        if (to == null || from.dtype() != to.dtype()) return 0;
        DeviceStorage first = DeviceStorage.of(from);
        DeviceStorage second = DeviceStorage.of(to);
        if (first.chunk() != second.chunk()) return 0;
        return Math.max(0, (second.offset() - first.offset()) / from.dtype().bytes(1));
    }

    void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha, boolean accumulate) {
        if (c.size() == 0) return;
        boolean some = w.stream().anyMatch(one -> one == null);
        if (some && !accumulate) ops.fill(c, 0f);
        Tensor dense = stacked(w);
        int n = c.cols();
        int k = a.cols();
        int form = (transposeW ? TRANSPOSED : 0) + (accumulate || some ? ACCUMULATES : 0);
        for (Run run : runs(dense == null ? w : slices(dense, w))) {
            int first = run.first;
            int count = run.count;
            int stride = run.stride;
            Grid grid = new Grid(Math.ceilDiv(n, GroupedKernels.TILE), GroupedKernels.rowTiles(c.rows(), count),
                    GroupedKernels.GROUP, 1);
            ops.launch("groupedProduct", grid, List.of(first, count, stride, n, k, form, alpha), (graph, id, args) -> graph.task(id,
                    GroupedKernels::groupedProduct, args.context(), args.table(), args.slot(), args.floats(0), args.halves(0),
                    args.type(0), args.floats(1), args.halves(1), args.type(1), args.floats(2), args.halves(2), args.type(2),
                    args.ints(3), first, count, stride, n, k, form, alpha), c, a, run.matrix, offsets);
        }
        if (dense != null) ops.release(dense);
    }

    /// All matrices dense, one behind the other; null when they are dense already.
    private Tensor stacked(List<Tensor> w) {
        Tensor one = w.stream().filter(each -> each != null && each.dtype().quantized()).findFirst().orElse(null);
        if (one == null) return null;
        Tensor dense = ops.allocateAlone("dense experts", ops.activationType(), Shape.of(w.size(), one.rows(), one.cols()));
        List<Tensor> slices = slices(dense, w);
        for (int e = 0; e < w.size(); e++) {
            if (w.get(e) == null) continue;
            if (w.get(e).dtype().quantized()) quantized.dequantize(slices.get(e), w.get(e));
            else ops.copy(slices.get(e), w.get(e));
        }
        return dense;
    }

    private static List<Tensor> slices(Tensor stack, List<Tensor> like) {
        DeviceStorage storage = DeviceStorage.of(stack);
        long bytes = stack.byteSize() / like.size();
        List<Tensor> slices = new ArrayList<>();
        for (int e = 0; e < like.size(); e++) {
            Tensor one = like.get(e);
            slices.add(one == null ? null : new Tensor(one.name(), stack.dtype(), Shape.of(one.rows(), one.cols()),
                    new DeviceStorage(storage.chunk(), storage.offset() + e * bytes)));
        }
        return slices;
    }

    void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets, float alpha) {
        if (a.rows() == 0) return;
        int m = a.cols();
        int n = b.cols();
        for (Run run : runs(dw)) {
            int first = run.first;
            int stride = run.stride;
            Grid grid = new Grid(Math.ceilDiv(n, GroupedKernels.TILE), run.count * Math.ceilDiv(m, GroupedKernels.TILE),
                    GroupedKernels.GROUP, 1);
            for (Tensor each : dw.subList(first, first + run.count)) ops.copies().touched(each);
            ops.launch("groupedGradient", grid, List.of(first, stride, m, n, alpha), (graph, id, args) -> graph.task(id,
                    GroupedKernels::groupedGradient, args.context(), args.table(), args.slot(), args.floats(0), args.floats(1),
                    args.halves(1), args.type(1), args.floats(2), args.halves(2), args.type(2), args.ints(3), first, stride, m, n,
                    alpha), run.matrix, a, b, offsets);
        }
    }
}
