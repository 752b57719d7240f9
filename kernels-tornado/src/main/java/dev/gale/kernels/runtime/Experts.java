package dev.gale.kernels.runtime;

import dev.gale.kernels.BalanceKernels;
import dev.gale.kernels.Elements;
import dev.gale.kernels.ExpertKernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.RouteSpec;
import java.util.List;

/// Mixtures of experts: who goes where, and what comes back. Their products: `ExpertProducts`.
final class Experts {
    private final DeviceOps ops;

    Experts(DeviceOps ops) {
        this.ops = ops;
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
        ops.launch("routeForward", Grid.threads(rows, ExpertKernels.GROUP), List.of(rows, count, k, normalize, scale,
                groups, used),
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
                graph.task(id, BalanceKernels::balanceShares, a.context(), a.table(), a.slot(), a.floats(0),
                        a.ints(1), a.floats(2), a.halves(2), a.type(2), a.ints(3), rows, count, k),
                shares, experts, logits, present);
        ops.launch("addShares", Grid.threads(n, BalanceKernels.GROUP), List.of(blocks, n), (graph, id, a) -> graph.task(id,
                BalanceKernels::addShares, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), blocks, n),
                sums, shares);
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
                        a.halves(0), a.floats(1), a.floats(2), a.halves(2), a.type(2), a.ints(3), a.floats(4), rows,
                        count, perToken, adds), dLogits, sums, logits, present, factor);
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
                graph.task(id, ExpertKernels::combineForward, a.context(), a.table(), a.slot(), a.floats(0),
                        a.halves(0), a.type(0), a.floats(1), a.halves(1), a.type(1), a.ints(2), a.floats(3), cols, k, form),
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
                    ExpertKernels::combineBackwardWeights, a.context(), a.table(), a.slot(), a.floats(0),
                    a.floats(1), a.halves(1), a.type(1), a.floats(2), a.halves(2), a.type(2), a.ints(3), cols, k, placed),
                    dWeights, dy, x, placesOrAny);
        }
        if (dx == null) return;
        int form = (weights == null ? 0 : 1) + 2 * placed;
        ops.launch("combineBackward", choices, List.of(cols, k, form), (graph, id, a) -> graph.task(id,
                ExpertKernels::combineBackward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0),
                a.type(0), a.floats(1), a.halves(1), a.type(1), a.ints(2), a.floats(3), cols, k, form),
                dx, dy, placesOrAny, weights == null ? dy : weights);
    }
}
