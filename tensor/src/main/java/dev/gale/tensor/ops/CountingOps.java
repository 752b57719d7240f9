package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Adds up what calls cost, and the costs of updates and of mixtures of experts; see `NullOps`.
abstract sealed class CountingOps extends PooledOps permits NullOps {
    private final Map<String, OpCount> counts = new LinkedHashMap<>();

    CountingOps(long chunkBytes) {
        super(chunkBytes);
    }

    /// Calls, FLOPs and bytes per method, in order of first call.
    public Map<String, OpCount> counts() {
        return new LinkedHashMap<>(counts);
    }

    public long totalFlops() {
        return counts.values().stream().mapToLong(OpCount::flops).sum();
    }

    public void resetCounts() {
        counts.clear();
    }

    final void count(String op, long flops, long bytes) {
        counts.merge(op, new OpCount(op, 1, flops, bytes), (known, one) -> known.plus(flops, bytes));
    }

    static long bytes(Tensor... tensors) {
        long sum = 0;
        for (Tensor tensor : tensors) {
            if (tensor == null) continue;
            sum += tensor.byteSize() + (tensor.scales() == null ? 0 : tensor.scales().byteSize());
        }
        return sum;
    }

    /// Bytes of a result: accumulating reads it too.
    static long result(Tensor tensor, boolean accumulate) {
        return tensor == null ? 0 : accumulate ? 2 * tensor.byteSize() : tensor.byteSize();
    }

    // ---- experts ----

    @Override
    public void routeForward(Tensor weights, Tensor experts, Tensor logits, RouteSpec spec) {
        ExpertChecks.route("routeForward", weights, experts, logits, spec);
        count("routeForward", (3 + spec.perToken()) * logits.size(), bytes(weights, experts, logits));
    }

    @Override
    public void routeBackward(Tensor dLogits, Tensor dWeights, Tensor experts, Tensor logits, RouteSpec spec) {
        ExpertChecks.routeBackward(dLogits, dWeights, experts, logits, spec);
        count("routeBackward", 6 * logits.size(), bytes(dLogits, dWeights, experts, logits));
    }

    @Override
    public void balanceForward(Tensor sums, Tensor experts, Tensor logits, Tensor present) {
        ExpertChecks.balanceForward(sums, experts, logits, present);
        count("balanceForward", 4 * logits.size(), result(sums, true) + bytes(experts, logits, present));
    }

    @Override
    public void balanceBackward(Tensor dLogits, Tensor sums, Tensor logits, Tensor present, Tensor factor, int perToken,
                                boolean accumulate) {
        ExpertChecks.balanceBackward(dLogits, sums, logits, present, factor);
        count("balanceBackward", 6 * logits.size(), result(dLogits, accumulate) + bytes(sums, logits, present, factor));
    }

    @Override
    public void groupByExpert(Tensor tokens, Tensor places, Tensor offsets, Tensor experts) {
        ExpertChecks.groupByExpert(tokens, places, offsets, experts);
        count("groupByExpert", 0, bytes(tokens, places, offsets, experts));
    }

    @Override
    public void combineForward(Tensor y, Tensor x, Tensor places, Tensor weights, boolean accumulate) {
        ExpertChecks.combineForward(y, x, places, weights);
        count("combineForward", (weights == null ? 1 : 2) * x.size(), result(y, accumulate) + bytes(x, places, weights));
    }

    @Override
    public void combineBackward(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor places, Tensor weights) {
        ExpertChecks.combineBackward(dx, dWeights, dy, x, places, weights);
        int terms = (dx == null || weights == null ? 0 : 1) + (dWeights == null ? 0 : 2);
        count("combineBackward", terms * x.size(), bytes(dx, dWeights, dy, dWeights == null ? null : x, places, weights));
    }

