package dev.gale.tensor.ops;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Codec;
import dev.gale.tensor.random.Philox;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// The meaning of every operation in obvious loops: operands are read as doubles, computed in double, and rounded once
/// when stored. The oracle of every test; never optimised.
public final class ReferenceOps extends HostOps {
    private final ReferenceExperts experts = new ReferenceExperts(this);

    public ReferenceOps() {
        this(MemoryPool.CHUNK_BYTES);
    }

    /// @param chunkBytes smallest chunk of memory to take at once
    public ReferenceOps(long chunkBytes) {
        super(chunkBytes);
    }

    @Override
    public String name() {
        return "reference";
    }

    // ---- elementwise ----

    @Override
    public void copy(Tensor dst, Tensor src) {
        Checks.copy(dst, src);
        store(dst, load(src), false);
    }

    @Override
    public void dequantize(Tensor dst, Tensor q) {
        Checks.dequantize(dst, q);
        float[] elements = new float[Math.toIntExact(q.size())];
        Codec.load(elements, 0, q, 0, elements.length);
        for (int i = 0; i < elements.length; i++) Convert.set(dst.segment(), dst.dtype(), i, elements[i]);
    }

    @Override
    public void fill(Tensor dst, float value) {
        Checks.fill(dst);
        for (long i = 0; i < dst.size(); i++) Convert.set(dst.segment(), dst.dtype(), i, value);
    }

    @Override
    public void add(Tensor y, Tensor a, Tensor b) {
        Checks.add(y, a, b);
        double[] sum = load(a);
        double[] other = load(b);
        for (int i = 0; i < sum.length; i++) sum[i] += other[i];
        store(y, sum, false);
    }

    @Override
    public void addScaled(Tensor y, Tensor x, float scale) {
        Checks.addScaled(y, x);
        double[] share = load(x);
        for (int i = 0; i < share.length; i++) share[i] *= scale;
        store(y, share, true);
    }

    @Override
    public void columnSum(Tensor sums, Tensor x) {
        Checks.columnSum(sums, x);
        double[] values = load(x);
        double[] total = new double[x.cols()];
        for (int i = 0; i < values.length; i++) total[i % total.length] += values[i];
        store(sums, total, true);
    }

    @Override
    public void dropout(Tensor y, Tensor x, float p, Tensor rng, int stream, boolean accumulate) {
        Checks.dropout(y, x, p, rng);
        int[] state = toInts(rng);
        int[] block = new int[4];
        double[] values = load(x);
        for (int i = 0; i < values.length; i++) {
            if (i % 4 == 0) Philox.block(state[0], state[1], i / 4, stream, state[2], state[3], block);
            values[i] = Philox.uniform(block[i % 4]) >= p ? values[i] / (1 - (double) p) : 0;
        }
        store(y, values, accumulate);
    }

    // ---- lookups ----

    @Override
    public void gatherRows(Tensor y, Tensor table, Tensor ids) {
        Checks.gatherRows(y, table, ids);
        int width = y.cols();
        for (int i = 0; i < y.rows(); i++) {
            long from = (long) Objects.checkIndex(Convert.getInt(ids.segment(), i), table.rows()) * width;
            for (int c = 0; c < width; c++) {
                float value = Convert.get(table.segment(), table.dtype(), from + c);
                Convert.set(y.segment(), y.dtype(), (long) i * width + c, value);
            }
        }
    }

