package dev.gale.kernels;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.kernels.emulator.KernelFault;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/// The norms' kernels on the emulator against `ReferenceOps`.
class NormKernelsTest {
    private static final float EPS = 1e-5f;
    private static final double ULP = Math.ulp(1f);

    private static Tensor tensor(String name, FloatArray array, int... shape) {
        return new Tensor(name, DType.F32, Shape.of(shape), new Storage.Host(array.getSegment()));
    }

    private static FloatArray unwritten(int n) {
        FloatArray array = new FloatArray(n);
        array.init(Float.NaN);
        return array;
    }

    private static void assertRelative(String name, FloatArray want, FloatArray got, double tolerance) {
        double[] bounds = new double[want.getSize()];
        for (int i = 0; i < bounds.length; i++) bounds[i] = tolerance * Math.abs(want.get(i));
        TensorAssert.assertClose(name, want.toHeapArray(), got.toHeapArray(), bounds);
    }

    private static KernelEmulator rows(int rows) {
        return KernelEmulator.grid(rows * NormKernels.GROUP).group(NormKernels.GROUP);
    }

    @ParameterizedTest(name = "[{0}, {1}] {2}")
    @CsvSource({"1,1,1", "3,5,1", "1,31,1000", "5,127,1e-3", "2,128,1", "7,129,1", "4,1000,3", "4,31,0"})
    void rmsNormForward(int rows, int cols, double scale) {
        FloatArray x = FloatArray.fromArray(Fixtures.normal(rows * cols, scale, 1));
        FloatArray w = FloatArray.fromArray(Fixtures.uniform(cols, 2));
        FloatArray y = unwritten(rows * cols);
        FloatArray rstd = unwritten(rows);
        rows(rows).run(ctx -> NormKernels.rmsNormForward(ctx, y, rstd, x, w, cols, EPS));

        FloatArray wantY = new FloatArray(rows * cols);
        FloatArray wantRstd = new FloatArray(rows);
        new ReferenceOps().rmsNormForward(tensor("y", wantY, rows, cols), tensor("rstd", wantRstd, rows),
                tensor("x", x, rows, cols), tensor("w", w, cols), EPS);
        double bound = (cols + 6) * ULP;              // a positive sum, then mean, eps, root, reciprocal, two products
        assertRelative("rstd", wantRstd, rstd, bound);
        assertRelative("y", wantY, y, bound);
    }

    @Test
    void outputMayBeTheInput() {
        FloatArray x = FloatArray.fromArray(Fixtures.normal(3 * 200, 1, 1));
        FloatArray w = FloatArray.fromArray(Fixtures.uniform(200, 2));
        FloatArray rstd = unwritten(3);
        FloatArray apart = unwritten(3 * 200);
        rows(3).run(ctx -> NormKernels.rmsNormForward(ctx, apart, rstd, x, w, 200, EPS));
        rows(3).run(ctx -> NormKernels.rmsNormForward(ctx, x, rstd, x, w, 200, EPS));
        TensorAssert.assertEqual("y", apart.toHeapArray(), x.toHeapArray());
    }

    @Test
    void tooSmallAnOutputIsFound() {
        FloatArray x = new FloatArray(64);
        KernelFault fault = assertThrows(KernelFault.class, () ->
                rows(2).run(ctx -> NormKernels.rmsNormForward(ctx, x, new FloatArray(1), x, x, 32, EPS)));
        assertTrue(fault.getMessage().contains("NormKernels.java"), fault.getMessage());
    }
}
