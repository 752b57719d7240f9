package dev.gale.tensor.testing;

import dev.gale.tensor.ops.AttentionSpec;

/// Rounding error bounds of attention, element by element, from the magnitudes that each element is summed from.
///
/// A score has error `(K + 8) ulp` times `scale sum |q||k|` (the 8 covers the softcap, which never enlarges an error,
/// the subtraction of the maximum or of lse, and the exponential's argument); a probability that error relatively, plus
/// a few ulps; each sum over n terms adds n ulps of its sum of magnitudes.
final class AttentionBounds {
    private static final double ULP = Math.ulp(1f);
    private final double[] o;
    private final double[] lse;
    private final double[] dq;
    private final double[] dk;
    private final double[] dv;

    private final AttentionSpec spec;
    private final float[] q;
    private final float[] k;
    private final float[] v;
    private final float[] dO;

    AttentionBounds(AttentionContract.Layout layout) {
        spec = layout.spec;
        q = layout.q();
        k = layout.k();
        v = layout.v();
        dO = layout.dO();
        o = new double[q.length];
        lse = new double[spec.numHeads() * layout.m];
        dq = new double[q.length];
        dk = new double[k.length];
        dv = new double[k.length];
        Trial.Outputs forward = layout.forward().reference();
        int group = spec.numHeads() / spec.numKvHeads();
        for (int h = 0; h < spec.numHeads(); h++) {
            for (int i = 0; i < layout.m; i++) {
                double logSum = forward.get("lse")[h * layout.m + i];
                row(i * spec.queryWidth() + h * spec.headDim(), h * layout.m + i, h / group * spec.headDim(),
                        layout.start(i), layout.stop(i), logSum, forward.get("o"), layout.m * group);
            }
        }
    }

    /// Adds the share of one query of one head.
    private void row(int qi, int at, int kvHead, int start, int stop, double logSum, float[] out, int queries) {
        int n = stop - start;
        double worst = 0;
        double deltaMagnitude = magnitude(dO, qi, out, qi);
        for (int j = start; j < stop; j++) {
            int kj = j * spec.keyWidth() + kvHead;
            double score = scoreError(qi, kj) + 4 * ULP * Math.abs(logSum);
            worst = Math.max(worst, score);
            double p = Math.exp(score(qi, kj) - logSum);
            double share = spec.scale() * p * (magnitude(dO, qi, v, kj) + deltaMagnitude);
            double relative = score + softcapError(qi, kj) + (spec.headDim() + 16) * ULP;
            for (int c = 0; c < spec.headDim(); c++) {
                o[qi + c] += p * Math.abs(v[kj + c]) * (2 * score + (2 * n + 32) * ULP);
                dv[kj + c] += p * Math.abs(dO[qi + c]) * (score + (queries + 16) * ULP);
                dq[qi + c] += share * (relative + n * ULP) * Math.abs(k[kj + c]);
                dk[kj + c] += share * (relative + queries * ULP) * Math.abs(q[qi + c]);
            }
        }
        lse[at] = worst + (n + 16) * ULP + 4 * ULP * Math.abs(n == 0 ? 0 : logSum);
    }

    /// Error of the softcap's slope `1 - (s / cap)²`, relative to one.
    private double softcapError(int qi, int kj) {
        return spec.softcap() > 0 ? 2 * scoreError(qi, kj) / spec.softcap() + 8 * ULP : 0;
    }

    private double scoreError(int qi, int kj) {
        return (spec.headDim() + 8) * ULP * spec.scale() * magnitude(q, qi, k, kj);
    }

    private double score(int qi, int kj) {
        double dot = 0;
        for (int c = 0; c < spec.headDim(); c++) dot += (double) q[qi + c] * k[kj + c];
        double score = spec.scale() * dot;
        return spec.softcap() > 0 ? spec.softcap() * Math.tanh(score / spec.softcap()) : score;
    }

    private double magnitude(float[] a, int fromA, float[] b, int fromB) {
        double sum = 0;
        for (int c = 0; c < spec.headDim(); c++) sum += Math.abs((double) a[fromA + c] * b[fromB + c]);
        return sum;
    }

    double[] o() {
        return o;
    }

    double[] lse() {
        return lse;
    }

    double[] dq() {
        return dq;
    }

    double[] dk() {
        return dk;
    }

    double[] dv() {
        return dv;
    }
}
