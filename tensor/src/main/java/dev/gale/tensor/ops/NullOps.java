package dev.gale.tensor.ops;

import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Computes nothing and counts: bytes held, FLOPs and bytes moved. Running a training step on it is the plan of that
/// step.
///
/// Memory: the same `MemoryPool` decisions as on the CPU, so `memory()` is what a run of the same calls will show.
/// FLOPs: a multiply-add is 2. `matmul` 2 m n k; `linearForward` and each of dx, dLow, dA, dB and the side path's input
/// gradient the same for its product; attention 4 K per head and visible (query, key) pair, its backward 10 K (scores
/// again, dv, dp, dq, dk); `linearCrossEntropy` 2 V D per trained row, and as much again for each of dx and dw.
/// Elementwise work counts per element: add 1, addScaled 2, columnSum 1, dropout 2, scatterAddRows 1, rmsNorm 4 and 8,
/// layerNorm 6 and 11, scale 1 (4 with a cap), copyColumns 1 where it adds, rope 3, glu 5 and 10 (4 and 8 without up),
/// columnScale 2 (3 with either of bias and residual, 4 with both) and 3 (or what of it is asked for), sumSquares 2, adamW 14,
/// lion 9, sgd 6, scheduleFreeAdamW 18, adafactor 16, adamW8bit 34, lion8bit 19 (a code is 8 comparisons and a division),
/// quantize 3, dequantize 1, routes 3 + k and 6 per logit, balance 4 and 6, combine 2 and 3 per element of x; rowNorm 2 and,
/// with gram, 2 R per element of b; transcendental functions count as one.
/// Values: none but I32 ones, which `write` leaves behind, so that visible pairs and trained rows are those of the
/// batch; where they were not written, every key is visible and every row trained. Reading floats gives zeros.
/// Bytes: every operand that a call reads and every result it writes, once; lookups count the rows they touch.
public final class NullOps extends CountingOps {
    private final Map<Tensor, int[]> written = new HashMap<>();
    private final DType activationType;

    /// Plans memory as the CPU takes it.
    public NullOps() {
        this(MemoryPool.CHUNK_BYTES);
    }

    /// @param chunkBytes smallest chunk that the planned device takes at once
    public NullOps(long chunkBytes) {
        this(chunkBytes, DType.F32);
    }

    private NullOps(long chunkBytes, DType activationType) {
        super(chunkBytes);
        this.activationType = activationType;
    }

    /// Counts what a device does that keeps its activations in that dtype; its memory is for the device's own plan to say.
    public static NullOps counting(DType activationType) {
        return new NullOps(MemoryPool.CHUNK_BYTES, activationType);
    }

    @Override
    public DType activationType() {
        return activationType;
    }

    @Override
    public String name() {
        return "null";
    }

    @Override
    public boolean computes() {
        return false;
    }

    // ---- memory ----

    @Override
    protected void grow(long bytes) {}

    @Override
    protected Storage storage(int chunk, long offset, long bytes) {
        return new Storage.None();
    }

    @Override
    protected Storage part(Storage whole, long offset, long bytes) {
        return whole;
    }

    @Override
    public void release(Tensor tensor) {
        super.release(tensor);
        written.remove(tensor);
    }

    /// The tensor itself, wherever it lives: nothing reads it.
    @Override
    public Tensor place(Tensor tensor) {
        return tensor;
    }

    // ---- between host and device ----

    @Override
    public void write(Tensor dst, long at, float[] values) {
        Checks.write(dst, at, values.length);
    }

    @Override
    public void write(Tensor dst, int[] values) {
        Checks.write(dst, values.length, false);
        written.put(dst, values.clone());
    }

    @Override
    public void writeBytes(Tensor dst, MemorySegment bytes) {
        Checks.bytes("writeBytes", dst, bytes.byteSize());
    }

    @Override
    public void readBytes(MemorySegment bytes, Tensor src) {
        Checks.bytes("readBytes", src, bytes.byteSize());
        bytes.fill((byte) 0);
    }

