package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Gemm.Operand;
import dev.gale.tensor.cpu.Gemm.Start;
import dev.gale.tensor.cpu.Gemm.Term;
import dev.gale.tensor.cpu.Scratch.Use;
import dev.gale.tensor.ops.RouteSpec;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/// Mixtures of experts: the rows of each expert are one matrix product.
final class Experts {
    private static final int BLOCK = 64;             // tokens whose shares of a sum are added up by one thread

    private final CpuOps ops;
    private final Team team;
    private final Gemm gemm;

    Experts(CpuOps ops, Team team, Gemm gemm) {
        this.ops = ops;
        this.team = team;
        this.gemm = gemm;
    }

    // ---- choice ----

    void routeForward(Tensor weights, Tensor experts, Tensor logits, RouteSpec spec) {
        int count = logits.cols();
        int k = spec.perToken();
        int[] chosen = new int[logits.rows() * k];
        team.rows(logits.rows(), count * (k + 4), (t, scratch) -> {
            float[] p = softmax(logits, t, scratch);
            float[] z = scratch.get(Use.B, count);
            Lanes.load(z, 0, logits, (long) t * count, count);
            int[] own = choose(z, count, spec);
            float[] picked = scratch.get(Use.C, k);
            float sum = 0;
            for (int s = 0; s < k; s++) sum += picked[s] = p[own[s]];
            for (int s = 0; s < k; s++) picked[s] = spec.scale() * (spec.normalize() ? picked[s] / sum : picked[s]);
            System.arraycopy(own, 0, chosen, t * k, k);
            Lanes.store(weights, (long) t * k, picked, 0, k);
        });
        ops.write(experts, chosen);
    }

    /// Probabilities of a row, in `Use.A`.
    private static float[] softmax(Tensor logits, int row, Scratch scratch) {
        int count = logits.cols();
        int padded = Lanes.roundUp(count);
        float[] p = scratch.get(Use.A, padded);
        Lanes.load(p, 0, logits, (long) row * count, count);
        Arrays.fill(p, count, padded, Float.NEGATIVE_INFINITY);
        float max = Lanes.max(p, 0, padded);
        FloatVector sum = FloatVector.zero(Lanes.F);
        for (int i = 0; i < padded; i += Lanes.WIDTH) {
            FloatVector e = Maths.exp(Lanes.at(p, i).sub(max));
            e.intoArray(p, i);
            sum = sum.add(e);
        }
        float inverse = 1 / Lanes.sum(sum);
        Lanes.scale(p, 0, inverse, padded);
        return p;
    }

    private static int[] choose(float[] z, int count, RouteSpec spec) {
        boolean[] taken = new boolean[count];
        if (spec.groups() > 1) leaveGroups(z, taken, spec);
        int[] chosen = new int[spec.perToken()];
        for (int s = 0; s < chosen.length; s++) chosen[s] = take(z, count, taken);
        return chosen;
    }

    /// The largest that is not taken, the first of equal ones; it is taken then.
    private static int take(float[] z, int count, boolean[] taken) {
        int best = -1;
        for (int e = 0; e < count; e++) if (!taken[e] && (best < 0 || z[e] > z[best])) best = e;
        taken[best] = true;
        return best;
    }

    private static void leaveGroups(float[] z, boolean[] taken, RouteSpec spec) {
        int size = taken.length / spec.groups();
        float[] most = new float[spec.groups()];
        Arrays.fill(most, Float.NEGATIVE_INFINITY);
        for (int e = 0; e < taken.length; e++) if (z[e] > most[e / size]) most[e / size] = z[e];
        boolean[] used = new boolean[most.length];
        for (int g = 0; g < spec.groupsPerToken(); g++) take(most, most.length, used);
        for (int e = 0; e < taken.length; e++) taken[e] = !used[e / size];
    }

