package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;
import static dev.gale.tensor.cpu.Lanes.WIDTH;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Gemm.Operand;
import dev.gale.tensor.cpu.Gemm.Start;
import dev.gale.tensor.cpu.Gemm.Term;
import dev.gale.tensor.cpu.Scratch.Use;
import dev.gale.tensor.ops.CrossEntropySpec;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/// Head and loss over chunks of trained rows: their hidden states are gathered, so that rows without a target cost
/// nothing.
final class CrossEntropy {
    private static final int SUM_BLOCK = 1024;       // lanes are summed in F32 for so many logits, then in double

    private final CpuOps ops;
    private final Team team;
    private final Gemm gemm;
    private final CrossEntropySpec spec;
    private final float gradScale;
    private final Tensor w;
    private final Tensor bias;                       // null for none
    private final int[] targets;
    private final int[] trained;
    private final double[] losses;
    private final boolean[] right;

    CrossEntropy(CpuOps ops, Team team, Gemm gemm, Tensor w, Tensor bias, int[] targets, float gradScale,
            CrossEntropySpec spec) {
        this.ops = ops;
        this.team = team;
        this.gemm = gemm;
        this.spec = spec;
        this.gradScale = gradScale;
        this.w = w;
        this.bias = bias;
        this.targets = targets;
        int count = 0;
        int[] rows = new int[targets.length];
        for (int r = 0; r < targets.length; r++) {
            if (targets[r] == CrossEntropySpec.IGNORE) continue;
            Objects.checkIndex(targets[r], w.rows());
            rows[count++] = r;
        }
        trained = Arrays.copyOf(rows, count);
        losses = new double[targets.length];
        right = new boolean[targets.length];
    }

    void run(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias, Tensor x) {
        if (dx != null) ops.fill(dx, 0f);
        List<Shape> shapes = spec.scratch(x, w);
        Tensor logits = ops.allocate("logits", DType.F32, shapes.get(0));
        Tensor hidden = ops.allocate("trained rows", DType.F32, shapes.get(1));
        Tensor wanted = shapes.size() > 2 ? ops.allocate("wanted logits", DType.F32, shapes.get(2)) : null;
        int chunks = trained.length == 0 ? 0 : Math.ceilDiv(trained.length, logits.rows());
        for (int i = 0; i < chunks; i++) {
            int from = (int) ((long) trained.length * i / chunks);
            int rows = (int) ((long) trained.length * (i + 1) / chunks) - from;
            chunk(first(logits, rows), first(hidden, rows), first(wanted, rows), from, dx, dw, dBias, x);
        }
        if (wanted != null) ops.release(wanted);
        ops.release(hidden);
        ops.release(logits);
        report(stats, tokenLoss);
    }

    /// The first rows of a matrix; null stays so.
    private static Tensor first(Tensor matrix, int rows) {
        if (matrix == null) return null;
        return new Tensor(matrix.name(), DType.F32, Shape.of(rows, matrix.cols()), matrix.storage());
    }

    private void chunk(Tensor logits, Tensor hidden, Tensor wanted, int from, Tensor dx, Tensor dw, Tensor dBias, Tensor x) {
        int width = w.cols();
        team.rows(hidden.rows(), width, (r, scratch) -> {
            float[] row = scratch.get(Use.A, width);
            Lanes.load(row, 0, x, (long) trained[from + r] * width, width);
            Lanes.store(hidden, (long) r * width, row, 0, width);
        });
        Start start = new Start(false, bias, null);
        gemm.run(logits, start, new Term(new Operand(hidden, false), new Operand(w, true), spec.scale()));
        boolean backward = dx != null || dw != null || dBias != null;
        team.rows(logits.rows(), w.rows(), (r, scratch) -> row(logits, r, trained[from + r], backward, scratch));
        if (dBias != null) addColumnSums(dBias, logits);
        if (dw != null && wanted != null) pick(wanted, logits);
        Tensor dLogits = wanted == null ? logits : wanted;
        if (dw != null) gemm.run(dw, Start.OLD, new Term(new Operand(dLogits, true), new Operand(hidden, false), gradScale));
        if (dx == null) return;
        gemm.run(hidden, Start.ZERO, new Term(new Operand(logits, false), new Operand(w, false), gradScale));
        team.rows(hidden.rows(), width, (r, scratch) -> {
            float[] row = scratch.get(Use.A, width);
            Lanes.load(row, 0, hidden, (long) r * width, width);
            Lanes.store(dx, (long) trained[from + r] * width, row, 0, width);
        });
    }

