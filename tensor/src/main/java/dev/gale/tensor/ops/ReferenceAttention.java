package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.ReferenceOps.load;
import static dev.gale.tensor.ops.ReferenceOps.store;

import dev.gale.tensor.Tensor;
import java.util.Objects;

/// Attention in double, one score at a time.
final class ReferenceAttention {
    private final AttentionSpec spec;
    private final double[] q;
    private final double[] k;
    private final double[] v;
    private final int[] start;
    private final int[] stop;
    private final int group;

    ReferenceAttention(Tensor q, Tensor k, Tensor v, int[] start, int[] stop, AttentionSpec spec) {
        for (int i = 0; i < start.length; i++) {
            if (start[i] < stop[i]) Objects.checkFromToIndex(start[i], stop[i], k.rows());
        }
        this.spec = spec;
        this.q = load(q);
        this.k = load(k);
        this.v = load(v);
        this.start = start;
        this.stop = stop;
        this.group = spec.numHeads() / spec.numKvHeads();
    }

    void forward(Tensor o, Tensor lse) {
        double[] out = new double[q.length];
        double[] logs = new double[spec.numHeads() * start.length];
        for (int h = 0; h < spec.numHeads(); h++) {
            for (int i = 0; i < start.length; i++) {
                double max = Double.NEGATIVE_INFINITY;
                for (int j = start[i]; j < stop[i]; j++) max = Math.max(max, score(h, i, j));
                double sum = 0;
                for (int j = start[i]; j < stop[i]; j++) {
                    double p = Math.exp(score(h, i, j) - max);
                    sum += p;
                    for (int c = 0; c < spec.headDim(); c++) out[query(h, i) + c] += p * v[key(h, j) + c];
                }
                for (int c = 0; c < spec.headDim() && start[i] < stop[i]; c++) out[query(h, i) + c] /= sum;
                logs[h * start.length + i] = max + Math.log(sum);
            }
        }
        store(o, out, false);
        store(lse, logs, false);
    }

    void backward(Tensor dq, Tensor dk, Tensor dv, Tensor dO, Tensor o, Tensor lse) {
        double[] out = load(o);
        double[] upstream = load(dO);
        double[] logs = load(lse);
        double[] queryGrad = new double[q.length];
        double[] keyGrad = new double[k.length];
        double[] valueGrad = new double[v.length];
        for (int h = 0; h < spec.numHeads(); h++) {
            for (int i = 0; i < start.length; i++) {
                int qi = query(h, i);
                double delta = dot(upstream, qi, out, qi);
                for (int j = start[i]; j < stop[i]; j++) {
                    int kj = key(h, j);
                    double p = Math.exp(score(h, i, j) - logs[h * start.length + i]);
                    double ds = spec.scale() * slope(h, i, j) * p * (dot(upstream, qi, v, kj) - delta);
                    for (int c = 0; c < spec.headDim(); c++) {
                        valueGrad[kj + c] += p * upstream[qi + c];
                        queryGrad[qi + c] += ds * k[kj + c];
                        keyGrad[kj + c] += ds * q[qi + c];
                    }
                }
            }
        }
        store(dq, queryGrad, false);
        store(dk, keyGrad, false);
        store(dv, valueGrad, false);
    }

    private double score(int h, int i, int j) {
        return Softcap.of(spec.scale() * dot(q, query(h, i), k, key(h, j)), spec.softcap());
    }

    private double slope(int h, int i, int j) {
        return Softcap.slope(score(h, i, j), spec.softcap());
    }

    private double dot(double[] a, int fromA, double[] b, int fromB) {
        double sum = 0;
        for (int c = 0; c < spec.headDim(); c++) sum += a[fromA + c] * b[fromB + c];
        return sum;
    }

    private int query(int h, int i) {
        return i * spec.queryWidth() + h * spec.headDim();
    }

    private int key(int h, int j) {
        return j * spec.keyWidth() + h / group * spec.headDim();
    }
}
