package dev.gale.tensor.cpu;

import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Gemm.Operand;
import dev.gale.tensor.cpu.Gemm.Start;
import dev.gale.tensor.cpu.Gemm.Term;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Checks;
import dev.gale.tensor.ops.Columns;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.ExpertChecks;
import dev.gale.tensor.ops.HostOps;
import dev.gale.tensor.ops.LayerChecks;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.OptimizerChecks;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.RouteSpec;
import java.util.List;

/// Every operation on the CPU: the Vector API at the machine's preferred width, all cores.
///
/// Numerics: F32 sums, in an order that shapes alone decide; the number of threads never changes a bit, and neither
/// does whether the JVM has compiled the code yet. Not thread-safe: one caller at a time.
public final class CpuOps extends HostOps {
    private final Team team;
    private final Elementwise elementwise;
    private final Gemm gemm;
    private final Scales scales;
    private final Norms norms;
    private final LayerNorms layerNorms;
    private final Gates gates;
    private final Rotation rotation;
    private final Dropout dropout;
    private final Experts experts;
    private final Updates updates;
    private final Updates8bit updates8bit;
    private final Adafactor adafactor;

    /// Uses as many threads as the system property `gale.threads` says, else one per processor.
    public CpuOps() {
        this(new Workers(), MemoryPool.CHUNK_BYTES);
    }

    /// @param threads how many threads compute, the caller included
    public CpuOps(int threads) {
        this(threads, MemoryPool.CHUNK_BYTES);
    }

    /// @param chunkBytes smallest chunk of memory to take at once
    CpuOps(int threads, long chunkBytes) {
        this(new Workers(threads), chunkBytes);
    }

    private CpuOps(Workers workers, long chunkBytes) {
        super(chunkBytes);
        team = new Team(workers);
        elementwise = new Elementwise(team);
        gemm = new Gemm(team);
        scales = new Scales(team);
        norms = new Norms(team);
        layerNorms = new LayerNorms(team);
        gates = new Gates(team);
        rotation = new Rotation(team);
        dropout = new Dropout(team);
        experts = new Experts(this, team, gemm);
        updates = new Updates(team);
        updates8bit = new Updates8bit(team);
        adafactor = new Adafactor(team);
    }

    @Override
    public String name() {
        return "cpu";
    }

    /// How many threads compute, the caller included.
    public int threads() {
        return team.workers.threads();
    }

    /// Bytes of working memory on the Java heap, which `memory()` does not count: a few MB per thread.
    public long workspaceBytes() {
        return team.bytes() + norms.bytes() + updates.bytes() + adafactor.bytes();
    }

    // ---- elementwise ----

    @Override
    public void copy(Tensor dst, Tensor src) {
        Checks.copy(dst, src);
        elementwise.copy(dst, src);
    }

    @Override
    public void dequantize(Tensor dst, Tensor q) {
        Checks.dequantize(dst, q);
        elementwise.copy(dst, q);
    }

    @Override
    public void fill(Tensor dst, float value) {
        Checks.fill(dst);
        elementwise.fill(dst, value);
    }

    @Override
    public void add(Tensor y, Tensor a, Tensor b) {
        Checks.add(y, a, b);
        elementwise.add(y, a, b);
    }

    @Override
    public void addScaled(Tensor y, Tensor x, float scale) {
        Checks.addScaled(y, x);
        elementwise.addScaled(y, x, scale);
    }

    @Override
    public void columnSum(Tensor sums, Tensor x) {
        Checks.columnSum(sums, x);
        elementwise.columnSum(sums, x);
    }

    @Override
    public void dropout(Tensor y, Tensor x, float p, Tensor rng, int stream, boolean accumulate) {
        Checks.dropout(y, x, p, rng);
        dropout.run(y, x, p, rng, stream, accumulate);
    }

    // ---- lookups ----

    @Override
    public void gatherRows(Tensor y, Tensor table, Tensor ids) {
        Checks.gatherRows(y, table, ids);
        elementwise.gatherRows(y, table, ids);
    }

