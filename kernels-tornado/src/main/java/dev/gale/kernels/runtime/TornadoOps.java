package dev.gale.kernels.runtime;

import dev.gale.kernels.DropoutKernels;
import dev.gale.kernels.ElementwiseKernels;
import dev.gale.kernels.Elements;
import dev.gale.kernels.OptimKernels;
import dev.gale.kernels.ProductForm;
import dev.gale.kernels.Reduce;
import dev.gale.kernels.ScaleKernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Checks;
import dev.gale.tensor.ops.Columns;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.ExpertChecks;
import dev.gale.tensor.ops.GroupedLowRank;
import dev.gale.tensor.ops.GroupedLowRankGrads;
import dev.gale.tensor.ops.LayerChecks;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.OptimizerChecks;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.RouteSpec;
import java.util.Arrays;
import java.util.List;

/// Every operation on a device of TornadoVM.
/// Numerics: F32 sums in an order that shapes alone decide. Not thread-safe: one caller at a time.
public final class TornadoOps extends DeviceOps {
    /// Smallest chunk of device memory.
    static final long CHUNK_BYTES = 256L << 20;

    private final Products products;
    private final Attentions attentions;
    private final Layers layers;
    private final Experts experts;
    private final ExpertProducts expertProducts;
    private final Losses losses;
    private final Updates updates;
    private final QuantizedWeights quantized = new QuantizedWeights(this);

    TornadoOps(DeviceLink link, Abilities abilities, long chunkBytes) {
        super(link, abilities.activationType(), chunkBytes);
        ProductEngine engine = ProductEngine.of(abilities);
        products = new Products(this, engine);
        attentions = new Attentions(this, abilities);
        layers = new Layers(this, abilities);
        experts = new Experts(this);
        expertProducts = new ExpertProducts(this, engine, quantized);
        losses = new Losses(this, products);
        updates = new Updates(this);
    }

    @Override
    public String name() {
        return "tornado";
    }

    private static int size(Tensor tensor) {
        return Math.toIntExact(tensor.size());
    }

    /// The grid of kernels that work on elements alone.
    private static Grid elements(int n) {
        return Grid.threads(Math.ceilDiv(n, Elements.EACH), Elements.GROUP);
    }

    private static Grid rows(int rows) {
        return Grid.groups(rows, Elements.GROUP);
    }

    private static Grid columns(int cols) {
        return Grid.groups(Math.ceilDiv(cols, Reduce.COLUMNS), Elements.GROUP);
    }

    private static int flag(boolean set) {
        return set ? 1 : 0;
    }

    // ---- elementwise ----

