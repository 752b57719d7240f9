package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.ULP;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertThrows;

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

/// `ScaleKernels` against ReferenceOps.
class ScaleKernelsTest {
    private static float[] lengths(int n, int seed) {
        float[] values = uniform(n, seed);
        for (int i = 0; i < n; i++) values[i] = 2 + values[i] / 2;
        return values;
    }

    /// @param scale of the kernel, 0.7 when it is right
    private static void rowNorm(int rows, int r, DType b, DType cross, int based, int squared, float scale) {
        float[] small = uniform(r * r, 4);
        for (int i = 0; i < small.length; i++) small[i] /= r * r;
        float[] weak = based == 1 ? uniform(rows * r, 2) : lengths(rows * r, 2);
        for (int i = 0; i < weak.length; i++) weak[i] /= based == 1 ? Math.sqrt(r) : 1;
        KernelOperands o = new KernelOperands(output("norm", DType.F32, rows), input("base", DType.F32, lengths(rows, 3), rows),
                input("b", b, based == 1 ? uniform(rows * r, 1) : lengths(rows * r, 1), rows, r),
                input("cross", cross, weak, rows, r), input("gram", DType.F32, small, r, r));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        o.run(rows, ctx -> ScaleKernels.rowNorm(ctx, o.table, SLOT, f, f, f, h, o.type(2), f, h, o.type(3), f, r, based,
                squared, scale));
        BiConsumer<TensorOps, Map<String, Tensor>> norm = (ops, at) -> ops.rowNorm(at.get("norm"),
                based == 1 ? at.get("base") : null, at.get("b"), at.get("cross"), squared == 1 ? at.get("gram") : null, 0.7f);
        float[] want = o.reference(norm).get("norm");
        float[] most = o.magnitudes(norm).get("norm");
        double[] bounds = new double[rows];
        for (int i = 0; i < rows; i++) bounds[i] = (2 * r + 8 + 2 * r * squared) * ULP * most[i] * most[i] / want[i];
        o.within("norm", want, bounds);
    }

    @ParameterizedTest
    @CsvSource({"1,1,F32,F32,1,1", "3,5,F32,F32,1,1", "5,16,F32,F32,0,1", "2,33,BF16,F32,1,0", "4,257,BF16,BF16,0,0",
        "2,260,F32,BF16,1,1"})
    void rowNormAddsItsParts(int rows, int r, DType b, DType cross, int based, int squared) {
        rowNorm(rows, r, b, cross, based, squared, 0.7f);
        assertThrows(AssertionError.class, () -> rowNorm(rows, r, b, cross, based, squared, 0.75f));
    }

    @Test
    void aRowOfZerosHasALength() {
        KernelOperands o = new KernelOperands(output("norm", DType.F32, 2),
                input("w", DType.F32, new float[] {0, 0, 3, 4}, 2, 2));
        IntArray slots = IntArray.fromElements(o.table.get(SLOT), o.table.get(SLOT), o.table.get(SLOT + 1),
                o.table.get(SLOT + 1), o.table.get(SLOT));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        o.run(2, ctx -> ScaleKernels.rowNorm(ctx, slots, 0, f, f, f, h, 0, f, h, 0, f, 2, 0, 0, 0.5f));
        Map<String, float[]> want = o.reference((ops, at) ->
                ops.rowNorm(at.get("norm"), null, at.get("w"), at.get("w"), null, 0.5f));
        o.within("norm", want.get("norm"), times(2, want.get("norm")));
    }

    @ParameterizedTest
    @CsvSource({"1,1,F32,F32,1,1", "3,5,F32,BF16,1,0", "2,257,BF16,BF16,0,1", "5,1030,BF16,F32,1,1", "7,300,F32,F32,0,0"})
    void forwardAddsItsParts(int rows, int cols, DType dtype, DType bias, int biased, int added) {
        int n = rows * cols;
        KernelOperands o = new KernelOperands(output("y", dtype, rows, cols), input("x", dtype, uniform(n, 1), rows, cols),
                input("magnitude", DType.F32, uniform(cols, 2), cols), input("norm", DType.F32, lengths(cols, 3), cols),
                input("bias", bias, uniform(cols, 4), cols), input("residual", dtype, uniform(n, 5), rows, cols));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        o.run(rows, ctx -> ScaleKernels.columnScaleForward(ctx, o.table, SLOT, f, h, o.type(0), f, h, o.type(1), f, f, f, h,
                biased == 1 ? o.type(4) : ProductForm.ABSENT, f, h, added == 1 ? o.type(5) : ProductForm.ABSENT, cols));
        BiConsumer<TensorOps, Map<String, Tensor>> forward = (ops, at) -> ops.columnScaleForward(at.get("y"), at.get("x"),
                at.get("magnitude"), at.get("norm"), biased == 1 ? at.get("bias") : null,
                added == 1 ? at.get("residual") : null);
        o.within("y", o.reference(forward).get("y"), times(5, o.magnitudes(forward).get("y")));
    }

    @ParameterizedTest
    @CsvSource({"1,1,F32", "3,5,F32", "2,257,BF16", "130,31,F32", "9,300,BF16"})
    void backwardMatches(int rows, int cols, DType dtype) {
        int n = rows * cols;
        KernelOperands o = new KernelOperands(output("dx", dtype, rows, cols),
                inout("dMagnitude", DType.F32, uniform(cols, 6), cols),
                input("dy", dtype, uniform(n, 4), rows, cols), input("x", dtype, uniform(n, 1), rows, cols),
                input("magnitude", DType.F32, uniform(cols, 2), cols), input("norm", DType.F32, lengths(cols, 3), cols));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = o.table;
        IntArray first = IntArray.fromElements(t.get(SLOT + 1), t.get(SLOT + 2), t.get(SLOT + 3), t.get(SLOT + 5));
        IntArray second = IntArray.fromElements(t.get(SLOT), t.get(SLOT + 2), t.get(SLOT + 4), t.get(SLOT + 5));
        o.run(Math.ceilDiv(cols, Reduce.COLUMNS), ctx ->
                ScaleKernels.columnScaleBackwardMagnitude(ctx, first, 0, f, f, h, o.type(2), f, h, o.type(3), f, rows, cols));
        o.run(rows, ctx -> ScaleKernels.columnScaleBackward(ctx, second, 0, f, h, o.type(0), f, h, o.type(2), f, f, cols));
        BiConsumer<TensorOps, Map<String, Tensor>> backward = (ops, at) -> ops.columnScaleBackward(at.get("dx"),
                at.get("dMagnitude"), at.get("dy"), at.get("x"), at.get("magnitude"), at.get("norm"));
        Map<String, float[]> want = o.reference(backward);
        o.within("dx", want.get("dx"), times(3, want.get("dx")))
                .within("dMagnitude", want.get("dMagnitude"), times(rows + 4, o.magnitudes(backward).get("dMagnitude")));
    }
}
