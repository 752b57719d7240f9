package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.ULP;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// `AdafactorKernels`, one after the other, against ReferenceOps.
class AdafactorKernelsTest {
    private static float[] positive(int n, long seed) {
        float[] values = uniform(n, seed);
        for (int i = 0; i < n; i++) values[i] = values[i] * values[i] + 1e-6f;
        return values;
    }

    private static KernelOperands operands(int rows, int cols, float clip, boolean matrix) {
        int n = rows * cols;
        int groups = OptimKernels.squareGroups(n);
        int moments = matrix ? rows : n;
        return new KernelOperands(inout("param", DType.F32, uniform(n, 1), matrix ? new int[] {rows, cols} : new int[] {n}),
                inout("sums", DType.F32, new float[2], 2),
                input("grad", DType.F32, uniform(n, 2), matrix ? new int[] {rows, cols} : new int[] {n}),
                inout("rows", DType.F32, positive(moments, 3), moments), inout("cols", DType.F32, positive(cols, 4), cols),
                input("factor", DType.F32, new float[] {0.5f}, 1),
                input("hyper", DType.F32, new float[] {1e-2f, 0.6f, 1e-30f, clip, 0.1f}, 5),
                inout("partial", DType.F32, new float[groups], groups));
    }

    private static IntArray slots(KernelOperands o, int... numbers) {
        IntArray slots = new IntArray(numbers.length);
        for (int i = 0; i < numbers.length; i++) slots.set(i, o.table.get(SLOT + numbers[i]));
        return slots;
    }

    private static void run(KernelOperands o, int rows, int cols, boolean matrix, int momentCols) {
        int n = rows * cols;
        int form = matrix ? AdafactorKernels.MATRIX : AdafactorKernels.VECTOR;
        int groups = OptimKernels.squareGroups(n);
        FloatArray f = o.floats;
        IntArray moments = slots(o, 3, 2, 6, 5);
        if (matrix) {
            o.run(rows, ctx -> AdafactorKernels.rowMoments(ctx, moments, 0, f, f, f, f, momentCols));
            IntArray columns = slots(o, 4, 2, 6, 5);
            o.run(Math.ceilDiv(cols, Reduce.COLUMNS), ctx ->
                    AdafactorKernels.columnMoments(ctx, columns, 0, f, f, f, f, rows, cols));
            IntArray mean = slots(o, 1, 3);
            o.run(1, ctx -> AdafactorKernels.rowsMean(ctx, mean, 0, f, f, rows));
        } else {
            o.run(Math.ceilDiv(n, Elements.GROUP), ctx -> AdafactorKernels.elementMoments(ctx, moments, 0, f, f, f, f, n));
        }
        IntArray partial = slots(o, 7, 1, 2, 3, 4, 5);
        o.run(groups, ctx -> AdafactorKernels.partialChanges(ctx, partial, 0, f, f, f, f, f, f, form, n, cols, groups));
        IntArray sum = IntArray.fromElements(o.table.get(SLOT + 1) + 1, o.table.get(SLOT + 7));
        o.run(1, ctx -> OptimKernels.addPartials(ctx, sum, 0, f, f, groups));
        o.run(Math.ceilDiv(n, Elements.GROUP), ctx ->
                AdafactorKernels.adafactor(ctx, o.table, SLOT, f, f, f, f, f, f, f, form, n, cols));
    }

    /// Sums of n positive terms; see the contract's test for how they add up.
    private static void assertMatches(KernelOperands o, int rows, int cols, boolean matrix) {
        var want = o.reference((ops, at) -> ops.adafactor(at.get("param"), at.get("grad"), at.get("rows"),
                matrix ? at.get("cols") : null, at.get("hyper"), at.get("factor")));
        double[] bounds = new double[rows * cols];
        float[] before = uniform(bounds.length, 1);
        for (int i = 0; i < bounds.length; i++) {
            double change = Math.abs(want.get("param")[i] - before[i] * (1 - 1e-2 * 0.1f)) + ULP * Math.abs(before[i]);
            bounds[i] = 3 * ULP * Math.abs(before[i]) + 3 * (rows + cols + 16) * ULP * change;
        }
        o.within("rows", want.get("rows"), KernelOperands.times(cols + 8, want.get("rows")));
        if (matrix) o.within("cols", want.get("cols"), KernelOperands.times(rows + 8, want.get("cols")));
        o.within("param", want.get("param"), bounds);
    }

    @ParameterizedTest
    @CsvSource({"1,1,1", "3,7,0.01", "33,257,1", "300,40,1000"})
    void matricesMatch(int rows, int cols, float clip) {
        KernelOperands o = operands(rows, cols, clip, true);
        run(o, rows, cols, true, cols);
        assertMatches(o, rows, cols, true);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "7,0.01", "1000,1"})
    void vectorsMatch(int n, float clip) {
        KernelOperands o = operands(1, n, clip, false);
        run(o, 1, n, false, n);
        assertMatches(o, 1, n, false);
    }

    /// Means over all but the last column are found to be wrong.
    @Test
    void aShortMeanIsFound() {
        KernelOperands o = operands(3, 200, 1, true);
        run(o, 3, 200, true, 199);
        assertThrows(AssertionError.class, () -> assertMatches(o, 3, 200, true));
    }
}