    @Override
    public void copy(Tensor dst, Tensor src) {
        Checks.copy(dst, src);
        int n = size(dst);
        if (n == 0) return;
        launch("copy", elements(n), List.of(n), (graph, id, a) -> graph.task(id,
                ElementwiseKernels::copy, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1),
                a.halves(1), a.type(1), n), dst, src);
    }

    @Override
    public void quantize(Tensor q, Tensor src) {
        Checks.quantize(q, src);
        quantized.quantize(q, src);
    }

    @Override
    public void dequantize(Tensor dst, Tensor q) {
        Checks.dequantize(dst, q);
        quantized.dequantize(dst, q);
    }

    @Override
    public void fill(Tensor dst, float value) {
        Checks.fill(dst);
        int n = size(dst);
        if (n == 0) return;
        if (dst.dtype() == DType.I32) {
            fillInts(dst, n, (int) value);
        } else if (dst.dtype() == DType.U8) {
            int words = Math.ceilDiv(n, 4);                       // a tensor's memory is a whole number of them
            Tensor seen = new Tensor(dst.name(), DType.I32, Shape.of(words), dst.storage());
            fillInts(seen, words, ((int) value & 255) * 0x01010101);
        } else if (!Float.isFinite(value)) {
            fillFromHost(dst, value);
        } else {
            launchRange("fill", List.of(value), n, 1, (count, t) -> launch("fill", elements(count), List.of(count, value),
                    (graph, id, a) -> graph.task(id, ElementwiseKernels::fill, a.context(), a.table(), a.slot(), a.floats(0),
                            a.halves(0), a.type(0), count, value), t), dst);
        }
    }

    private void fillInts(Tensor dst, int n, int value) {
        launch("fillInts", elements(n), List.of(n, value), (graph, id, a) -> graph.task(id, ElementwiseKernels::fillInts,
                a.context(), a.table(), a.slot(), a.ints(0), n, value), dst);
    }

    /// TornadoVM 5.2.0 writes NaN and infinite constants as names that no device compiler knows.
    private void fillFromHost(Tensor dst, float value) {
        float[] piece = new float[(int) Math.min(1 << 20, dst.size())];
        Arrays.fill(piece, value);
        for (long at = 0; at < dst.size(); at += piece.length) {
            write(dst, at, at + piece.length <= dst.size() ? piece : Arrays.copyOf(piece, (int) (dst.size() - at)));
        }
    }

    @Override
    public void add(Tensor y, Tensor left, Tensor right) {
        Checks.add(y, left, right);
        int n = size(y);
        if (n == 0) return;
        launch("add", elements(n), List.of(n), (graph, id, a) -> graph.task(id, ElementwiseKernels::add, a.context(), a.table(),
                a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1), a.halves(1), a.type(1),
                a.floats(2), a.halves(2), a.type(2), n), y, left, right);
    }

    @Override
    public void addScaled(Tensor y, Tensor x, float scale) {
        Checks.addScaled(y, x);
        int n = size(y);
        if (n == 0) return;
        launch("addScaled", elements(n), List.of(n, scale), (graph, id, a) -> graph.task(id, ElementwiseKernels::addScaled,
                a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1), a.halves(1), a.type(1),
                n, scale), y, x);
    }

    @Override
    public void columnSum(Tensor sums, Tensor x) {
        Checks.columnSum(sums, x);
        int rows = x.rows();
        int cols = x.cols();
        if (x.size() == 0) return;
        launch("columnSum", columns(cols), List.of(rows, cols), (graph, id, a) -> graph.task(id, ElementwiseKernels::columnSum,
                a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.halves(1), a.type(1), rows, cols), sums, x);
    }

    @Override
    public void dropout(Tensor y, Tensor x, float p, Tensor rng, int stream, boolean accumulate) {
        Checks.dropout(y, x, p, rng);
        int n = size(y);
        if (n == 0) return;
        int adds = flag(accumulate);
        launch("dropout", elements(n), List.of(n, p, stream, adds), (graph, id, a) -> graph.task(id, DropoutKernels::dropout,
                a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0), a.floats(1), a.halves(1), a.type(1),
                a.ints(2), n, p, stream, adds), y, x, rng);
    }

    // ---- lookups ----

    @Override
    public void gatherRows(Tensor y, Tensor table, Tensor ids) {
        Checks.gatherRows(y, table, ids);
        layers.gatherRows(y, table, ids);
    }

    @Override
    public void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids) {
        Checks.scatterAddRows(dTable, dy, ids);
        layers.scatterAddRows(dTable, dy, ids);
    }

    // ---- matrix products ----

    @Override
    public void matmul(Tensor c, Tensor a, boolean transposeA, Tensor b, boolean transposeB, float alpha, boolean accumulate) {
        Checks.matmul(c, a, transposeA, b, transposeB);
        products.matmul(c, new Products.Operand(a, transposeA), new Products.Operand(b, transposeB), alpha, accumulate);
    }

    @Override
    public void linearForward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        Checks.linearForward(y, x, w, bias, residual, side);
        quantized.multiply(w, y != null, dense -> products.forward(y, x, dense, bias, residual, side));
    }

    @Override
    public void linearBackward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side, LowRankGrads sideGrads) {
        Checks.linearBackward(dx, dy, w, side, sideGrads);
        quantized.multiply(w, dx != null, dense -> products.backward(dx, accumulate, dy, dense, side, sideGrads));
    }

    // ---- lengths of weight rows ----

    @Override
    public void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, Tensor gram, float scale) {
        Checks.rowNorm(norm, base, b, cross, gram);
        if (norm.size() == 0) return;
        int r = b.cols();
        int based = flag(base != null);
        int squared = flag(gram != null);
        launch("rowNorm", rows(b.rows()), List.of(r, based, squared, scale), (graph, id, a) -> graph.task(id,
                ScaleKernels::rowNorm, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.floats(2), a.halves(2),
                a.type(2), a.floats(3), a.halves(3), a.type(3), a.floats(4), r, based, squared, scale),
                norm, base == null ? norm : base, b, cross, gram == null ? norm : gram);
    }

    @Override
    public void columnScaleForward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias, Tensor residual) {
        Checks.columnScaleForward(y, x, magnitude, norm, bias, residual);
        if (x.size() == 0) return;
        int cols = x.cols();
        int biasType = bias == null ? ProductForm.ABSENT : Launch.type(bias.dtype());
        int residualType = residual == null ? ProductForm.ABSENT : Launch.type(residual.dtype());
        launch("columnScaleForward", rows(x.rows()), List.of(cols, biasType, residualType), (graph, id, a) -> graph.task(id,
                ScaleKernels::columnScaleForward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0),
                a.floats(1), a.halves(1), a.type(1), a.floats(2), a.floats(3), a.floats(4), a.halves(4), biasType, a.floats(5),
                a.halves(5), residualType, cols),
                y, x, magnitude, norm, bias == null ? norm : bias, residual == null ? x : residual);
    }

    @Override
    public void columnScaleBackward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude, Tensor norm) {
        Checks.columnScaleBackward(dx, dMagnitude, dy, x, magnitude, norm);
        if (dy.size() == 0) return;
        int rows = dy.rows();
        int cols = dy.cols();
        if (dMagnitude != null) {                                 // first: dx may be dy
            launch("columnScaleBackwardMagnitude", columns(cols), List.of(rows, cols), (graph, id, a) -> graph.task(id,
                    ScaleKernels::columnScaleBackwardMagnitude, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1),
                    a.halves(1), a.type(1), a.floats(2), a.halves(2), a.type(2), a.floats(3), rows, cols),
                    dMagnitude, dy, x, norm);
        }
        if (dx == null) return;
        launch("columnScaleBackward", rows(rows), List.of(cols), (graph, id, a) -> graph.task(id,
                ScaleKernels::columnScaleBackward, a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.type(0),
                a.floats(1), a.halves(1), a.type(1), a.floats(2), a.floats(3), cols), dx, dy, magnitude, norm);
    }

    // ---- attention ----

    @Override
    public void attentionForward(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop,
                                 AttentionSpec spec) {
        Checks.attentionForward(o, lse, q, k, v, start, stop, spec);
        attentions.forward(o, lse, q, k, v, start, stop, spec);
    }

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v, Tensor o,
                                  Tensor lse, Tensor start, Tensor stop, AttentionSpec spec) {
        Checks.attentionBackward(dq, dk, dv, dO, q, k, v, o, lse, start, stop, spec);
        attentions.backward(dq, dk, dv, dO, q, k, v, o, lse, start, stop, spec);
    }

    // ---- loss ----

    @Override
    public void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x, Tensor w,
                                   Tensor bias, Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        LayerChecks.linearCrossEntropy(stats, tokenLoss, dx, dw, dBias, x, w, bias, targets, gradScale, spec);
        losses.linearCrossEntropy(stats, tokenLoss, dx, dw, dBias, x, w, bias, targets, gradScale, spec);
    }

    // ---- normalisation, position, activation ----

    @Override
    public void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift) {
        Checks.rmsNormForward(y, rstd, x, w);
        layers.rmsNormForward(y, rstd, x, w, eps, shift);
    }

    @Override
    public void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd,
            float shift) {
        Checks.rmsNormBackward(dx, dw, dy, x, w, rstd);
        layers.rmsNormBackward(dx, accumulate, dw, dy, x, w, rstd, shift);
    }

    @Override
    public void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps) {
        LayerChecks.layerNormForward(y, mean, rstd, x, w, bias);
        layers.layerNormForward(y, mean, rstd, x, w, bias, eps);
    }

    @Override
    public void layerNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w,
                                  Tensor mean, Tensor rstd) {
        LayerChecks.layerNormBackward(dx, dw, dBias, dy, x, w, mean, rstd);
        if (dBias != null) {                                      // first: dx may be dy
            columnSum(dBias, new Tensor(dy.name(), dy.dtype(), Shape.of(size(rstd), size(w)), dy.storage()));
        }
        layers.layerNormBackward(dx, accumulate, dw, dy, x, w, mean, rstd);
    }

    @Override
    public void scale(Tensor y, Tensor x, float factor, float cap) {
        LayerChecks.scale(y, x);
        layers.scale(y, x, factor, cap);
    }

    @Override
    public void copyColumns(Tensor dst, Tensor src, Columns columns, boolean accumulate) {
        LayerChecks.copyColumns(dst, src, columns);
        layers.copyColumns(dst, src, columns, accumulate);
    }

    @Override
    public void rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec, boolean transpose) {
        Checks.rope(q, k, cos, sin, positions, spec);
        layers.rope(q, k, cos, sin, positions, spec, transpose);
    }

    @Override
    public void gluForward(Tensor y, Tensor gate, Tensor up, Activation activation) {
        Checks.gluForward(y, gate, up);
        layers.gluForward(y, gate, up, activation);
    }

    @Override
    public void gluBackward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, Activation activation) {
        Checks.gluBackward(dGate, dUp, dy, gate, up);
        layers.gluBackward(dGate, dUp, dy, gate, up, activation);
    }

    // ---- experts ----

    @Override
    public void routeForward(Tensor weights, Tensor experts, Tensor logits, RouteSpec spec) {
        ExpertChecks.route("routeForward", weights, experts, logits, spec);
        this.experts.routeForward(weights, experts, logits, spec);
    }

    @Override
    public void routeBackward(Tensor dLogits, Tensor dWeights, Tensor experts, Tensor logits, RouteSpec spec) {
        ExpertChecks.routeBackward(dLogits, dWeights, experts, logits, spec);
        this.experts.routeBackward(dLogits, dWeights, experts, logits, spec);
    }

    @Override
    public void balanceForward(Tensor sums, Tensor experts, Tensor logits, Tensor present) {
        ExpertChecks.balanceForward(sums, experts, logits, present);
        this.experts.balanceForward(sums, experts, logits, present);
    }

    @Override
    public void balanceBackward(Tensor dLogits, Tensor sums, Tensor logits, Tensor present, Tensor factor, int perToken,
                                boolean accumulate) {
        ExpertChecks.balanceBackward(dLogits, sums, logits, present, factor);
        experts.balanceBackward(dLogits, sums, logits, present, factor, perToken, accumulate);
    }

    @Override
    public void groupByExpert(Tensor tokens, Tensor places, Tensor offsets, Tensor experts) {
        ExpertChecks.groupByExpert(tokens, places, offsets, experts);
        this.experts.groupByExpert(tokens, places, offsets, experts);
    }

    @Override
    public void combineForward(Tensor y, Tensor x, Tensor places, Tensor weights, boolean accumulate) {
        ExpertChecks.combineForward(y, x, places, weights);
        experts.combineForward(y, x, places, weights, accumulate);
    }

    @Override
    public void combineBackward(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor places, Tensor weights) {
        ExpertChecks.combineBackward(dx, dWeights, dy, x, places, weights);
        experts.combineBackward(dx, dWeights, dy, x, places, weights);
    }

    @Override
    public void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha,
                              boolean accumulate) {
        ExpertChecks.groupedMatmul(c, a, w, transposeW, offsets);
        expertProducts.groupedMatmul(c, a, w, transposeW, offsets, alpha, accumulate);
    }

    @Override
    public void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets, float alpha) {
        ExpertChecks.groupedGradient(dw, a, b, offsets);
        expertProducts.groupedGradient(dw, a, b, offsets, alpha);
    }

    @Override
    public void groupedLinearForward(Tensor y, Tensor x, List<Tensor> w, Tensor offsets, GroupedLowRank side) {
        ExpertChecks.groupedLinearForward(y, x, w, offsets, side);
        if (expertProducts.linearForward(y, x, w, offsets, side)) return;
        super.groupedLinearForward(y, x, w, offsets, side);
    }

    @Override
    public void groupedLinearBackward(Tensor dx, boolean accumulate, Tensor dy, List<Tensor> w, Tensor offsets,
                                      GroupedLowRank side, GroupedLowRankGrads grads) {
        ExpertChecks.groupedLinearBackward(dx, dy, w, offsets, side, grads);
        if (expertProducts.linearBackward(dx, accumulate, dy, w, offsets, side, grads)) return;
        super.groupedLinearBackward(dx, accumulate, dy, w, offsets, side, grads);
    }

    // ---- optimizer ----

    @Override
    public void sumSquares(Tensor sum, Tensor x) {
        Checks.sumSquares(sum, x);
        int n = size(x);
        if (n > 0) launchRange("sumSquares", List.of(), n, 1, (count, t) -> sumSquares(t[1], t[0], count), x, sum);
    }

    private void sumSquares(Tensor sum, Tensor x, int n) {
        int groups = OptimKernels.squareGroups(n);
        Tensor partial = allocate("partial", DType.F32, Shape.of(groups));
        launch("partialSquares", rows(groups), List.of(n, groups), (graph, id, a) -> graph.task(id,
                OptimKernels::partialSquares, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.halves(1),
                a.type(1), n, groups), partial, x);
        launch("addPartials", rows(1), List.of(groups), (graph, id, a) -> graph.task(id, OptimKernels::addPartials, a.context(),
                a.table(), a.slot(), a.floats(0), a.floats(1), groups), sum, partial);
        release(partial);
    }

    @Override
    public void clipFactor(Tensor out, Tensor sumSquares, Tensor tokens, float maxNorm) {
        Checks.clipFactor(out, sumSquares, tokens);
        launch("clipFactor", Grid.groups(1, 32), List.of(maxNorm), (graph, id, a) -> graph.task(id, OptimKernels::clipFactor,
                a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), a.floats(2), maxNorm), out, sumSquares, tokens);
    }

    @Override
    public void adamW(Tensor param, Tensor grad, Tensor m, Tensor v, Tensor hyper, Tensor factor) {
        Checks.adamW(param, grad, m, v, hyper, factor);
        int n = size(param);
        if (n == 0) return;
        launchRange("adamW", List.of(), n, 4, (count, t) -> launch("adamW", Grid.threads(count, Elements.GROUP), List.of(count),
                (graph, id, a) -> graph.task(id, OptimKernels::adamW, a.context(), a.table(), a.slot(), a.floats(0),
                        a.floats(1), a.floats(2), a.floats(3), a.floats(4), a.floats(5), count), t), param, grad, m, v,
                hyper, factor);
    }

    @Override
    public void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        OptimizerChecks.lion(param, grad, m, hyper, factor);
        updates.lion(param, grad, m, hyper, factor);
    }

    @Override
    public void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        OptimizerChecks.sgd(param, grad, m, hyper, factor);
        updates.sgd(param, grad, m, hyper, factor);
    }

    @Override
    public void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor) {
        OptimizerChecks.scheduleFreeAdamW(y, grad, z, v, hyper, factor);
        updates.scheduleFreeAdamW(y, grad, z, v, hyper, factor);
    }

    @Override
    public void adafactor(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor) {
        OptimizerChecks.adafactor(param, grad, rows, cols, hyper, factor);
        updates.adafactor(param, grad, rows, cols, hyper, factor);
    }

    @Override
    public void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        OptimizerChecks.adamW8bit(param, grad, m, v, hyper, factor);
        updates.adamW8bit(param, grad, m, v, hyper, factor);
    }

    @Override
    public void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        OptimizerChecks.lion8bit(param, grad, m, hyper, factor);
        updates.lion8bit(param, grad, m, hyper, factor);
    }
}