    @Override
    public void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids) {
        Checks.scatterAddRows(dTable, dy, ids);
        int width = dy.cols();
        double[] total = load(dTable);
        double[] share = load(dy);
        for (int i = 0; i < dy.rows(); i++) {
            int id = Convert.getInt(ids.segment(), i);
            if (id == -1) continue;
            int to = Objects.checkIndex(id, dTable.rows()) * width;
            for (int c = 0; c < width; c++) total[to + c] += share[i * width + c];
        }
        store(dTable, total, false);
    }

    // ---- matrix products ----

    @Override
    public void matmul(Tensor c, Tensor a, boolean transposeA, Tensor b, boolean transposeB, float alpha,
            boolean accumulate) {
        Checks.matmul(c, a, transposeA, b, transposeB);
        ReferenceLinear.matmul(c, a, transposeA, b, transposeB, alpha, accumulate);
    }

    @Override
    public void linearForward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        Checks.linearForward(y, x, w, bias, residual, side);
        ReferenceLinear.forward(y, x, w, bias, residual, side);
    }

    @Override
    public void linearBackward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side,
            LowRankGrads sideGrads) {
        Checks.linearBackward(dx, dy, w, side, sideGrads);
        ReferenceLinear.backward(dx, accumulate, dy, w, side, sideGrads);
    }

    // ---- lengths of weight rows ----

    @Override
    public void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, Tensor gram, float scale) {
        Checks.rowNorm(norm, base, b, cross, gram);
        ReferenceScale.rowNorm(norm, base, b, cross, gram, scale);
    }

    @Override
    public void columnScaleForward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias, Tensor residual) {
        Checks.columnScaleForward(y, x, magnitude, norm, bias, residual);
        ReferenceScale.forward(y, x, magnitude, norm, bias, residual);
    }

    @Override
    public void columnScaleBackward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude, Tensor norm) {
        Checks.columnScaleBackward(dx, dMagnitude, dy, x, magnitude, norm);
        ReferenceScale.backward(dx, dMagnitude, dy, x, magnitude, norm);
    }

    // ---- normalisation, position, activation ----

    @Override
    public void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift) {
        Checks.rmsNormForward(y, rstd, x, w);
        ReferenceLayers.rmsNormForward(y, rstd, x, w, eps, shift);
    }

    @Override
    public void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd,
                                float shift) {
        Checks.rmsNormBackward(dx, dw, dy, x, w, rstd);
        ReferenceLayers.rmsNormBackward(dx, accumulate, dw, dy, x, w, rstd, shift);
    }

    @Override
    public void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps) {
        LayerChecks.layerNormForward(y, mean, rstd, x, w, bias);
        ReferenceLayers.layerNormForward(y, mean, rstd, x, w, bias, eps);
    }

    @Override
    public void layerNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w,
                                  Tensor mean, Tensor rstd) {
        LayerChecks.layerNormBackward(dx, dw, dBias, dy, x, w, mean, rstd);
        ReferenceLayers.layerNormBackward(dx, accumulate, dw, dBias, dy, x, w, mean, rstd);
    }

    @Override
    public void scale(Tensor y, Tensor x, float factor, float cap) {
        LayerChecks.scale(y, x);
        ReferenceLayers.scale(y, x, factor, cap);
    }

    @Override
    public void copyColumns(Tensor dst, Tensor src, Columns columns, boolean accumulate) {
        LayerChecks.copyColumns(dst, src, columns);
        ReferenceLayers.copyColumns(dst, src, columns, accumulate);
    }

    @Override
    public void rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec,
            boolean transpose) {
        Checks.rope(q, k, cos, sin, positions, spec);
        if (q != null) rotate(q, cos, sin, positions, spec, transpose);
        if (k != null) rotate(k, cos, sin, positions, spec, transpose);
    }

    private void rotate(Tensor x, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec, boolean transpose) {
        int half = cos.cols();
        double[] values = load(x);
        double[] cosines = load(cos);
        double[] sines = load(sin);
        int[] at = toInts(positions);
        for (int r = 0; r < at.length; r++) {
            int angles = Objects.checkIndex(at[r], cos.rows()) * half;
            for (int head = r * x.cols(); head < (r + 1) * x.cols(); head += spec.headDim()) {
                for (int i = 0; i < half; i++) {
                    double c = cosines[angles + i];
                    double s = transpose ? -sines[angles + i] : sines[angles + i];
                    int first = head + (spec.interleaved() ? 2 * i : i);
                    int second = spec.interleaved() ? first + 1 : first + half;
                    double a = values[first];
                    double b = values[second];
                    values[first] = a * c - b * s;
                    values[second] = b * c + a * s;
                }
            }
        }
        store(x, values, false);
    }

    @Override
    public void gluForward(Tensor y, Tensor gate, Tensor up, Activation activation) {
        Checks.gluForward(y, gate, up);
        double[] gates = load(gate);
        double[] product = loadOrOnes(up, gates.length);
        for (int i = 0; i < product.length; i++) product[i] *= ReferenceGate.value(activation, gates[i]);
        store(y, product, false);
    }

    @Override
    public void gluBackward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, Activation activation) {
        Checks.gluBackward(dGate, dUp, dy, gate, up);
        double[] upstream = load(dy);
        double[] gates = load(gate);
        double[] gateGrad = loadOrOnes(up, gates.length);
        double[] upGrad = new double[upstream.length];
        for (int i = 0; i < upstream.length; i++) {
            gateGrad[i] *= upstream[i] * ReferenceGate.slope(activation, gates[i]);
            upGrad[i] = upstream[i] * ReferenceGate.value(activation, gates[i]);
        }
        store(dGate, gateGrad, false);
        if (dUp != null) store(dUp, upGrad, false);
    }

    private static double[] loadOrOnes(Tensor tensor, int size) {
        if (tensor != null) return load(tensor);
        double[] ones = new double[size];
        Arrays.fill(ones, 1);
        return ones;
    }

    // ---- attention ----

    @Override
    public void attentionForward(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop,
                                 AttentionSpec spec) {
        Checks.attentionForward(o, lse, q, k, v, start, stop, spec);
        new ReferenceAttention(q, k, v, toInts(start), toInts(stop), spec).forward(o, lse);
    }

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v, Tensor o,
                                  Tensor lse, Tensor start, Tensor stop, AttentionSpec spec) {
        Checks.attentionBackward(dq, dk, dv, dO, q, k, v, o, lse, start, stop, spec);
        new ReferenceAttention(q, k, v, toInts(start), toInts(stop), spec).backward(dq, dk, dv, dO, o, lse);
    }

    // ---- loss ----

    @Override
    public void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x, Tensor w,
            Tensor bias, Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        LayerChecks.linearCrossEntropy(stats, tokenLoss, dx, dw, dBias, x, w, bias, targets, gradScale, spec);
        double factor = gradScale == null ? 1 : load(gradScale)[0];
        new ReferenceCrossEntropy(x, w, bias, toInts(targets), factor, spec).run(stats, tokenLoss, dx, dw, dBias);
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
        experts.groupedMatmul(c, a, w, transposeW, offsets, alpha, accumulate);
    }

    @Override
    public void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets, float alpha) {
        ExpertChecks.groupedGradient(dw, a, b, offsets);
        experts.groupedGradient(dw, a, b, offsets, alpha);
    }

    // ---- optimizer ----

    @Override
    public void sumSquares(Tensor sum, Tensor x) {
        Checks.sumSquares(sum, x);
        store(sum, new double[] {Arrays.stream(load(x)).map(value -> value * value).reduce(0, Double::sum)}, true);
    }

    @Override
    public void clipFactor(Tensor out, Tensor sumSquares, Tensor tokens, float maxNorm) {
        Checks.clipFactor(out, sumSquares, tokens);
        double count = load(tokens)[0];
        double norm = Math.sqrt(load(sumSquares)[0]) / count;
        double clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
        store(out, new double[] {clip / count, norm}, false);
    }

    @Override
    public void adamW(Tensor param, Tensor grad, Tensor m, Tensor v, Tensor hyper, Tensor factor) {
        Checks.adamW(param, grad, m, v, hyper, factor);
        double[] h = load(hyper);
        double lr = h[0], beta1 = h[1], beta2 = h[2], eps = h[3], weightDecay = h[4];
        double correction1 = h[5], correction2 = h[6];
        double scale = load(factor)[0];
        double[] p = load(param);
        double[] g = load(grad);
        double[] first = load(m);
        double[] second = load(v);
        for (int i = 0; i < p.length; i++) {
            double gradient = scale * g[i];
            first[i] = beta1 * first[i] + (1 - beta1) * gradient;
            second[i] = beta2 * second[i] + (1 - beta2) * gradient * gradient;
            double deviation = Math.sqrt(second[i] / correction2) + eps;
            p[i] = p[i] * (1 - lr * weightDecay) - lr / correction1 * first[i] / deviation;
        }
        store(param, p, false);
        store(m, first, false);
        store(v, second, false);
    }

    @Override
    public void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        OptimizerChecks.lion(param, grad, m, hyper, factor);
        ReferenceUpdates.lion(param, grad, m, hyper, factor);
    }

    @Override
    public void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        OptimizerChecks.sgd(param, grad, m, hyper, factor);
        ReferenceUpdates.sgd(param, grad, m, hyper, factor);
    }

    @Override
    public void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor) {
        OptimizerChecks.scheduleFreeAdamW(y, grad, z, v, hyper, factor);
        ReferenceUpdates.scheduleFreeAdamW(y, grad, z, v, hyper, factor);
    }

    @Override
    public void adafactor(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor) {
        OptimizerChecks.adafactor(param, grad, rows, cols, hyper, factor);
        ReferenceUpdates.adafactor(param, grad, rows, cols, hyper, factor);
    }

    @Override
    public void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        OptimizerChecks.adamW8bit(param, grad, m, v, hyper, factor);
        ReferenceUpdates.adamW8bit(param, grad, m, v, hyper, factor);
    }

    @Override
    public void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        OptimizerChecks.lion8bit(param, grad, m, hyper, factor);
        ReferenceUpdates.lion8bit(param, grad, m, hyper, factor);
    }

    // ---- elements ----

    /// All elements as doubles.
    static double[] load(Tensor tensor) {
        MemorySegment from = tensor.segment();
        double[] values = new double[Math.toIntExact(tensor.size())];
        DType dtype = tensor.dtype();
        if (dtype.quantized()) {
            float[] elements = new float[values.length];
            Codec.load(elements, 0, tensor, 0, elements.length);
            for (int i = 0; i < values.length; i++) values[i] = elements[i];
        } else {
            for (int i = 0; i < values.length; i++) values[i] = Convert.get(from, dtype, i);
        }
        return values;
    }

    /// Writes: `tensor =` or `+=` values, rounded to its dtype.
    static void store(Tensor tensor, double[] values, boolean accumulate) {
        MemorySegment to = tensor.segment();
        DType dtype = tensor.dtype();
        for (int i = 0; i < values.length; i++) {
            double before = accumulate ? Convert.get(to, dtype, i) : 0;
            Convert.set(to, dtype, i, (float) (before + values[i]));
        }
    }
}