    /// Blocks of tokens are of one size, so that the number of threads does not decide how sums round.
    void balanceForward(Tensor sums, Tensor experts, Tensor logits, Tensor present) {
        int count = logits.cols();
        int k = experts.cols();
        int blocks = Math.ceilDiv(logits.rows(), BLOCK);
        float[] shares = new float[blocks * 2 * count];
        team.rows(blocks, BLOCK * count * 4, (block, scratch) -> {
            int at = block * 2 * count;
            for (int t = block * BLOCK; t < Math.min(logits.rows(), (block + 1) * BLOCK); t++) {
                if (chosen(present, t) <= 0) continue;
                float[] p = softmax(logits, t, scratch);
                for (int s = 0; s < k; s++) shares[at + chosen(experts, t * k + s)]++;
                for (int e = 0; e < count; e++) shares[at + count + e] += p[e];
            }
        });
        float[] all = ops.toFloats(sums);
        for (int i = 0; i < shares.length; i++) all[i % all.length] += shares[i];
        ops.write(sums, all);
    }

    void balanceBackward(Tensor dLogits, Tensor sums, Tensor logits, Tensor present, Tensor factor, int perToken,
                         boolean accumulate) {
        int count = logits.cols();
        float[] g = ops.toFloats(sums);
        double n = 0;
        for (int e = 0; e < count; e++) n += (double) g[e] / perToken;
        double scale = ops.item(factor) * count / (n * n);
        for (int e = 0; e < count; e++) g[e] = (float) (scale * g[e]);
        team.rows(logits.rows(), count * 4, (t, scratch) -> {
            float[] grad = scratch.get(Use.B, count);
            if (accumulate) Lanes.load(grad, 0, dLogits, (long) t * count, count);
            else Arrays.fill(grad, 0, count, 0);
            if (chosen(present, t) > 0) {
                float[] p = softmax(logits, t, scratch);
                float mean = 0;
                for (int e = 0; e < count; e++) mean += g[e] * p[e];
                for (int e = 0; e < count; e++) grad[e] += p[e] * (g[e] - mean);
            }
            Lanes.store(dLogits, (long) t * count, grad, 0, count);
        });
    }

    void routeBackward(Tensor dLogits, Tensor dWeights, Tensor experts, Tensor logits, RouteSpec spec) {
        int count = logits.cols();
        int k = spec.perToken();
        team.rows(logits.rows(), count * 4, (t, scratch) -> {
            float[] p = softmax(logits, t, scratch);
            float[] d = scratch.get(Use.B, k);
            float[] grad = scratch.get(Use.C, count);
            Lanes.load(d, 0, dWeights, (long) t * k, k);
            float sum = 0;
            float mean = 0;
            for (int s = 0; s < k; s++) sum += p[chosen(experts, t * k + s)];
            float divisor = spec.normalize() ? sum : 1;
            for (int s = 0; s < k; s++) mean += spec.scale() * d[s] * (p[chosen(experts, t * k + s)] / divisor);
            for (int e = 0; e < count; e++) grad[e] = spec.normalize() ? 0 : -p[e] * mean;
            for (int s = 0; s < k; s++) {
                int e = chosen(experts, t * k + s);
                grad[e] += p[e] / divisor * (spec.scale() * d[s] - (spec.normalize() ? mean : 0));
            }
            Lanes.store(dLogits, (long) t * count, grad, 0, count);
        });
    }

    private static int chosen(Tensor experts, int i) {
        return Convert.getInt(experts.segment(), i);
    }

    // ---- order ----

    void groupByExpert(Tensor tokens, Tensor places, Tensor offsets, Tensor experts) {
        int[] chosen = ops.toInts(experts);
        int[] begin = new int[Math.toIntExact(offsets.size())];
        for (int e : chosen) begin[Objects.checkIndex(e, begin.length - 1) + 1]++;
        for (int e = 1; e < begin.length; e++) begin[e] += begin[e - 1];
        int[] next = begin.clone();
        int[] sorted = new int[chosen.length];
        int[] place = new int[chosen.length];
        for (int i = 0; i < chosen.length; i++) {
            place[i] = next[chosen[i]]++;
            sorted[place[i]] = i / experts.cols();
        }
        ops.write(tokens, sorted);
        ops.write(places, place);
        ops.write(offsets, begin);
    }

