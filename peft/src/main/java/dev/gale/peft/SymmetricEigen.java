package dev.gale.peft;

import java.util.stream.IntStream;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.EigenDecomposition_F64;

/// Eigenvalues and eigenvectors of a small symmetric matrix, largest first.
///
/// @param values  descending
/// @param vectors row i belongs to value i, of length 1, its largest component positive
record SymmetricEigen(double[] values, double[][] vectors) {

    /// @param matrix `[n, n]`, row-major; symmetric up to rounding
    static SymmetricEigen of(double[] matrix, int n) {
        DMatrixRMaj symmetric = new DMatrixRMaj(n, n);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) symmetric.set(i, j, (matrix[i * n + j] + matrix[j * n + i]) / 2);
        }
        EigenDecomposition_F64<DMatrixRMaj> eigen = DecompositionFactory_DDRM.eig(n, true, true);
        if (!eigen.decompose(symmetric)) {
            throw new IllegalStateException("an eigenvalue decomposition does not converge: are there NaNs in it?");
        }
        int[] order = IntStream.range(0, n).boxed()
                .sorted((a, b) -> Double.compare(eigen.getEigenvalue(b).getReal(), eigen.getEigenvalue(a).getReal()))
                .mapToInt(Integer::intValue).toArray();
        double[] values = new double[n];
        double[][] vectors = new double[n][];
        for (int i = 0; i < n; i++) {
            values[i] = eigen.getEigenvalue(order[i]).getReal();
            vectors[i] = positive(eigen.getEigenVector(order[i]).getData().clone());
        }
        return new SymmetricEigen(values, vectors);
    }

    private static double[] positive(double[] vector) {
        double largest = 0;
        for (double component : vector) {
            if (Math.abs(component) > Math.abs(largest)) largest = component;
        }
        if (largest < 0) {
            for (int i = 0; i < vector.length; i++) vector[i] = -vector[i];
        }
        return vector;
    }
}
