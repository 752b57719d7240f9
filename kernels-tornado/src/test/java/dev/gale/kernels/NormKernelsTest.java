package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.ULP;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Map;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// `NormKernels` against ReferenceOps.
class NormKernelsTest {
    private static final float EPS = 1e-5f;

    /// A positive sum, then mean, eps, root, reciprocal, two products.
    private static double terms(int cols) {
        return cols + 6;
    }

    private static KernelOperands forward(int rows, int cols, DType x, DType w, float[] values) {
        KernelOperands o = new KernelOperands(output("y", x, rows, cols), output("rstd", DType.F32, rows),
                input("x", x, values, rows, cols), input("w", w, uniform(cols, 2), cols));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        if (x == DType.BF16 && cols % 4 == 0) {
            int threads = NormKernels.foursThreads(cols);
            return o.run(rows, 1, threads, ctx -> NormKernels.rmsNormForwardBf16(ctx, o.table, SLOT, o.longs, f, o.longs, f,
                    o.longs, o.type(3), cols, EPS, 0f, threads));
        }
        return o.run(rows, ctx -> NormKernels.rmsNormForward(ctx, o.table, SLOT, f, h, o.type(0), f, f, h, o.type(2),
                f, h, o.type(3), cols, EPS, 0f));
    }

    @ParameterizedTest
    @CsvSource({"1,1,F32,F32,1", "3,5,F32,BF16,1", "2,256,BF16,BF16,1000", "7,257,BF16,F32,1e-3", "5,1030,F32,F32,1",
        "4,31,F32,F32,0", "2,8,BF16,F32,1", "3,1540,BF16,BF16,1", "2,2048,BF16,F32,1e-3"})
    void forwardIsRelativelyExact(int rows, int cols, DType x, DType w, double scale) {
        KernelOperands o = forward(rows, cols, x, w, normal(rows * cols, scale, 1));
        Map<String, float[]> want = o.reference((ops, at) ->
                ops.rmsNormForward(at.get("y"), at.get("rstd"), at.get("x"), at.get("w"), EPS));
        o.within("rstd", want.get("rstd"), times(terms(cols), want.get("rstd")))
                .within("y", want.get("y"), times(terms(cols), want.get("y")));
    }

    @Test
    void forwardSpreadsNaNAlongItsRow() {
        float[] values = normal(3 * 300, 1, 1);
        values[299] = Float.NaN;
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            float[] y = forward(3, 300, dtype, DType.F32, values).values("y");
            for (int i = 0; i < y.length; i++) assertEquals(i < 300, Float.isNaN(y[i]));
        }
    }

    @ParameterizedTest
    @CsvSource({"1,1,F32,F32,0", "3,5,F32,BF16,1", "2,257,BF16,BF16,1", "5,1030,BF16,F32,0", "130,31,F32,F32,1",
        "2,8,BF16,BF16,0", "3,1540,BF16,BF16,1", "2,2048,BF16,F32,1"})
    void backwardMatches(int rows, int cols, DType dtype, DType w, int accumulate) {
        int n = rows * cols;
        float[] rstd = uniform(rows, 8);
        for (int r = 0; r < rows; r++) rstd[r] += 1.5f;
        KernelOperands o = new KernelOperands(inout("dx", dtype, uniform(n, 7), rows, cols),
                input("dy", dtype, uniform(n, 4), rows, cols), input("x", dtype, uniform(n, 5), rows, cols),
                input("w", w, uniform(cols, 6), cols), input("rstd", DType.F32, rstd, rows),
                inout("dw", DType.F32, uniform(cols, 3), cols));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = o.table;
        if (dtype == DType.BF16 && cols % 4 == 0) {
            int threads = NormKernels.foursThreads(cols);
            o.run(rows, 1, threads, ctx -> NormKernels.rmsNormBackwardBf16(ctx, t, SLOT, o.longs, o.longs, o.longs, f, o.longs,
                    o.type(3), f, cols, accumulate, 0f, threads));
        } else {
            o.run(rows, ctx -> NormKernels.rmsNormBackward(ctx, t, SLOT, f, h, o.type(0), f, h, o.type(1), f, h, o.type(2),
                    f, h, o.type(3), f, cols, accumulate, 0f));
        }
        IntArray slots = IntArray.fromElements(t.get(SLOT + 5), t.get(SLOT + 1), t.get(SLOT + 2), t.get(SLOT + 4));
        o.run(Math.ceilDiv(cols, Reduce.COLUMNS), ctx -> NormKernels.rmsNormBackwardWeight(ctx, slots, 0, f, f, h,
                o.type(1), f, h, o.type(2), f, rows, cols));
        BiConsumer<TensorOps, Map<String, Tensor>> backward = (ops, at) -> ops.rmsNormBackward(at.get("dx"),
                accumulate == 1, at.get("dw"), at.get("dy"), at.get("x"), at.get("w"), at.get("rstd"));
        Map<String, float[]> want = o.reference(backward);
        o.within("dx", want.get("dx"), bounds(o, rows, cols, accumulate == 1))
                .within("dw", want.get("dw"), times(rows + 4, o.magnitudes(backward).get("dw")));
    }

    /// Sum of magnitudes of `rstd (g - xhat mean(g xhat))`, and of what dx held before.
    private static double[] bounds(KernelOperands o, int rows, int cols, boolean accumulate) {
        float[] dy = o.values("dy");
        float[] x = o.values("x");
        float[] w = o.values("w");
        float[] rstd = o.values("rstd");
        float[] before = uniform(rows * cols, 7);
        double[] bounds = new double[rows * cols];
        for (int r = 0; r < rows; r++) {
            double mean = 0;
            for (int c = 0; c < cols; c++) {
                mean += Math.abs((double) dy[r * cols + c] * w[c] * x[r * cols + c]) * rstd[r] / cols;
            }
            for (int c = 0; c < cols; c++) {
                int i = r * cols + c;
                double magnitude = rstd[r] * (Math.abs((double) dy[i] * w[c]) + Math.abs(x[i]) * rstd[r] * mean);
                bounds[i] = (cols + 8) * ULP * (magnitude + (accumulate ? Math.abs(before[i]) * 1.01 : 0));
            }
        }
        return bounds;                                // 1.01: before is rounded to its dtype
    }

    @Test
    void backwardMayReplaceTheUpstreamGradient() {
        int rows = 3;
        int cols = 300;
        KernelOperands o = new KernelOperands(output("dx", DType.F32, rows, cols),
                inout("dy", DType.F32, uniform(rows * cols, 4), rows, cols),
                input("x", DType.F32, uniform(rows * cols, 5), rows, cols),
                input("w", DType.F32, uniform(cols, 6), cols), input("rstd", DType.F32, new float[] {1, 2, 3}, rows));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = o.table;
        o.run(rows, ctx -> NormKernels.rmsNormBackward(ctx, t, SLOT, f, h, 0, f, h, 0, f, h, 0, f, h, 0, f, cols, 0, 0f));
        float[] apart = o.values("dx");
        IntArray alias = IntArray.fromArray(t.toHeapArray());
        alias.set(SLOT, t.get(SLOT + 1));
        o.run(rows, ctx ->
                NormKernels.rmsNormBackward(ctx, alias, SLOT, f, h, 0, f, h, 0, f, h, 0, f, h, 0, f, cols, 0, 0f));
        o.within("dy", apart, new double[rows * cols]);
    }
}
