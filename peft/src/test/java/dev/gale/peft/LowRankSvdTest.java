package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import java.util.Arrays;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.SingularValueDecomposition_F64;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Against the full decomposition in double.
class LowRankSvdTest {
    private final TensorOps ops = new CpuOps(2);

    @AfterEach
    void close() {
        ops.close();
    }

    private Tensor matrix(float[] values, int rows, int cols) {
        Tensor matrix = ops.allocate("w", DType.F32, Shape.of(rows, cols));
        ops.write(matrix, values);
        return matrix;
    }

    /// All singular values, descending.
    static double[] singularValues(float[] values, int rows, int cols) {
        SingularValueDecomposition_F64<DMatrixRMaj> svd =
                DecompositionFactory_DDRM.svd(rows, cols, false, false, true);
        DMatrixRMaj matrix = new DMatrixRMaj(rows, cols);
        for (int i = 0; i < values.length; i++) matrix.data[i] = values[i];
        assertTrue(svd.decompose(matrix));
        double[] sorted = svd.getSingularValues().clone();
        Arrays.sort(sorted);
        double[] descending = new double[sorted.length];
        for (int i = 0; i < sorted.length; i++) descending[i] = sorted[sorted.length - 1 - i];
        return descending;
    }

    /// Norm of `w - U S Vᵀ`.
    private static double error(float[] w, int rows, int cols, int r, LowRankSvd.Parts parts) {
        double squares = 0;
        for (int o = 0; o < rows; o++) {
            for (int c = 0; c < cols; c++) {
                double rest = w[o * cols + c];
                for (int i = 0; i < r; i++) rest -= parts.s()[i] * parts.u()[i * rows + o] * parts.v()[i * cols + c];
                squares += rest * rest;
            }
        }
        return Math.sqrt(squares);
    }

    /// Norm of all but the first r.
    static double tail(double[] s, int r) {
        return Math.sqrt(Arrays.stream(s).skip(r).map(x -> x * x).sum());
    }

    private static void assertOrthonormal(float[] rows, int r, int n) {
        for (int i = 0; i < r; i++) {
            for (int j = 0; j < r; j++) {
                double dot = 0;
                for (int c = 0; c < n; c++) dot += (double) rows[i * n + c] * rows[j * n + c];
                assertEquals(i == j ? 1 : 0, dot, 2e-5);
            }
        }
    }

    @ParameterizedTest(name = "[{0}, {1}] r={2}")
    @CsvSource({"1,1,1", "3,5,2", "5,3,3", "8,12,8", "40,33,4", "64,200,16", "200,64,7", "130,130,1"})
    void convergedPartsAreTheBest(int rows, int cols, int r) {
        float[] w = Fixtures.normal(rows * cols, 1, 3);
        LowRankSvd.Parts parts = LowRankSvd.converged(ops, matrix(w, rows, cols), r);
        double[] want = singularValues(w, rows, cols);
        for (int i = 0; i < r; i++) assertEquals(want[i], parts.s()[i], 2e-3 * want[0] * (i + 1) / r);
        double best = tail(want, r);
        assertTrue(error(w, rows, cols, r, parts) <= best * (1 + 1e-5) + 1e-5 * want[0], "not the best");
        assertOrthonormal(parts.u(), r, rows);
        assertOrthonormal(parts.v(), r, cols);
    }

    @Test
    void moreIterationsComeCloserAndFewAreNotTheBest() {
        int rows = 120;
        int cols = 300;
        int r = 8;
        float[] w = Fixtures.normal(rows * cols, 1, 4);
        double best = tail(singularValues(w, rows, cols), r);
        double before = Double.POSITIVE_INFINITY;
        for (int iterations : new int[] {1, 4, 16}) {
            LowRankSvd.Parts parts = LowRankSvd.iterated(ops, matrix(w, rows, cols), r, iterations);
            double error = error(w, rows, cols, r, parts);
            assertTrue(error < before, iterations + " iterations: " + error);
            before = error;
            assertOrthonormal(parts.u(), r, rows);
        }
        assertTrue(before <= best * (1 + 1e-3), before + " is not " + best);
        double one = error(w, rows, cols, r, LowRankSvd.iterated(ops, matrix(w, rows, cols), r, 1));
        assertTrue(one > best * (1 + 1e-3), "this matrix shows nothing");
    }

    @Test
    void aMatrixOfLowRankHasZerosBeyondIt() {
        int rows = 30;
        int cols = 50;
        float[] w = new float[rows * cols];
        float[] u = Fixtures.normal(rows * 2, 1, 1);
        float[] v = Fixtures.normal(cols * 2, 1, 2);
        for (int i = 0; i < w.length; i++) {
            w[i] = u[i / cols * 2] * v[i % cols * 2] + 1e-2f * u[i / cols * 2 + 1] * v[i % cols * 2 + 1];
        }
        for (LowRankSvd.Parts parts : new LowRankSvd.Parts[] {LowRankSvd.converged(ops, matrix(w, rows, cols), 5),
            LowRankSvd.iterated(ops, matrix(w, rows, cols), 5, 3)}) {
            assertTrue(parts.s()[1] > 1e-3 * parts.s()[0]);
            assertTrue(parts.s()[2] <= 1e-5 * parts.s()[0], Arrays.toString(parts.s()));
            assertTrue(error(w, rows, cols, 5, parts) <= 1e-5 * parts.s()[0]);
        }
        LowRankSvd.Parts none = LowRankSvd.converged(ops, matrix(new float[12], 3, 4), 2);
        assertArrayEquals(new double[2], none.s());
        assertArrayEquals(new float[8], none.v());
        assertArrayEquals(new float[6], LowRankSvd.iterated(ops, matrix(new float[12], 3, 4), 2, 2).u());
    }

    /// One huge direction must not drown the others.
    @Test
    void anOutlierLeavesTheOthersTheirPlaces() {
        int n = 100;
        float[] w = Fixtures.normal(n * n, 1, 9);
        for (int i = 0; i < n; i++) w[i] += 1000;
        double[] want = singularValues(w, n, n);
        LowRankSvd.Parts parts = LowRankSvd.converged(ops, matrix(w, n, n), 6);
        assertTrue(error(w, n, n, 6, parts) <= tail(want, 6) * 1.02, "%s, but %s".formatted(parts.s()[1], want[1]));
    }
}
