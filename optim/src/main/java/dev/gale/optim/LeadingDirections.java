package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.random.Philox;
import java.util.stream.IntStream;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.QRDecomposition;
import org.ejml.interfaces.decomposition.SingularValueDecomposition_F64;

/// The leading singular vectors of a matrix in the smaller of its two spaces, by subspace iteration from random signs; exact
/// where nearly all are wanted. Products are made where the matrix lives, the rest on the host.
///
/// Numerics: products in F32, decompositions in double; the same seed gives the same bits on the same device. Of two opposite
/// vectors the one whose largest element is positive.
/// Source: Halko et al. 2011, arXiv 0909.4061, algorithms 4.4 and 5.1.
final class LeadingDirections {
    /// Random directions beyond those that are wanted.
    private static final int BEYOND = 8;
    private static final int ITERATIONS = 2;

    private final TensorOps ops;
    private final Tensor matrix;
    private final boolean wide;
    private final int smaller;
    private final int larger;

    private LeadingDirections(TensorOps ops, Tensor matrix) {
        this.ops = ops;
        this.matrix = matrix;
        wide = matrix.rows() < matrix.cols();
        smaller = Math.min(matrix.rows(), matrix.cols());
        larger = Math.max(matrix.rows(), matrix.cols());
    }

    /// Shapes: basis F32 `[smaller, r]`, matrix F32 `[rows, cols]`. Writes: `basis =`, its columns orthonormal.
    static void find(TensorOps ops, Tensor basis, Tensor matrix, long seed) {
        LeadingDirections directions = new LeadingDirections(ops, matrix);
        int wanted = basis.cols();
        int tried = wanted + BEYOND;
        DMatrixRMaj q = tried >= directions.smaller ? CommonOps_DDRM.identity(directions.smaller)
                : directions.iterated(signs(directions.larger, tried, seed));
        ops.write(basis, directions.leading(q, wanted));
    }

    /// Orthonormal columns near the space of the leading vectors.
    private DMatrixRMaj iterated(DMatrixRMaj start) {
        DMatrixRMaj q = orthonormal(toSmaller(start));
        for (int i = 0; i < ITERATIONS; i++) q = orthonormal(toSmaller(orthonormal(toLarger(q))));
        return q;
    }

    /// With A the matrix, smaller side first, and `Aᵀ Q = Z R`: A is nearly `Q Rᵀ Zᵀ`, whose vectors are Q times those of Rᵀ.
    private float[] leading(DMatrixRMaj q, int wanted) {
        DMatrixRMaj images = toLarger(q);
        if (isZero(images)) return floats(CommonOps_DDRM.extract(q, 0, smaller, 0, wanted));
        QRDecomposition<DMatrixRMaj> qr = qr(images);
        DMatrixRMaj core = CommonOps_DDRM.transpose(qr.getR(null, true), null);
        SingularValueDecomposition_F64<DMatrixRMaj> svd =
                DecompositionFactory_DDRM.svd(core.numRows, core.numCols, true, false, true);
        if (!svd.decompose(core)) throw new IllegalStateException(matrix + " has no singular value decomposition");
        DMatrixRMaj vectors = CommonOps_DDRM.mult(q, svd.getU(null, false), null);
        int[] order = descending(svd.getSingularValues(), vectors.numCols);
        float[] basis = new float[smaller * wanted];
        for (int c = 0; c < wanted; c++) {
            double largest = 0;
            for (int r = 0; r < smaller; r++) {
                double value = vectors.get(r, order[c]);
                if (Math.abs(value) > Math.abs(largest)) largest = value;
            }
            for (int r = 0; r < smaller; r++) basis[r * wanted + c] = (float) (Math.signum(largest) * vectors.get(r, order[c]));
        }
        return basis;
    }

    private static int[] descending(double[] values, int count) {
        return IntStream.range(0, count).boxed()
                .sorted((a, b) -> Double.compare(values[b], values[a])).mapToInt(Integer::intValue).toArray();
    }

    private static QRDecomposition<DMatrixRMaj> qr(DMatrixRMaj columns) {
        QRDecomposition<DMatrixRMaj> qr = DecompositionFactory_DDRM.qr(columns.numRows, columns.numCols);
        qr.decompose(columns.copy());            // false says that a column depends on others; Q is orthonormal anyway
        return qr;
    }

    /// Unit vectors for zeros: a gradient is zero where an adapter begins as nothing, and in every plan.
    private static DMatrixRMaj orthonormal(DMatrixRMaj columns) {
        if (isZero(columns)) return CommonOps_DDRM.identity(columns.numRows, columns.numCols);
        return qr(columns).getQ(null, true);
    }

    private static boolean isZero(DMatrixRMaj matrix) {
        return CommonOps_DDRM.elementMaxAbs(matrix) == 0;
    }

    private static float[] floats(DMatrixRMaj matrix) {
        float[] values = new float[matrix.getNumElements()];
        for (int i = 0; i < values.length; i++) values[i] = (float) matrix.data[i];
        return values;
    }

    /// `A columns`, A with its smaller side first.
    private DMatrixRMaj toSmaller(DMatrixRMaj columns) {
        return product(!wide, columns, smaller);
    }

    /// `Aᵀ columns`.
    private DMatrixRMaj toLarger(DMatrixRMaj columns) {
        return product(wide, columns, larger);
    }

    private DMatrixRMaj product(boolean transposed, DMatrixRMaj columns, int rows) {
        Tensor right = ops.allocate("directions", DType.F32, Shape.of(columns.numRows, columns.numCols));
        Tensor result = ops.allocate("images", DType.F32, Shape.of(rows, columns.numCols));
        ops.write(right, floats(columns));
        ops.matmul(result, matrix, transposed, right, false, 1f, false);
        float[] images = ops.toFloats(result);
        ops.release(result);
        ops.release(right);
        DMatrixRMaj product = new DMatrixRMaj(rows, columns.numCols);
        for (int i = 0; i < images.length; i++) product.data[i] = images[i];
        return product;
    }

    private static DMatrixRMaj signs(int rows, int cols, long seed) {
        DMatrixRMaj signs = new DMatrixRMaj(rows, cols);
        int[] words = new int[4];
        for (int i = 0; i < signs.data.length; i++) {
            if (i % 128 == 0) Philox.block((int) seed, (int) (seed >>> 32), i / 128, 0, 0, 0, words);
            signs.data[i] = (words[i / 32 % 4] >>> i % 32 & 1) == 0 ? -1 : 1;
        }
        return signs;
    }
}
