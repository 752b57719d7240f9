package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.ReferenceOps.load;
import static dev.gale.tensor.ops.ReferenceOps.store;

import dev.gale.tensor.Tensor;

/// Matrix products in double.
final class ReferenceLinear {
    private ReferenceLinear() {}

    static void matmul(Tensor c, Tensor a, boolean transposeA, Tensor b, boolean transposeB, float alpha,
            boolean accumulate) {
        int k = transposeA ? a.rows() : a.cols();
        double[] left = transposeA ? transpose(load(a), a.rows(), a.cols()) : load(a);
        double[] right = transposeB ? load(b) : transpose(load(b), b.rows(), b.cols());
        store(c, product(left, right, c.rows(), k, c.cols(), alpha), accumulate);
    }

    /// `alpha * a bᵀ` of a `[m, k]` and b `[n, k]`.
    private static double[] product(double[] a, double[] b, int m, int k, int n, double alpha) {
        double[] c = new double[m * n];
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0;
                for (int l = 0; l < k; l++) sum += a[i * k + l] * b[j * k + l];
                c[i * n + j] = alpha * sum;
            }
        }
        return c;
    }

    private static double[] transpose(double[] values, int rows, int cols) {
        double[] transposed = new double[values.length];
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < cols; c++) transposed[c * rows + r] = values[r * cols + c];
        }
        return transposed;
    }

    static void forward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        if (side != null) matmul(side.low(), side.input(), false, side.a(), true, 1, false);
        if (y == null) return;
        int out = w.rows();
        double[] sum = product(load(x), load(w), x.rows(), x.cols(), out, 1);
        if (bias != null) {
            double[] shift = load(bias);
            for (int i = 0; i < sum.length; i++) sum[i] += shift[i % out];
        }
        if (residual != null) add(sum, load(residual));
        if (side != null) {
            add(sum, product(load(side.low()), load(side.b()), x.rows(), side.low().cols(), out, side.scale()));
        }
        store(y, sum, false);
    }

    static void backward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side, LowRankGrads grads) {
        if (side != null) {
            matmul(grads.dLow(), dy, false, side.b(), false, side.scale(), false);
            if (grads.dA() != null) matmul(grads.dA(), grads.dLow(), true, side.input(), false, 1, true);
            if (grads.dB() != null) matmul(grads.dB(), dy, true, side.low(), false, side.scale(), true);
            if (grads.dInput() != null) matmul(grads.dInput(), grads.dLow(), false, side.a(), false, 1, false);
        }
        if (dx == null) return;
        double[] sum = productOf(dy, w);
        if (side != null && grads.dInput() == null) add(sum, productOf(grads.dLow(), side.a()));
        store(dx, sum, accumulate);
    }

    /// `a b`, not transposed.
    private static double[] productOf(Tensor a, Tensor b) {
        return product(load(a), transpose(load(b), b.rows(), b.cols()), a.rows(), a.cols(), b.cols(), 1);
    }

    private static void add(double[] sum, double[] share) {
        for (int i = 0; i < sum.length; i++) sum[i] += share[i];
    }
}