    @Override
    public float[] toFloats(Tensor src) {
        return new float[Checks.read("toFloats", src, true)];
    }

    /// What was written last, or zeros.
    @Override
    public int[] toInts(Tensor src) {
        int size = Checks.read("toInts", src, false);
        int[] known = written.get(src);
        return known == null ? new int[size] : known.clone();
    }

    @Override
    public float item(Tensor src) {
        Checks.item(src);
        return 0f;
    }

    // ---- elementwise ----

    @Override
    public void copy(Tensor dst, Tensor src) {
        Checks.copy(dst, src);
        count("copy", 0, bytes(dst, src));
    }

    @Override
    public void quantize(Tensor q, Tensor src) {
        Checks.quantize(q, src);
        count("quantize", 3 * q.size(), bytes(q, src));
    }

    @Override
    public void dequantize(Tensor dst, Tensor q) {
        Checks.dequantize(dst, q);
        count("dequantize", q.size(), bytes(dst, q));
    }

    @Override
    public void fill(Tensor dst, float value) {
        Checks.fill(dst);
        written.remove(dst);
        count("fill", 0, bytes(dst));
    }

    @Override
    public void add(Tensor y, Tensor a, Tensor b) {
        Checks.add(y, a, b);
        count("add", y.size(), bytes(y, a, b));
    }

    @Override
    public void addScaled(Tensor y, Tensor x, float scale) {
        Checks.addScaled(y, x);
        count("addScaled", 2 * y.size(), result(y, true) + bytes(x));
    }

    @Override
    public void columnSum(Tensor sums, Tensor x) {
        Checks.columnSum(sums, x);
        count("columnSum", x.size(), result(sums, true) + bytes(x));
    }

    @Override
    public void dropout(Tensor y, Tensor x, float p, Tensor rng, int stream, boolean accumulate) {
        Checks.dropout(y, x, p, rng);
        count("dropout", 2 * x.size(), result(y, accumulate) + bytes(x, rng));
    }

    // ---- lookups ----

    @Override
    public void gatherRows(Tensor y, Tensor table, Tensor ids) {
        Checks.gatherRows(y, table, ids);
        count("gatherRows", 0, bytes(y, ids) + y.size() * table.dtype().bytes());
    }

