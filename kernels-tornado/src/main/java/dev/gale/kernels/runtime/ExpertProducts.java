package dev.gale.kernels.runtime;

import dev.gale.kernels.GroupedKernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.GroupedLowRank;
import dev.gale.tensor.ops.GroupedLowRankGrads;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/// Which kernels make the products of the rows of experts.
final class ExpertProducts {
    private static final int TRANSPOSED = 1;
    private static final int ACCUMULATES = 2;

    private final TornadoOps ops;
    private final ProductEngine engine;
    private final QuantizedWeights quantized;
    private final MmaExperts mma;

    ExpertProducts(TornadoOps ops, ProductEngine engine, QuantizedWeights quantized) {
        this.ops = ops;
        this.engine = engine;
        this.quantized = quantized;
        mma = new MmaExperts(ops);
    }

    void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha,
            boolean accumulate) {
        if (c.size() == 0) return;
        boolean some = w.stream().anyMatch(Objects::isNull);
        if (some && !accumulate) ops.fill(c, 0f);
        boolean adds = accumulate || some;
        boolean onMatrixUnit = onMatrixUnit(c, a, w, transposeW);
        dense(w, matrices -> {
            if (onMatrixUnit) mma.product(c, a, matrices, transposeW, offsets, null, alpha, adds);
            else tiled(c, a, matrices, transposeW, offsets, alpha, adds);
        });
    }

    /// A quantized w is made dense before it is multiplied.
    private boolean onMatrixUnit(Tensor c, Tensor a, List<Tensor> w, boolean transposeW) {
        boolean fits = w.stream().allMatch(one -> one == null
                || (one.dtype().quantized() ? ops.activationType() : one.dtype()) == DType.BF16);
        return engine != ProductEngine.TILED && fits && MmaExperts.takes(c, a, transposeW);
    }

    private void tiled(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha, boolean adds) {
        int n = c.cols();
        int k = a.cols();
        int form = (transposeW ? TRANSPOSED : 0) + (adds ? ACCUMULATES : 0);
        for (ExpertRun run : ExpertRun.of(w)) {
            int first = run.first();
            int count = run.count();
            int stride = run.stride();
            Grid grid = new Grid(Math.ceilDiv(n, GroupedKernels.TILE), GroupedKernels.rowTiles(c.rows(), count),
                    GroupedKernels.GROUP, 1);
            ops.launch("groupedProduct", grid, List.of(first, count, stride, n, k, form, alpha), (graph, id, args) ->
                    graph.task(id, GroupedKernels::groupedProduct, args.context(), args.table(), args.slot(), args.floats(0),
                    args.halves(0), args.type(0), args.floats(1), args.halves(1), args.type(1), args.floats(2), args.halves(2),
                    args.type(2), args.ints(3), first, count, stride, n, k, form, alpha), c, a, run.matrix(), offsets);
        }
    }

    /// Runs a product with the matrices or, if some are quantized, with all of them dense, one behind the other.
    private void dense(List<Tensor> w, Consumer<List<Tensor>> product) {
        Tensor one = w.stream().filter(each -> each != null && each.dtype().quantized()).findFirst().orElse(null);
        if (one == null) {
            product.accept(w);
            return;
        }
        Tensor stack = ops.allocateAlone("dense experts", ops.activationType(), Shape.of(w.size(), one.rows(), one.cols()));
        List<Tensor> slices = slices(stack, w);
        if (stack.dtype() == DType.BF16 && w.stream().allMatch(ExpertProducts::isOfFourBits)) {
            quantized.dequantizeAll(slices, w);
        } else {
            for (int e = 0; e < w.size(); e++) {
                if (w.get(e) == null) continue;
                if (w.get(e).dtype().quantized()) quantized.dequantize(slices.get(e), w.get(e));
                else ops.copy(slices.get(e), w.get(e));
            }
        }
        product.accept(slices);
        ops.release(stack);
    }

    private static boolean isOfFourBits(Tensor w) {
        return w != null && (w.dtype() == DType.NF4 || w.dtype() == DType.FP4);
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
        for (ExpertRun run : ExpertRun.of(dw)) {
            int first = run.first();
            int stride = run.stride();
            Grid grid = new Grid(Math.ceilDiv(n, GroupedKernels.TILE), run.count() * Math.ceilDiv(m, GroupedKernels.TILE),
                    GroupedKernels.GROUP, 1);
            for (Tensor each : dw.subList(first, first + run.count())) ops.copies().touched(each);
            ops.launch("groupedGradient", grid, List.of(first, stride, m, n, alpha), (graph, id, args) -> graph.task(id,
                    GroupedKernels::groupedGradient, args.context(), args.table(), args.slot(), args.floats(0), args.floats(1),
                    args.halves(1), args.type(1), args.floats(2), args.halves(2), args.type(2), args.ints(3), first, stride, m,
                    n, alpha), run.matrix(), a, b, offsets);
        }
    }

    // ---- linear layers with adapters ----

    /// Makes a layer whose products with adapters are the matrix unit's.
    ///
    /// @param y null to make only the side's low
    /// @return false where that is for others to make
    boolean linearForward(Tensor y, Tensor x, List<Tensor> w, Tensor offsets, GroupedLowRank side) {
        if (engine == ProductEngine.TILED || side == null || !MmaExperts.takes(x, side)) return false;
        if (y != null && (w.contains(null) || !onMatrixUnit(y, x, w, true))) return false;
        Tensor low = mma.low(side.low(), side.input(), side.a(), false, offsets, 1f, side.scale());
        if (y != null) {
            Tensor up = mma.factors(side.b(), y.cols(), low.cols());
            dense(w, matrices -> mma.product(y, x, matrices, true, offsets, new MmaExperts.Factors(low, up), 1f, false));
            ops.release(up);
        }
        ops.release(low);
        return true;
    }

    /// As `linearForward`.
    boolean linearBackward(Tensor dx, boolean accumulate, Tensor dy, List<Tensor> w, Tensor offsets, GroupedLowRank side,
                           GroupedLowRankGrads grads) {
        if (engine == ProductEngine.TILED || side == null || !MmaExperts.takes(dy, side)) return false;
        Tensor dInput = grads.dInput();
        if (dx != null && (w.contains(null) || !onMatrixUnit(dx, dy, w, false))) return false;
        if (dInput != null && !MmaExperts.writes(dInput)) return false;
        Tensor dLow = mma.low(grads.dLow(), dy, side.b(), true, offsets, side.scale(), side.scale());
        if (grads.dA() != null) mma.addGradient(grads.dA(), side.input(), grads.dLow(), false, offsets, 1f);
        if (grads.dB() != null) mma.addGradient(grads.dB(), dy, side.low(), true, offsets, side.scale());
        if (dx != null || dInput != null) {
            Tensor up = mma.factors(side.a(), dLow.cols(), side.input().cols());
            MmaExperts.Factors factors = new MmaExperts.Factors(dLow, up);
            if (dInput != null) mma.product(dInput, factors, offsets);
            if (dx != null) {
                dense(w, matrices -> mma.product(dx, dy, matrices, false, offsets, dInput == null ? factors : null, 1f,
                        accumulate));
            }
            ops.release(up);
        }
        ops.release(dLow);
        return true;
    }
}
