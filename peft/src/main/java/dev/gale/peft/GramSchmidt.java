package dev.gale.peft;

/// Orthonormal vectors of the same span, in double.
/// Source: Björck 1967, "Solving linear least squares problems by Gram-Schmidt orthogonalization"; each vector twice,
/// Giraud et al. 2005, "Rounding error analysis of the classical Gram-Schmidt orthogonalization process".
final class GramSchmidt {
    /// A vector of which less is left than this share is a combination of those before it.
    private static final double DEPENDENT = 1e-6;

    private GramSchmidt() {}

    /// Makes rows orthonormal, in place and in order: row i of the result is in the span of rows up to i, on the side of
    /// row i. Those that depend on rows before them are left out and the ones behind them move up.
    /// Returns: how many are left.
    static int rows(double[][] rows) {
        int kept = 0;
        for (double[] row : rows) {
            double before = norm(row);
            for (int pass = 0; pass < 2; pass++) {
                for (int i = 0; i < kept; i++) addScaled(row, -dot(row, rows[i]), rows[i]);
            }
            double left = norm(row);
            if (!(left > DEPENDENT * before)) continue;
            for (int c = 0; c < row.length; c++) row[c] /= left;
            rows[kept++] = row;
        }
        return kept;
    }

    /// Four sums, which the compiler can keep apart.
    private static double dot(double[] a, double[] b) {
        double s0 = 0;
        double s1 = 0;
        double s2 = 0;
        double s3 = 0;
        int i = 0;
        for (; i + 3 < a.length; i += 4) {
            s0 += a[i] * b[i];
            s1 += a[i + 1] * b[i + 1];
            s2 += a[i + 2] * b[i + 2];
            s3 += a[i + 3] * b[i + 3];
        }
        for (; i < a.length; i++) s0 += a[i] * b[i];
        return s0 + s1 + (s2 + s3);
    }

    private static double norm(double[] a) {
        return Math.sqrt(dot(a, a));
    }

    private static void addScaled(double[] y, double scale, double[] x) {
        for (int i = 0; i < y.length; i++) y[i] += scale * x[i];
    }
}