    @Override
    public void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids) {
        Checks.scatterAddRows(dTable, dy, ids);
        count("scatterAddRows", dy.size(), bytes(dy, ids) + 2 * dy.size() * dTable.dtype().bytes());
    }

    // ---- matrix products ----

    @Override
    public void matmul(Tensor c, Tensor a, boolean transposeA, Tensor b, boolean transposeB, float alpha,
            boolean accumulate) {
        Checks.matmul(c, a, transposeA, b, transposeB);
        long k = transposeA ? a.rows() : a.cols();
        count("matmul", 2 * k * c.size(), result(c, accumulate) + bytes(a, b));
    }

    @Override
    public void linearForward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        Checks.linearForward(y, x, w, bias, residual, side);
        long flops = 0;
        long bytes = 0;
        if (side != null) {
            flops += product(x, side.a());
            bytes += bytes(side.input(), side.a(), side.low());
        }
        if (y != null) {
            boolean xIsRead = side == null || side.input() != x;
            flops += product(x, w) + (side == null ? 0 : product(x, side.b()));
            bytes += bytes(y, xIsRead ? x : null, w, bias, residual, side == null ? null : side.b());
        }
        count("linearForward", flops, bytes);
    }

    /// FLOPs of multiplying as many rows as x has with a matrix, either way round.
    private static long product(Tensor x, Tensor w) {
        return 2L * x.rows() * w.size();
    }

    @Override
    public void linearBackward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side,
            LowRankGrads sideGrads) {
        Checks.linearBackward(dx, dy, w, side, sideGrads);
        long flops = dx == null ? 0 : product(dy, w);
        long bytes = dx == null ? bytes(dy) : bytes(dy, w) + result(dx, accumulate);
        if (side != null) {
            boolean intoInput = sideGrads.dInput() != null || dx != null;
            flops += product(dy, side.b());
            if (sideGrads.dA() != null) flops += product(dy, side.a());
            if (sideGrads.dB() != null) flops += product(dy, side.b());
            if (intoInput) flops += product(dy, side.a());
            bytes += bytes(side.b(), sideGrads.dLow(), sideGrads.dInput(), intoInput ? side.a() : null,
                    sideGrads.dA() != null ? side.input() : null, sideGrads.dB() != null ? side.low() : null);
            bytes += result(sideGrads.dA(), true) + result(sideGrads.dB(), true);
        }
        count("linearBackward", flops, bytes);
    }

    // ---- lengths of weight rows ----

    @Override
    public void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, Tensor gram, float scale) {
        Checks.rowNorm(norm, base, b, cross, gram);
        long terms = 2 + (gram == null ? 0 : 2L * b.cols());
        count("rowNorm", terms * b.size(), bytes(norm, base, b, cross == b ? null : cross, gram));
    }

    @Override
    public void columnScaleForward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias, Tensor residual) {
        Checks.columnScaleForward(y, x, magnitude, norm, bias, residual);
        int terms = 2 + (bias == null ? 0 : 1) + (residual == null ? 0 : 1);
        count("columnScaleForward", terms * y.size(), bytes(y, x, magnitude, norm, bias, residual));
    }

    @Override
    public void columnScaleBackward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude, Tensor norm) {
        Checks.columnScaleBackward(dx, dMagnitude, dy, x, magnitude, norm);
        int terms = (dx == null ? 0 : 1) + (dMagnitude == null ? 0 : 2);
        count("columnScaleBackward", terms * dy.size(),
                bytes(dx, dy, dMagnitude == null ? null : x, magnitude, norm) + result(dMagnitude, true));
    }

    // ---- normalisation, position, activation ----

    @Override
    public void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift) {
        Checks.rmsNormForward(y, rstd, x, w);
        count("rmsNormForward", 4 * x.size(), bytes(y, rstd, x, w));
    }

    @Override
    public void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd,
                                float shift) {
        Checks.rmsNormBackward(dx, dw, dy, x, w, rstd);
        count("rmsNormBackward", 8 * x.size(), result(dx, accumulate) + result(dw, true) + bytes(dy, x, w, rstd));
    }

    @Override
    public void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps) {
        LayerChecks.layerNormForward(y, mean, rstd, x, w, bias);
        count("layerNormForward", 6 * x.size(), bytes(y, mean, rstd, x, w, bias));
    }

    @Override
    public void layerNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w,
                                  Tensor mean, Tensor rstd) {
        LayerChecks.layerNormBackward(dx, dw, dBias, dy, x, w, mean, rstd);
        count("layerNormBackward", 11 * x.size(),
                result(dx, accumulate) + result(dw, true) + result(dBias, true) + bytes(dy, x, w, mean, rstd));
    }

    @Override
    public void scale(Tensor y, Tensor x, float factor, float cap) {
        LayerChecks.scale(y, x);
        count("scale", (cap > 0 ? 4 : 1) * y.size(), bytes(y, x));
    }

    @Override
    public void copyColumns(Tensor dst, Tensor src, Columns columns, boolean accumulate) {
        LayerChecks.copyColumns(dst, src, columns);
        long read = (long) src.rows() * (columns.fromStep() == 0 ? columns.width() : columns.blocks() * columns.width());
        long written = (long) dst.rows() * columns.written();
        long adds = (long) dst.rows() * columns.blocks() * columns.width() - (accumulate ? 0 : written);
        count("copyColumns", adds, src.dtype().bytes(read) + (accumulate ? 2 : 1) * dst.dtype().bytes(written));
    }

    @Override
    public void rope(Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec,
            boolean transpose) {
        Checks.rope(q, k, cos, sin, positions, spec);
        long rotated = ((q == null ? 0 : q.size()) + (k == null ? 0 : k.size())) / spec.headDim() * 2 * cos.cols();
        long angles = positions.size() * cos.cols() * 2 * DType.F32.bytes();
        count("rope", 3 * rotated, result(q, true) + result(k, true) + bytes(positions) + angles);
    }

    @Override
    public void gluForward(Tensor y, Tensor gate, Tensor up, Activation activation) {
        Checks.gluForward(y, gate, up);
        count("gluForward", (up == null ? 4 : 5) * y.size(), bytes(y, gate, up));
    }

    @Override
    public void gluBackward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, Activation activation) {
        Checks.gluBackward(dGate, dUp, dy, gate, up);
        count("gluBackward", (up == null ? 8 : 10) * dy.size(), bytes(dGate, dUp, dy, gate, up));
    }

    // ---- attention ----

    @Override
    public void attentionForward(Tensor o, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop,
                                 AttentionSpec spec) {
        Checks.attentionForward(o, lse, q, k, v, start, stop, spec);
        count("attentionForward", 4 * visiblePairs(q, k, start, stop) * spec.queryWidth(),
                bytes(o, lse, q, k, v, start, stop));
    }

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor q, Tensor k, Tensor v, Tensor o,
                                  Tensor lse, Tensor start, Tensor stop, AttentionSpec spec) {
        Checks.attentionBackward(dq, dk, dv, dO, q, k, v, o, lse, start, stop, spec);
        count("attentionBackward", 10 * visiblePairs(q, k, start, stop) * spec.queryWidth(),
                bytes(dq, dk, dv, dO, q, k, v, o, lse, start, stop));
    }

    private long visiblePairs(Tensor q, Tensor k, Tensor start, Tensor stop) {
        int[] from = written.get(start);
        int[] to = written.get(stop);
        if (from == null || to == null) return (long) q.rows() * k.rows();
        long pairs = 0;
        for (int i = 0; i < from.length; i++) pairs += Math.max(0, to[i] - from[i]);
        return pairs;
    }

    // ---- loss ----

    @Override
    public void linearCrossEntropy(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x, Tensor w,
            Tensor bias, Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        LayerChecks.linearCrossEntropy(stats, tokenLoss, dx, dw, dBias, x, w, bias, targets, gradScale, spec);
        List<Tensor> scratch = spec.scratch(x, w).stream().map(shape -> allocate("scratch", DType.F32, shape)).toList();
        scratch.reversed().forEach(this::release);
        long multiplied = w.size() * (dx == null ? 1 : 2) + (dw == null ? 0 : dw.size());
        count("linearCrossEntropy", 2 * trainedRows(x, targets) * multiplied,
                result(stats, true) + result(dw, true) + result(dBias, true) + bytes(tokenLoss, dx, x, w, bias, targets));
    }

    private long trainedRows(Tensor x, Tensor targets) {
        int[] known = written.get(targets);
        if (known == null) return x.rows();
        long trained = 0;
        for (int target : known) {
            if (target != CrossEntropySpec.IGNORE) trained++;
        }
        return trained;
    }

    // ---- optimizer ----

    @Override
    public void sumSquares(Tensor sum, Tensor x) {
        Checks.sumSquares(sum, x);
        count("sumSquares", 2 * x.size(), result(sum, true) + bytes(x));
    }

    @Override
    public void clipFactor(Tensor out, Tensor sumSquares, Tensor tokens, float maxNorm) {
        Checks.clipFactor(out, sumSquares, tokens);
        count("clipFactor", 5, bytes(out, sumSquares, tokens));
    }

    @Override
    public void adamW(Tensor param, Tensor grad, Tensor m, Tensor v, Tensor hyper, Tensor factor) {
        Checks.adamW(param, grad, m, v, hyper, factor);
        count("adamW", 14 * param.size(), result(param, true) + result(m, true) + result(v, true)
                + bytes(grad, hyper, factor));
    }

    @Override
    public void close() {
        written.clear();
    }
}
