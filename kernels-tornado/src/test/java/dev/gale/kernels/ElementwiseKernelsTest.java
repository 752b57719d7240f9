package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.ints;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.scratch;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Map;
import java.util.function.BiConsumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// `ElementwiseKernels` and `DropoutKernels` against ReferenceOps.
class ElementwiseKernelsTest {
    private static int blocks(int n) {
        return Math.ceilDiv(n, Elements.BLOCK);
    }

    @ParameterizedTest
    @CsvSource({"1,F32", "255,BF16", "1024,F32", "2500,BF16"})
    void fillWritesEveryElementAndNoOther(int n, DType dtype) {
        KernelOperands o = new KernelOperands(output("y", dtype, n), scratch("counts", n));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = o.table;
        o.run(blocks(n), ctx -> ElementwiseKernels.fill(ctx, t, SLOT, f, h, o.type(0), n, -2.5f));
        o.run(blocks(n), ctx -> ElementwiseKernels.fillInts(ctx, t, SLOT + 1, o.ints, n, -7));
        for (float value : o.values("y")) assertEquals(-2.5f, value);
        for (int i = 0; i < n; i++) assertEquals(-7, o.ints.get(t.get(SLOT + 1) + i));
    }

    @ParameterizedTest
    @CsvSource({"1,F32,F32", "257,F32,BF16", "1025,BF16,F32", "2500,BF16,BF16"})
    void copyConverts(int n, DType to, DType from) {
        KernelOperands o = new KernelOperands(output("dst", to, n), input("src", from, uniform(n, 1), n));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        o.run(blocks(n), ctx -> ElementwiseKernels.copy(ctx, o.table, SLOT, f, h, o.type(0), f, h, o.type(1), n));
        float[] want = o.reference((ops, at) -> ops.copy(at.get("dst"), at.get("src"))).get("dst");
        o.within("dst", want, new double[n]);
    }

    @ParameterizedTest
    @CsvSource({"1,F32,F32,F32", "1025,BF16,BF16,F32", "2500,F32,BF16,BF16", "777,BF16,BF16,BF16"})
    void addAndAddScaled(int n, DType y, DType a, DType b) {
        KernelOperands o = new KernelOperands(output("y", y, n), input("a", a, uniform(n, 1), n),
                input("b", b, uniform(n, 2), n));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = o.table;
        int ty = o.type(0);
        o.run(blocks(n), ctx ->
                ElementwiseKernels.add(ctx, t, SLOT, f, h, ty, f, h, o.type(1), f, h, o.type(2), n));
        KernelOperands scaled = new KernelOperands(inout("z", y, uniform(n, 3), n), input("a", a, uniform(n, 1), n));
        scaled.run(blocks(n), ctx -> ElementwiseKernels.addScaled(ctx, scaled.table, SLOT, scaled.floats, scaled.halves,
                ty, scaled.floats, scaled.halves, o.type(1), n, 0.3f));
        o.within("y", o.reference((ops, at) -> ops.add(at.get("y"), at.get("a"), at.get("b"))).get("y"), new double[n]);
        BiConsumer<TensorOps, Map<String, Tensor>> addScaled = (ops, at) ->
                ops.addScaled(at.get("z"), at.get("a"), 0.3f);
        scaled.within("z", scaled.reference(addScaled).get("z"), times(2, scaled.magnitudes(addScaled).get("z")));
    }

    @ParameterizedTest
    @CsvSource({"0,5,F32", "1,1,F32", "3,33,BF16", "129,64,F32", "40,100,BF16"})
    void columnSumAccumulates(int rows, int cols, DType dtype) {
        KernelOperands o = new KernelOperands(inout("sums", DType.F32, uniform(cols, 1), cols),
                input("x", dtype, uniform(rows * cols, 2), rows, cols));
        FloatArray f = o.floats;
        o.run(Math.ceilDiv(cols, Reduce.COLUMNS), ctx ->
                ElementwiseKernels.columnSum(ctx, o.table, SLOT, f, f, o.halves, o.type(1), rows, cols));
        BiConsumer<TensorOps, Map<String, Tensor>> sum = (ops, at) -> ops.columnSum(at.get("sums"), at.get("x"));
        o.within("sums", o.reference(sum).get("sums"), times(rows + 1, o.magnitudes(sum).get("sums")));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void addSpreadsNaNAndColumnSumToo(int position) {
        float[] x = uniform(70, 1);
        x[position * 65] = Float.NaN;
        KernelOperands o = new KernelOperands(inout("sums", DType.F32, uniform(7, 1), 7),
                input("x", DType.F32, x, 10, 7));
        o.run(1, ctx -> ElementwiseKernels.columnSum(ctx, o.table, SLOT, o.floats, o.floats, o.halves, 0, 10, 7));
        for (int c = 0; c < 7; c++) assertEquals(c == position * 65 % 7, Float.isNaN(o.values("sums")[c]));
    }

    @ParameterizedTest
    @CsvSource({"1,0.5,0,F32", "7,0.1,1,F32", "1000,0,0,BF16", "4099,0.25,0,F32", "4099,0.25,1,BF16"})
    void dropoutDropsWhatPhiloxSays(int n, float p, int accumulate, DType dtype) {
        KernelOperands o = new KernelOperands(inout("y", dtype, uniform(n, 1), n),
                input("x", dtype, uniform(n, 2), n), ints("rng", 42, -7, 3, 1));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        o.run(blocks(n), ctx -> DropoutKernels.dropout(ctx, o.table, SLOT, f, h, o.type(0), f, h, o.type(1), o.ints, n,
                p, 9, accumulate));
        BiConsumer<TensorOps, Map<String, Tensor>> dropout = (ops, at) ->
                ops.dropout(at.get("y"), at.get("x"), p, at.get("rng"), 9, accumulate == 1);
        o.within("y", o.reference(dropout).get("y"), times(4, o.magnitudes(dropout).get("y")));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 1500})
    void resultsMayBeOperands(int n) {
        KernelOperands o = new KernelOperands(inout("x", DType.F32, uniform(n, 1), n),
                input("b", DType.F32, uniform(n, 2), n), ints("rng", 1, 2, 3, 4));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = IntArray.fromElements(o.table.get(SLOT), o.table.get(SLOT), o.table.get(SLOT + 1));
        o.run(blocks(n), ctx -> ElementwiseKernels.add(ctx, t, 0, f, h, 0, f, h, 0, f, h, 0, n));
        IntArray own = IntArray.fromElements(o.table.get(SLOT), o.table.get(SLOT), o.table.get(SLOT + 2));
        o.run(blocks(n), ctx -> DropoutKernels.dropout(ctx, own, 0, f, h, 0, f, h, 0, o.ints, n, 0.5f, 3, 0));
        o.within("x", o.reference((ops, at) -> {
            ops.add(at.get("x"), at.get("x"), at.get("b"));
            ops.dropout(at.get("x"), at.get("x"), 0.5f, at.get("rng"), 3, false);
        }).get("x"), times(4, o.values("x")));
    }
}
