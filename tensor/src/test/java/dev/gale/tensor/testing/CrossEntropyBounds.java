package dev.gale.tensor.testing;

import dev.gale.tensor.ops.CrossEntropySpec;

/// Rounding error bounds of the fused head and loss, element by element.
///
/// A logit has error `(D + 8) ulp` times `scale sum |x||w|`, of which the softcap never makes more; the loss of a row
/// twice the largest of these, as a difference of two, plus the roundings of lse; a probability the same relatively,
/// plus one ulp per term of the sum that normalises it.
final class CrossEntropyBounds {
    private static final double ULP = Math.ulp(1f);
    private final CrossEntropySpec spec;
    private final int vocab;
    private final int width;
    private final float[] x;
    private final float[] w;
    private final double[] tokenLoss;
    private final double[] stats = new double[2];
    private final double[] dx;
    private final double[] dw;

    CrossEntropyBounds(float[] x, float[] w, float[] dwBefore, int[] targets, CrossEntropySpec spec) {
        this.spec = spec;
        this.x = x;
        this.w = w;
        width = targets.length == 0 ? 1 : x.length / targets.length;
        vocab = w.length / width;
        tokenLoss = new double[targets.length];
        dx = new double[x.length];
        dw = new double[w.length];
        for (int i = 0; i < dw.length; i++) dw[i] = (targets.length + 4) * ULP * Math.abs(dwBefore[i]);
        double total = 3;                             // what stats[0] held before
        for (int r = 0; r < targets.length; r++) {
            if (targets[r] != CrossEntropySpec.IGNORE) total += row(r, targets[r], targets.length);
        }
        stats[0] += (targets.length + 4) * ULP * total;
    }

    /// Adds one row's share and returns its loss.
    private double row(int r, int target, int rows) {
        double[] z = new double[vocab];
        double worst = 0;
        double largest = 0;
        double sum = 0;
        for (int t = 0; t < vocab; t++) {
            double dot = 0;
            double magnitude = 0;
            for (int c = 0; c < width; c++) {
                double product = (double) x[r * width + c] * w[t * width + c];
                dot += product;
                magnitude += Math.abs(product);
            }
            z[t] = spec.scale() * dot;
            if (spec.softcap() > 0) z[t] = spec.softcap() * Math.tanh(z[t] / spec.softcap());
            worst = Math.max(worst, (width + 8) * ULP * spec.scale() * magnitude);
            largest = Math.max(largest, Math.abs(z[t]));
            sum += Math.exp(z[t]);
        }
        double lse = Math.log(sum);
        tokenLoss[r] = 2 * worst + ULP * (vocab + 16 + 4 * largest + 4 * Math.abs(lse));
        stats[0] += tokenLoss[r];
        double relative = 2 * worst + ULP * (2 * vocab + rows + 16 + 4 * largest)
                + (spec.softcap() > 0 ? 2 * worst / spec.softcap() + 8 * ULP : 0);
        for (int t = 0; t < vocab; t++) {
            double d = spec.scale() * (Math.exp(z[t] - lse) + (t == target ? 1 : 0)) * relative;
            for (int c = 0; c < width; c++) {
                dx[r * width + c] += d * Math.abs(w[t * width + c]);
                dw[t * width + c] += d * Math.abs(x[r * width + c]);
            }
        }
        return lse + Math.abs(z[target]);
    }

    double[] tokenLoss() {
        return tokenLoss;
    }

    double[] stats() {
        return stats;
    }

    double[] dx() {
        return dx;
    }

    double[] dw() {
        return dw;
    }
}