    /// The columns of some rows of w.
    private void pick(Tensor wanted, Tensor logits) {
        int[] ids = ops.toInts(spec.rows());
        for (int id : ids) Objects.checkIndex(id, w.rows());
        team.rows(logits.rows(), ids.length, (r, scratch) -> {
            for (int i = 0; i < ids.length; i++) {
                float value = Convert.get(logits.segment(), DType.F32, (long) r * w.rows() + ids[i]);
                Convert.set(wanted.segment(), DType.F32, (long) r * ids.length + i, value);
            }
        });
    }

    private void addColumnSums(Tensor dBias, Tensor logits) {
        Tensor sums = ops.allocate("d bias", DType.F32, dBias.shape());
        ops.fill(sums, 0f);
        ops.columnSum(sums, logits);
        ops.addScaled(dBias, sums, gradScale);
        ops.release(sums);
    }

    /// Loss of one row of logits, which become their own gradient.
    private void row(Tensor logits, int r, int token, boolean backward, Scratch scratch) {
        int vocab = w.rows();
        int padded = Lanes.roundUp(vocab);
        int target = targets[token];
        float[] z = scratch.get(Use.LEFT, padded);
        Lanes.load(z, 0, logits, (long) r * vocab, vocab);
        Arrays.fill(z, vocab, padded, Float.NEGATIVE_INFINITY);
        if (spec.softcap() > 0) {
            for (int i = 0; i < padded; i += WIDTH) Maths.softcap(Lanes.at(z, i), spec.softcap()).intoArray(z, i);
            Arrays.fill(z, vocab, padded, Float.NEGATIVE_INFINITY);
        }
        float max = Lanes.max(z, 0, padded);
        double sum = 0;
        for (int i = 0; i < padded; i += SUM_BLOCK) sum += exponentials(z, i, Math.min(padded, i + SUM_BLOCK), max);
        double logSum = StrictMath.log(sum);
        losses[token] = max + logSum - z[target];
        right[token] = !Double.isNaN(sum) && z[target] == max && isFirst(z, target);
        if (!backward) return;
        gradient(z, padded, max, (float) logSum);
        float cap = spec.softcap();
        float capped = (float) (max + logSum - losses[token]);
        float slope = cap > 0 ? 1 - capped / cap * (capped / cap) : 1;
        z[target] -= slope * spec.scale();
        Lanes.store(logits, (long) r * vocab, z, 0, vocab);
    }

    private static boolean isFirst(float[] z, int target) {
        for (int t = 0; t < target; t++) if (z[t] == z[target]) return false;
        return true;
    }

    private static double exponentials(float[] z, int from, int to, float max) {
        FloatVector sum = FloatVector.zero(F);
        for (int i = from; i < to; i += WIDTH) sum = sum.add(Maths.exp(Lanes.at(z, i).sub(max)));
        return Lanes.sum(sum);
    }

    /// `z = softmax(z) * slope of the softcap * scale`.
    private void gradient(float[] z, int padded, float max, float logSum) {
        float cap = spec.softcap();
        FloatVector one = FloatVector.broadcast(F, 1f);
        for (int i = 0; i < padded; i += WIDTH) {
            FloatVector value = Lanes.at(z, i);
            FloatVector p = Maths.exp(value.sub(max).sub(logSum)).mul(spec.scale());
            if (cap > 0) {
                FloatVector part = value.div(cap);
                p = p.mul(one.sub(part.mul(part)));
            }
            p.intoArray(z, i);
        }
    }

    private void report(Tensor stats, Tensor tokenLoss) {
        MemorySegment to = stats.segment();
        double sum = Convert.get(to, DType.F32, 0);
        double count = Convert.get(to, DType.F32, 1);
        for (int r : trained) {
            sum += losses[r];
            if (right[r]) count++;
        }
        Convert.set(to, DType.F32, 0, (float) sum);
        Convert.set(to, DType.F32, 1, (float) count);
        if (tokenLoss == null) return;
        for (int r = 0; r < losses.length; r++) Convert.set(tokenLoss.segment(), DType.F32, r, (float) losses[r]);
    }
}
