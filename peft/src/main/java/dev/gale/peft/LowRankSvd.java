package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;

/// The r largest parts of a singular value decomposition, `W ≈ U S Vᵀ`, in seconds for weights of thousands of rows:
/// products of W with a block of vectors, and a small symmetric eigenproblem in the end.
///
/// The vectors lie in the smaller of W's two spaces and are the orthonormal rows of Q. With `Y = Q W` (of a W that is
/// not the higher for its width, else of Wᵀ), `Y Yᵀ = E diag(σ²) Eᵀ` gives `U = Qᵀ E` and `S Vᵀ = Eᵀ Y`, the best that
/// can be had from the span of Q.
///
/// Numerics: products in F32, orthogonalization within a block and eigenproblems in double; `σ²` within some 1e-6 of
/// the largest. The first vectors are drawn from a constant seed: equal weights give equal bits.
/// Source: Halko et al. 2011, arXiv 0909.4061, algorithm 4.4 (iterated); Musco & Musco 2015, arXiv 1504.05477,
/// algorithm 2 (converged).
final class LowRankSvd {
    private static final LoraInit START = new LoraInit(0x51D, 0);
    /// Vectors beyond r: r vectors alone would miss some of the last of r parts.
    private static final int BEYOND = 8;
    /// Blocks of a Krylov space; the spectra of trained weights need about a dozen.
    private static final int MOST_BLOCKS = 32;
    /// Converged: by how much W Wᵀ turns any of the r vectors away from itself, as a share of its largest eigenvalue.
    private static final double CONVERGED = 3e-6;
    /// What is left of a block outside of the space, as a share of `W Wᵀ`, when the space is closed.
    private static final double CLOSED = 1e-6;

    private final TensorOps ops;
    private final Tensor w;
    private final int r;
    private final boolean wide;              // W, not Wᵀ, has at most as many rows as columns
    private final Tensor q;                  // [most, smaller], rows [0, k) are orthonormal
    private final Tensor y;                  // [most, larger]
    private int k;
    private SymmetricEigen eigen;            // of Y Yᵀ

    /// The parts; zeros where W's rank is below r.
    ///
    /// @param u `[r, out]`, a left singular vector in each row
    /// @param s descending
    /// @param v `[r, in]`, a right singular vector in each row
    record Parts(float[] u, double[] s, float[] v) {}

    private LowRankSvd(TensorOps ops, Tensor w, int r, int blocks) {
        this.ops = ops;
        this.w = w;
        this.r = r;
        wide = w.rows() <= w.cols();
        int smaller = Math.min(w.rows(), w.cols());
        int most = Math.min(smaller, blocks * (r + BEYOND));
        q = ops.allocate("q", DType.F32, Shape.of(most, smaller));
        y = ops.allocate("y", DType.F32, Shape.of(most, Math.max(w.rows(), w.cols())));
    }

    /// The parts as a block Krylov space gives them that grows until they stay as they are, or is the whole space.
    ///
    /// @param ops that compute in host memory, where W is
    /// @param w   `[out, in]`
    /// @param r   at most the smaller of out and in
    static Parts converged(TensorOps ops, Tensor w, int r) {
        LowRankSvd svd = new LowRankSvd(ops, w, r, MOST_BLOCKS);
        try {
            svd.grow();
            return svd.parts();
        } finally {
            svd.release();
        }
    }

    /// The parts as a random block gives them after so many multiplications by `W Wᵀ`.
    static Parts iterated(TensorOps ops, Tensor w, int r, int iterations) {
        LowRankSvd svd = new LowRankSvd(ops, w, r, 1);
        try {
            svd.iterate(iterations);
            return svd.parts();
        } finally {
            svd.release();
        }
    }

    private void release() {
        ops.release(q);
        ops.release(y);
    }

    private void grow() {
        int first = 0;
        int next = start();
        int look = 0;                       // the number of rows at which convergence is looked at again
        while (next > 0) {
            k = first + next;
            toLarger(rows(y, first, next), rows(q, first, next));
            int count = Math.min(next, q.rows() - k);
            boolean looks = k >= look || count == 0;
            if (looks) {
                eigen = SymmetricEigen.of(gram(rows(y, 0, k)), k);
                look = k + k / 4;
            }
            if (count == 0) return;
            toSmaller(rows(q, k, count), rows(y, first, count));
            project(count);
            if (looks && count == next && residual(first, count) <= CONVERGED * eigen.values()[0]) return;
            first = k;
            next = extend(count);
        }
        if (k > 0) eigen = SymmetricEigen.of(gram(rows(y, 0, k)), k);
    }

    /// Largest of the norms `|W Wᵀ u - σ² u|` of the first r vectors u: W Wᵀ takes the last block out of the space, and into
    /// the rows behind it, as the rest of the space stays inside.
    private double residual(int first, int count) {
        double[] gram = gram(rows(q, k, count));
        double largest = 0;
        for (int i = 0; i < Math.min(r, k); i++) {
            double[] vector = eigen.vectors()[i];
            double squares = 0;
            for (int a = 0; a < count; a++) {
                for (int b = 0; b < count; b++) squares += vector[first + a] * gram[a * count + b] * vector[first + b];
            }
            largest = Math.max(largest, squares);
        }
        return Math.sqrt(largest);
    }

