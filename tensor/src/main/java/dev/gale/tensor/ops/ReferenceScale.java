package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.ReferenceOps.load;
import static dev.gale.tensor.ops.ReferenceOps.store;

import dev.gale.tensor.Tensor;

/// Norms of weight rows, and columns scaled by them, in double.
final class ReferenceScale {
    private ReferenceScale() {}

    static void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, Tensor gram, float scale) {
        int r = b.cols();
        double[] squares = new double[b.rows()];
        if (base != null) squares = load(base);
        double[] rows = load(b);
        double[] crossed = load(cross);
        double[] products = gram == null ? new double[r * r] : load(gram);
        for (int i = 0; i < squares.length; i++) {
            double sum = squares[i] * squares[i];
            for (int k = 0; k < r; k++) {
                sum += 2.0 * scale * rows[i * r + k] * crossed[i * r + k];
                for (int l = 0; l < r; l++) {
                    if (gram != null) sum += (double) scale * scale * rows[i * r + k] * products[k * r + l] * rows[i * r + l];
                }
            }
            squares[i] = Math.sqrt(sum < Float.MIN_NORMAL ? Float.MIN_NORMAL : sum);
        }
        store(norm, squares, false);
    }

    static void forward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias, Tensor residual) {
        double[] values = load(x);
        double[] lengths = load(magnitude);
        double[] norms = load(norm);
        double[] shift = bias == null ? new double[norms.length] : load(bias);
        double[] rest = residual == null ? new double[values.length] : load(residual);
        for (int i = 0; i < values.length; i++) {
            int c = i % norms.length;
            values[i] = lengths[c] / norms[c] * values[i] + shift[c] + rest[i];
        }
        store(y, values, false);
    }

    static void backward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude, Tensor norm) {
        double[] upstream = load(dy);
        double[] lengths = load(magnitude);
        double[] norms = load(norm);
        if (dMagnitude != null) {
            double[] values = load(x);
            double[] sums = new double[norms.length];
            for (int i = 0; i < values.length; i++) {
                sums[i % norms.length] += upstream[i] * values[i] / norms[i % norms.length];
            }
            store(dMagnitude, sums, true);
        }
        if (dx == null) return;
        for (int i = 0; i < upstream.length; i++) upstream[i] *= lengths[i % norms.length] / norms[i % norms.length];
        store(dx, upstream, false);
    }
}