    @Override
    public void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha,
                              boolean accumulate) {
        ExpertChecks.groupedMatmul(c, a, w, transposeW, offsets);
        count("groupedMatmul", 2L * a.size() * c.cols(), result(c, accumulate) + bytes(a, offsets)
                + bytes(w.toArray(Tensor[]::new)));
    }

    @Override
    public void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets, float alpha) {
        ExpertChecks.groupedGradient(dw, a, b, offsets);
        count("groupedGradient", 2L * a.size() * b.cols(), bytes(a, b, offsets) + 2 * bytes(dw.toArray(Tensor[]::new)));
    }

    @Override
    public void groupedLinearForward(Tensor y, Tensor x, List<Tensor> w, Tensor offsets, GroupedLowRank side) {
        ExpertChecks.groupedLinearForward(y, x, w, offsets, side);
        long flops = 0;
        long bytes = bytes(offsets);
        if (side != null) {
            flops += 2L * side.input().size() * side.low().cols();
            bytes += bytes(side.input(), side.low()) + bytes(side.a().toArray(Tensor[]::new));
        }
        if (y != null) {
            boolean xIsRead = side == null || side.input() != x;
            flops += 2L * x.size() * y.cols() + (side == null ? 0 : 2L * side.low().size() * y.cols());
            bytes += bytes(y, xIsRead ? x : null) + bytes(w.toArray(Tensor[]::new));
            if (side != null) bytes += bytes(side.b().toArray(Tensor[]::new));
        }
        count("groupedLinearForward", flops, bytes);
    }

    @Override
    public void groupedLinearBackward(Tensor dx, boolean accumulate, Tensor dy, List<Tensor> w, Tensor offsets,
                                      GroupedLowRank side, GroupedLowRankGrads sideGrads) {
        ExpertChecks.groupedLinearBackward(dx, dy, w, offsets, side, sideGrads);
        long flops = dx == null ? 0 : 2L * dy.size() * dx.cols();
        long bytes = bytes(dy, offsets) + (dx == null ? 0 : result(dx, accumulate) + bytes(w.toArray(Tensor[]::new)));
        if (side != null) {
            boolean intoInput = sideGrads.dInput() != null || dx != null;
            long up = 2L * dy.size() * side.low().cols();
            long down = 2L * side.input().size() * side.low().cols();
            flops += up + (sideGrads.dA() == null ? 0 : down) + (sideGrads.dB() == null ? 0 : up) + (intoInput ? down : 0);
            bytes += bytes(sideGrads.dLow(), sideGrads.dInput()) + bytes(side.b().toArray(Tensor[]::new));
            if (intoInput) bytes += bytes(side.a().toArray(Tensor[]::new));
            if (sideGrads.dA() != null) bytes += bytes(side.input()) + 2 * bytes(sideGrads.dA().toArray(Tensor[]::new));
            if (sideGrads.dB() != null) bytes += bytes(side.low()) + 2 * bytes(sideGrads.dB().toArray(Tensor[]::new));
        }
        count("groupedLinearBackward", flops, bytes);
    }

    // ---- updates ----

    @Override
    public void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        OptimizerChecks.lion(param, grad, m, hyper, factor);
        count("lion", 9 * param.size(), result(param, true) + result(m, true) + bytes(grad, hyper, factor));
    }

    @Override
    public void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        OptimizerChecks.sgd(param, grad, m, hyper, factor);
        count("sgd", 6 * param.size(), result(param, true) + result(m, true) + bytes(grad, hyper, factor));
    }

    @Override
    public void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor) {
        OptimizerChecks.scheduleFreeAdamW(y, grad, z, v, hyper, factor);
        count("scheduleFreeAdamW", 18 * y.size(), result(y, true) + result(z, true) + result(v, true)
                + bytes(grad, hyper, factor));
    }

    @Override
    public void adafactor(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor) {
        OptimizerChecks.adafactor(param, grad, rows, cols, hyper, factor);
        count("adafactor", 16 * param.size(), result(param, true) + result(rows, true) + result(cols, true)
                + bytes(grad, hyper, factor));
    }

    @Override
    public void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        OptimizerChecks.adamW8bit(param, grad, m, v, hyper, factor);
        count("adamW8bit", 34 * param.size(), result(param, true) + quantized(m) + quantized(v) + bytes(grad, hyper, factor));
    }

    @Override
    public void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        OptimizerChecks.lion8bit(param, grad, m, hyper, factor);
        count("lion8bit", 19 * param.size(), result(param, true) + quantized(m) + bytes(grad, hyper, factor));
    }

    private static long quantized(Quantized8 state) {
        return result(state.codes(), true) + result(state.absmax(), true);
    }
}