    @Override
    public void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids) {
        Checks.scatterAddRows(dTable, dy, ids);
        elementwise.scatterAddRows(dTable, dy, ids);
    }

    // ---- matrix products ----

    @Override
    public void matmul(Tensor c, Tensor a, boolean transposeA, Tensor b, boolean transposeB, float alpha,
                       boolean accumulate) {
        Checks.matmul(c, a, transposeA, b, transposeB);
        single("matmul", c);
        gemm.run(c, accumulate ? Start.OLD : Start.ZERO, term(a, transposeA, b, transposeB, alpha));
    }

    private static Term term(Tensor a, boolean transposeA, Tensor b, boolean transposeB, float alpha) {
        return new Term(new Operand(a, transposeA), new Operand(b, transposeB), alpha);
    }

    /// The low-rank path is further steps of the same sum.
    @Override
    public void linearForward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        Checks.linearForward(y, x, w, bias, residual, side);
        if (y != null) single("linearForward", y);
        if (side != null) {
            single("linearForward", side.low());
            gemm.run(side.low(), Start.ZERO, term(side.input(), false, side.a(), true, 1f));
        }
        if (y == null) return;
        Start start = new Start(false, bias, residual);
        Term base = term(x, false, w, true, 1f);
        if (side == null) gemm.run(y, start, base);
        else gemm.run(y, start, base, term(side.low(), false, side.b(), true, side.scale()));
    }

    @Override
    public void linearBackward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side,
                               LowRankGrads sideGrads) {
        Checks.linearBackward(dx, dy, w, side, sideGrads);
        Start start = accumulate ? Start.OLD : Start.ZERO;
        if (dx != null) single("linearBackward", dx);
        if (side == null) {
            if (dx != null) gemm.run(dx, start, term(dy, false, w, false, 1f));
            return;
        }
        Tensor dLow = sideGrads.dLow();
        Tensor dA = sideGrads.dA();
        Tensor dB = sideGrads.dB();
        Tensor dInput = sideGrads.dInput();
        single("linearBackward", dLow);
        gemm.run(dLow, Start.ZERO, term(dy, false, side.b(), false, side.scale()));
        if (dA != null) gemm.run(dA, Start.OLD, term(dLow, true, side.input(), false, 1f));
        if (dB != null) gemm.run(dB, Start.OLD, term(dy, true, side.low(), false, side.scale()));
        Term share = term(dLow, false, side.a(), false, 1f);
        if (dInput != null) {
            single("linearBackward", dInput);
            gemm.run(dInput, Start.ZERO, share);
        }
        if (dx == null) return;
        Term base = term(dy, false, w, false, 1f);
        if (dInput == null) gemm.run(dx, start, base, share);
        else gemm.run(dx, start, base);
    }

    /// Products accumulate in their result, which must not round in between.
    private static void single(String op, Tensor result) {
        if (result.dtype() == DType.F32) return;
        throw new ShapeException("%s: on the CPU the result must be F32: %s".formatted(op, result));
    }

    // ---- lengths of weight rows ----

    @Override
    public void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, Tensor gram, float scale) {
        Checks.rowNorm(norm, base, b, cross, gram);
        scales.rowNorm(norm, base, b, cross, gram == null ? null : toFloats(gram), scale);
    }

    @Override
    public void columnScaleForward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias, Tensor residual) {
        Checks.columnScaleForward(y, x, magnitude, norm, bias, residual);
        scales.forward(y, x, magnitude, norm, bias, residual);
    }

    @Override
    public void columnScaleBackward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude, Tensor norm) {
        Checks.columnScaleBackward(dx, dMagnitude, dy, x, magnitude, norm);
        scales.backward(dx, dMagnitude, dy, x, magnitude, norm);
    }

    // ---- normalisation, position, activation ----

    @Override
    public void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift) {
        Checks.rmsNormForward(y, rstd, x, w);
        norms.forward(y, rstd, x, w, eps, shift);
    }

    @Override
    public void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd,
                                float shift) {
        Checks.rmsNormBackward(dx, dw, dy, x, w, rstd);
        norms.backward(dx, accumulate, dw, dy, x, w, rstd, shift);
    }

    @Override
    public void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps) {
        LayerChecks.layerNormForward(y, mean, rstd, x, w, bias);
        layerNorms.forward(y, mean, rstd, x, w, bias, eps);
    }

    @Override
    public void layerNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w,
                                  Tensor mean, Tensor rstd) {
        LayerChecks.layerNormBackward(dx, dw, dBias, dy, x, w, mean, rstd);
        layerNorms.backward(dx, accumulate, dw, dBias, dy, x, w, mean, rstd);
    }

    @Override
    public void scale(Tensor y, Tensor x, float factor, float cap) {
        LayerChecks.scale(y, x);
        elementwise.scale(y, x, factor, cap);
    }

    @Override
    public void copyColumns(Tensor dst, Tensor src, Columns columns, boolean accumulate) {
        LayerChecks.copyColumns(dst, src, columns);
        elementwise.copyColumns(dst, src, columns, accumulate);
    }

    @Override
    public void rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec,
                     boolean transpose) {
        Checks.rope(q, k, cos, sin, positions, spec);
        if (q != null) rotation.rotate(q, cos, sin, positions, spec, transpose);
        if (k != null) rotation.rotate(k, cos, sin, positions, spec, transpose);
    }

    @Override
    public void gluForward(Tensor y, Tensor gate, Tensor up, Activation activation) {
        Checks.gluForward(y, gate, up);
        gates.forward(y, gate, up, activation);
    }

    @Override
    public void gluBackward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, Activation activation) {
        Checks.gluBackward(dGate, dUp, dy, gate, up);
        gates.backward(dGate, dUp, dy, gate, up, activation);
    }

    // ---- attention ----

    @Override
    public void attentionForward(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop,
                                 AttentionSpec spec) {
        Checks.attentionForward(o, lse, q, k, v, start, stop, spec);
        new AttentionForward(new AttentionRows(q, k, toInts(start), toInts(stop), spec), o, lse, q, k, v).run(team);
    }

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v, Tensor o,
                                  Tensor lse, Tensor start, Tensor stop, AttentionSpec spec) {
        Checks.attentionBackward(dq, dk, dv, dO, q, k, v, o, lse, start, stop, spec);
        AttentionRows layout = new AttentionRows(q, k, toInts(start), toInts(stop), spec);
        float[] sums = toFloats(lse);
        float[] delta = new float[sums.length];
        AttentionBackward.deltas(team, layout, delta, dO, o);
        new AttentionBackward(layout, dq, dO, q, k, v, sums, delta).run(team);
        new AttentionKeyGradients(layout, dk, dv, dO, q, k, v, sums, delta).run(team);
    }

    // ---- loss ----

    @Override
    public void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x, Tensor w,
                                   Tensor bias, Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        LayerChecks.linearCrossEntropy(stats, tokenLoss, dx, dw, dBias, x, w, bias, targets, gradScale, spec);
        float factor = gradScale == null ? 1f : item(gradScale);
        new CrossEntropy(this, team, gemm, w, bias, toInts(targets), factor, spec).run(stats, tokenLoss, dx, dw, dBias, x);
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
        single("groupedMatmul", c);
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
        updates.sumSquares(sum, x);
    }

    @Override
    public void clipFactor(Tensor out, Tensor sumSquares, Tensor tokens, float maxNorm) {
        Checks.clipFactor(out, sumSquares, tokens);
        Updates.clipFactor(out, sumSquares, tokens, maxNorm);
    }

    @Override
    public void adamW(Tensor param, Tensor grad, Tensor m, Tensor v, Tensor hyper, Tensor factor) {
        Checks.adamW(param, grad, m, v, hyper, factor);
        updates.adamW(param, grad, m, v, hyper, factor);
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
        adafactor.run(param, grad, rows, cols, hyper, factor);
    }

    @Override
    public void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        OptimizerChecks.adamW8bit(param, grad, m, v, hyper, factor);
        updates8bit.adamW(param, grad, m, v, hyper, factor);
    }

    @Override
    public void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        OptimizerChecks.lion8bit(param, grad, m, hyper, factor);
        updates8bit.lion(param, grad, m, hyper, factor);
    }

    @Override
    public void close() {
        team.close();
        super.close();
    }
}
