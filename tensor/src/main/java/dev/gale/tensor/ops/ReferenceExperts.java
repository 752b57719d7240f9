package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.ReferenceOps.load;
import static dev.gale.tensor.ops.ReferenceOps.store;

import dev.gale.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/// The operations of `ExpertOps` in double.
final class ReferenceExperts {
    private final TensorOps ops;

    ReferenceExperts(TensorOps ops) {
        this.ops = ops;
    }

    private static double[] softmax(double[] logits, int row, int count) {
        double max = Double.NEGATIVE_INFINITY;
        for (int e = 0; e < count; e++) max = Math.max(max, logits[row * count + e]);
        double sum = 0;
        double[] p = new double[count];
        for (int e = 0; e < count; e++) sum += p[e] = Math.exp(logits[row * count + e] - max);
        for (int e = 0; e < count; e++) p[e] /= sum;
        return p;
    }

    /// The largest of those not taken, the first of equal ones; NaN is never larger.
    private static int best(double[] values, boolean[] taken) {
        int best = -1;
        for (int i = 0; i < values.length; i++) {
            if (!taken[i] && (best < 0 || values[i] > values[best])) best = i;
        }
        taken[best] = true;
        return best;
    }

    /// Experts outside the groups that a token may use are taken from the start.
    private static boolean[] outside(double[] z, RouteSpec spec) {
        boolean[] taken = new boolean[z.length];
        if (spec.groups() == 1) return taken;
        int size = z.length / spec.groups();
        double[] most = new double[spec.groups()];
        Arrays.fill(most, Double.NEGATIVE_INFINITY);
        for (int e = 0; e < z.length; e++) if (z[e] > most[e / size]) most[e / size] = z[e];
        boolean[] chosen = new boolean[spec.groups()];
        for (int g = 0; g < spec.groupsPerToken(); g++) best(most, chosen);
        for (int e = 0; e < z.length; e++) taken[e] = !chosen[e / size];
        return taken;
    }

    void routeForward(Tensor weights, Tensor experts, Tensor logits, RouteSpec spec) {
        int count = logits.cols();
        int k = spec.perToken();
        double[] z = load(logits);
        double[] chosenWeights = new double[logits.rows() * k];
        int[] chosen = new int[chosenWeights.length];
        for (int t = 0; t < logits.rows(); t++) {
            double[] p = softmax(z, t, count);
            double[] own = Arrays.copyOfRange(z, t * count, (t + 1) * count);
            boolean[] taken = outside(own, spec);
            double sum = 0;
            for (int s = 0; s < k; s++) {
                int e = best(own, taken);
                chosen[t * k + s] = e;
                sum += chosenWeights[t * k + s] = p[e];
            }
            for (int s = 0; s < k; s++) chosenWeights[t * k + s] *= spec.normalize() ? spec.scale() / sum : spec.scale();
        }
        store(weights, chosenWeights, false);
        ops.write(experts, chosen);
    }

    void routeBackward(Tensor dLogits, Tensor dWeights, Tensor experts, Tensor logits, RouteSpec spec) {
        int count = logits.cols();
        int k = spec.perToken();
        double[] z = load(logits);
        double[] upstream = load(dWeights);
        int[] chosen = ops.toInts(experts);
        double[] grad = new double[z.length];
        for (int t = 0; t < logits.rows(); t++) {
            double[] p = softmax(z, t, count);
            double sum = 0;
            double mean = 0;
            for (int s = 0; s < k; s++) sum += p[chosen[t * k + s]];
            double divisor = spec.normalize() ? sum : 1;
            for (int s = 0; s < k; s++) mean += spec.scale() * upstream[t * k + s] * p[chosen[t * k + s]] / divisor;
            for (int e = 0; e < count && !spec.normalize(); e++) grad[t * count + e] = -p[e] * mean;
            for (int s = 0; s < k; s++) {
                int e = chosen[t * k + s];
                double share = spec.scale() * upstream[t * k + s] - (spec.normalize() ? mean : 0);
                grad[t * count + e] += p[e] / divisor * share;
            }
        }
        store(dLogits, grad, false);
    }

    void balanceForward(Tensor sums, Tensor experts, Tensor logits, Tensor present) {
        int count = logits.cols();
        int k = experts.cols();
        double[] z = load(logits);
        int[] chosen = ops.toInts(experts);
        int[] counted = ops.toInts(present);
        double[] shares = new double[2 * count];
        for (int t = 0; t < counted.length; t++) {
            if (counted[t] <= 0) continue;
            double[] p = softmax(z, t, count);
            for (int s = 0; s < k; s++) shares[chosen[t * k + s]]++;
            for (int e = 0; e < count; e++) shares[count + e] += p[e];
        }
        store(sums, shares, true);
    }