    private static int place(Tensor places, int i, int rows) {
        return places == null ? i : Objects.checkIndex(Convert.getInt(places.segment(), i), rows);
    }

    void combineForward(Tensor y, Tensor x, Tensor places, Tensor weights, boolean accumulate) {
        int width = y.cols();
        int padded = Lanes.roundUp(width);
        int k = places == null ? 1 : places.cols();
        team.rows(y.rows(), width * k, (t, scratch) -> {
            float[] sum = scratch.get(Use.A, padded);
            float[] row = scratch.get(Use.B, padded);
            float[] factors = scratch.get(Use.C, k);
            if (accumulate) Lanes.load(sum, 0, y, (long) t * width, width);
            else Arrays.fill(sum, 0, padded, 0f);
            if (weights == null) Arrays.fill(factors, 0, k, 1f);
            else Lanes.load(factors, 0, weights, (long) t * k, k);
            for (int s = 0; s < k; s++) {
                Lanes.load(row, 0, x, (long) place(places, t * k + s, x.rows()) * width, width);
                Lanes.addScaled(sum, 0, factors[s], row, 0, padded);
            }
            Lanes.store(y, (long) t * width, sum, 0, width);
        });
    }

    void combineBackward(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor places, Tensor weights) {
        int width = dy.cols();
        int padded = Lanes.roundUp(width);
        int k = places == null ? 1 : places.cols();
        team.rows(dy.rows(), width * k, (t, scratch) -> {
            float[] upstream = scratch.get(Use.A, padded);
            float[] row = scratch.get(Use.B, padded);
            float[] factors = scratch.get(Use.C, k);
            float[] products = scratch.get(Use.D, k);
            Lanes.load(upstream, 0, dy, (long) t * width, width);
            Arrays.fill(upstream, width, padded, 0f);
            if (weights == null) Arrays.fill(factors, 0, k, 1f);
            else Lanes.load(factors, 0, weights, (long) t * k, k);
            for (int s = 0; s < k; s++) {
                long at = (long) place(places, t * k + s, x.rows()) * width;
                if (dWeights != null) {
                    Lanes.load(row, 0, x, at, width);
                    Arrays.fill(row, width, padded, 0f);
                    products[s] = Lanes.dot(upstream, 0, row, 0, padded);
                }
                if (dx == null) continue;
                for (int i = 0; i < padded; i += Lanes.WIDTH) Lanes.at(upstream, i).mul(factors[s]).intoArray(row, i);
                Lanes.store(dx, at, row, 0, width);
            }
            if (dWeights != null) Lanes.store(dWeights, (long) t * k, products, 0, k);
        });
    }

    // ---- products ----

    private Tensor rows(Tensor matrix, int from, int to) {
        return ops.rows(matrix, from, to - from);
    }

    void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha,
            boolean accumulate) {
        int[] begin = ops.toInts(offsets);
        for (int e = 0; e < w.size(); e++) {
            if (begin[e] == begin[e + 1]) continue;
            Tensor part = rows(c, begin[e], begin[e + 1]);
            if (w.get(e) != null) {
                gemm.run(part, accumulate ? Start.OLD : Start.ZERO,
                        new Term(new Operand(rows(a, begin[e], begin[e + 1]), false),
                        new Operand(w.get(e), transposeW), alpha));
            } else if (!accumulate) {
                ops.fill(part, 0f);
            }
        }
    }

    void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets, float alpha) {
        int[] begin = ops.toInts(offsets);
        for (int e = 0; e < dw.size(); e++) {
            if (dw.get(e) == null || begin[e] == begin[e + 1]) continue;
            gemm.run(dw.get(e), Start.OLD, new Term(new Operand(rows(a, begin[e], begin[e + 1]), true),
                    new Operand(rows(b, begin[e], begin[e + 1]), false), alpha));
        }
    }
}