    private void iterate(int iterations) {
        k = start();
        for (int i = 0; i < iterations; i++) {
            toLarger(rows(y, 0, k), rows(q, 0, k));
            k = orthonormal(y, 0, k);
            toSmaller(rows(q, 0, k), rows(y, 0, k));
            k = orthonormal(q, 0, k);
        }
        toLarger(rows(y, 0, k), rows(q, 0, k));
        eigen = SymmetricEigen.of(gram(rows(y, 0, k)), k);
    }

    /// The image of a random block as the first rows of Q. Returns: their number.
    private int start() {
        int count = Math.min(r + BEYOND, q.rows());
        Tensor random = ops.allocate("random", DType.F32, Shape.of(count, y.cols()));
        ops.write(random, START.normal(count * y.cols(), 1));
        toSmaller(rows(q, 0, count), random);
        ops.release(random);
        return orthonormal(q, 0, count);
    }

    /// Makes `count` rows behind the first k orthonormal to each other. Returns: how many are left.
    private int extend(int count) {
        double left = 0;
        for (float value : ops.toFloats(rows(q, k, count))) left = Math.max(left, Math.abs(value));
        if (left <= CLOSED * eigen.values()[0]) return 0;
        int kept = orthonormal(q, k, count);
        project(kept);
        return orthonormal(q, k, kept);
    }

    /// `rows -= (rows Q) Qᵀ`, Q the first k rows.
    private void project(int count) {
        if (count == 0) return;
        Tensor block = rows(q, k, count);
        Tensor shares = ops.allocate("shares", DType.F32, Shape.of(count, k));
        for (int pass = 0; pass < 2; pass++) {
            ops.matmul(shares, block, false, rows(q, 0, k), true, 1f, false);
            ops.matmul(block, shares, false, rows(q, 0, k), false, -1f, true);
        }
        ops.release(shares);
    }

    private int orthonormal(Tensor matrix, int first, int count) {
        if (count == 0) return 0;
        int cols = matrix.cols();
        float[] values = ops.toFloats(rows(matrix, first, count));
        double[][] rows = new double[count][cols];
        for (int i = 0; i < values.length; i++) rows[i / cols][i % cols] = values[i];
        int kept = GramSchmidt.rows(rows);
        for (int i = 0; i < kept * cols; i++) values[i] = (float) rows[i / cols][i % cols];
        ops.write(rows(matrix, first, count), values);
        return kept;
    }

    private void toLarger(Tensor image, Tensor rows) {
        if (rows.rows() > 0) ops.matmul(image, rows, false, w, !wide, 1f, false);
    }

    private void toSmaller(Tensor image, Tensor rows) {
        if (rows.rows() > 0) ops.matmul(image, rows, false, w, wide, 1f, false);
    }

    /// Rows of a matrix in host memory.
    private static Tensor rows(Tensor matrix, int first, int count) {
        long bytes = (long) matrix.cols() * Float.BYTES;
        return new Tensor(matrix.name(), DType.F32, Shape.of(count, matrix.cols()),
                new Storage.Host(matrix.segment().asSlice(first * bytes, count * bytes)));
    }

    private double[] gram(Tensor rows) {
        int n = rows.rows();
        Tensor gram = ops.allocate("gram", DType.F32, Shape.of(n, n));
        ops.matmul(gram, rows, false, rows, true, 1f, false);
        float[] values = ops.toFloats(gram);
        ops.release(gram);
        double[] exact = new double[values.length];
        for (int i = 0; i < exact.length; i++) exact[i] = values[i];
        return exact;
    }

    private Parts parts() {
        double[] s = new double[r];
        float[] near = new float[r * q.cols()];
        float[] far = new float[r * y.cols()];
        int count = 0;
        while (count < Math.min(r, k) && eigen.values()[count] > CLOSED * CLOSED * eigen.values()[0]) count++;
        if (count > 0) {
            float[] turn = new float[count * k];
            float[] scaled = new float[count * k];
            for (int i = 0; i < count; i++) {
                s[i] = Math.sqrt(eigen.values()[i]);
                for (int j = 0; j < k; j++) {
                    turn[i * k + j] = (float) eigen.vectors()[i][j];
                    scaled[i * k + j] = (float) (eigen.vectors()[i][j] / s[i]);
                }
            }
            turned(near, turn, q, count);
            turned(far, scaled, y, count);
        }
        return wide ? new Parts(near, s, far) : new Parts(far, s, near);
    }

    /// `to = turn rows`, of the first k rows of a matrix.
    private void turned(float[] to, float[] turn, Tensor matrix, int count) {
        Tensor turns = ops.allocate("turn", DType.F32, Shape.of(count, k));
        Tensor result = ops.allocate("turned", DType.F32, Shape.of(count, matrix.cols()));
        ops.write(turns, turn);
        ops.matmul(result, turns, false, rows(matrix, 0, k), false, 1f, false);
        System.arraycopy(ops.toFloats(result), 0, to, 0, count * matrix.cols());
        ops.release(turns);
        ops.release(result);
    }
}