    void balanceBackward(Tensor dLogits, Tensor sums, Tensor logits, Tensor present, Tensor factor, int perToken,
                         boolean accumulate) {
        int count = logits.cols();
        double[] z = load(logits);
        double[] choices = load(sums);
        int[] counted = ops.toInts(present);
        double n = 0;
        for (int e = 0; e < count; e++) n += choices[e] / perToken;
        double scale = load(factor)[0] * count / (n * n);
        double[] grad = new double[z.length];
        for (int t = 0; t < counted.length; t++) {
            if (counted[t] <= 0) continue;
            double[] p = softmax(z, t, count);
            double mean = 0;
            for (int e = 0; e < count; e++) mean += scale * choices[e] * p[e];
            for (int e = 0; e < count; e++) grad[t * count + e] = p[e] * (scale * choices[e] - mean);
        }
        store(dLogits, grad, accumulate);
    }

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

    private int[] places(Tensor places, int rows) {
        if (places != null) return ops.toInts(places);
        int[] own = new int[rows];
        for (int t = 0; t < rows; t++) own[t] = t;
        return own;
    }

    void combineForward(Tensor y, Tensor x, Tensor places, Tensor weights, boolean accumulate) {
        int width = y.cols();
        int[] place = places(places, y.rows());
        double[] values = load(x);
        double[] factors = weights == null ? null : load(weights);
        double[] sums = new double[y.rows() * width];
        int k = y.rows() == 0 ? 1 : place.length / y.rows();
        for (int i = 0; i < place.length; i++) {
            for (int c = 0; c < width; c++) {
                sums[i / k * width + c] += (factors == null ? 1 : factors[i]) * values[place[i] * width + c];
            }
        }
        store(y, sums, accumulate);
    }

    void combineBackward(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor places, Tensor weights) {
        int width = dy.cols();
        int[] place = places(places, dy.rows());
        double[] values = load(x);
        double[] upstream = load(dy);
        double[] factors = weights == null ? null : load(weights);
        double[] inputGrad = new double[values.length];
        double[] weightGrad = new double[place.length];
        int k = dy.rows() == 0 ? 1 : place.length / dy.rows();
        for (int i = 0; i < place.length; i++) {
            for (int c = 0; c < width; c++) {
                int at = place[i] * width + c;
                double d = upstream[i / k * width + c];
                inputGrad[at] = (factors == null ? 1 : factors[i]) * d;
                weightGrad[i] += d * values[at];
            }
        }
        if (dx != null) store(dx, inputGrad, false);
        if (dWeights != null) store(dWeights, weightGrad, false);
    }

    void groupedMatmul(Tensor c, Tensor a, List<Tensor> w, boolean transposeW, Tensor offsets, float alpha,
            boolean accumulate) {
        int[] begin = ops.toInts(offsets);
        int in = a.cols();
        int out = c.cols();
        double[] left = load(a);
        double[] sums = new double[c.rows() * out];
        for (int e = 0; e < w.size(); e++) {
            if (w.get(e) == null) continue;
            double[] right = load(w.get(e));
            for (int j = begin[e]; j < begin[e + 1]; j++) {
                for (int n = 0; n < out; n++) {
                    double sum = 0;
                    for (int i = 0; i < in; i++) sum += left[j * in + i] * right[transposeW ? n * in + i : i * out + n];
                    sums[j * out + n] = alpha * sum;
                }
            }
        }
        store(c, sums, accumulate);
    }

    void groupedGradient(List<Tensor> dw, Tensor a, Tensor b, Tensor offsets, float alpha) {
        int[] begin = ops.toInts(offsets);
        double[] left = load(a);
        double[] right = load(b);
        for (int e = 0; e < dw.size(); e++) {
            if (dw.get(e) == null) continue;
            double[] sums = new double[a.cols() * b.cols()];
            for (int j = begin[e]; j < begin[e + 1]; j++) {
                for (int i = 0; i < sums.length; i++) {
                    sums[i] += alpha * left[j * a.cols() + i / b.cols()] * right[j * b.cols() + i % b.cols()];
                }
            }
            store(dw.get(e), sums, true);
        }
    }
}
