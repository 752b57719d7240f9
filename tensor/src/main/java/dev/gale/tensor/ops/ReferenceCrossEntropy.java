package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.ReferenceOps.load;
import static dev.gale.tensor.ops.ReferenceOps.store;

import dev.gale.tensor.Convert;
import dev.gale.tensor.Tensor;
import java.util.Objects;

/// Head and loss in double, one row of logits at a time.
final class ReferenceCrossEntropy {
    private final CrossEntropySpec spec;
    private final double gradScale;
    private final int width;
    private final int vocab;
    private final double[] x;
    private final double[] w;
    private final double[] bias;
    private final int[] targets;

    ReferenceCrossEntropy(Tensor x, Tensor w, Tensor bias, int[] targets, double gradScale, CrossEntropySpec spec) {
        for (int target : targets) {
            if (target != CrossEntropySpec.IGNORE) Objects.checkIndex(target, w.rows());
        }
        this.spec = spec;
        this.gradScale = gradScale;
        this.width = x.cols();
        this.vocab = w.rows();
        this.x = load(x);
        this.w = load(w);
        this.bias = bias == null ? new double[vocab] : load(bias);
        this.targets = targets;
    }

    void run(Tensor stats, Tensor tokenLoss, Tensor dx, Tensor dw, Tensor dBias) {
        double[] losses = new double[targets.length];
        double[] inputGrad = new double[x.length];
        double[] weightGrad = dw == null ? null : new double[w.length];
        double[] biasGrad = new double[vocab];
        double[] totals = new double[2];
        for (int r = 0; r < targets.length; r++) {
            if (targets[r] == CrossEntropySpec.IGNORE) continue;
            double[] z = logits(r);
            double lse = logSumExp(z);
            losses[r] = lse - z[targets[r]];
            totals[0] += losses[r];
            if (isFirstLargest(z, targets[r])) totals[1]++;
            if (dx != null || dw != null || dBias != null) backward(r, z, lse, inputGrad, weightGrad, biasGrad);
        }
        store(stats, totals, true);
        if (tokenLoss != null) store(tokenLoss, losses, false);
        if (dx != null) store(dx, inputGrad, false);
        if (dw != null) store(dw, spec.rows() == null ? weightGrad : chosen(weightGrad), true);
        if (dBias != null) store(dBias, biasGrad, true);
    }

    private double[] chosen(double[] weightGrad) {
        double[] some = new double[Math.toIntExact(spec.rows().size()) * width];
        for (int i = 0; i < some.length; i++) {
            int row = Objects.checkIndex(Convert.getInt(spec.rows().segment(), i / width), vocab);
            some[i] = weightGrad[row * width + i % width];
        }
        return some;
    }

    private double[] logits(int r) {
        double[] z = new double[vocab];
        for (int t = 0; t < vocab; t++) {
            double sum = 0;
            for (int c = 0; c < width; c++) sum += x[r * width + c] * w[t * width + c];
            z[t] = Softcap.of(spec.scale() * sum + bias[t], spec.softcap());
        }
        return z;
    }

    private static double logSumExp(double[] z) {
        double max = Double.NEGATIVE_INFINITY;
        for (double value : z) max = Math.max(max, value);
        double sum = 0;
        for (double value : z) sum += Math.exp(value - max);
        return max + Math.log(sum);
    }

    private static boolean isFirstLargest(double[] z, int target) {
        for (int t = 0; t < z.length; t++) {
            boolean smaller = t < target ? z[t] < z[target] : z[t] <= z[target];
            if (!smaller) return false;
        }
        return true;
    }

    private void backward(int r, double[] z, double lse, double[] inputGrad, double[] weightGrad, double[] biasGrad) {
        for (int t = 0; t < vocab; t++) {
            double dz = Math.exp(z[t] - lse) - (t == targets[r] ? 1 : 0);
            double d = dz * Softcap.slope(z[t], spec.softcap()) * spec.scale() * gradScale;
            biasGrad[t] += d;
            for (int c = 0; c < width; c++) {
                inputGrad[r * width + c] += d * w[t * width + c];
                if (weightGrad != null) weightGrad[t * width + c] += d * x[r * width + c];
            }
        }
    }
}
