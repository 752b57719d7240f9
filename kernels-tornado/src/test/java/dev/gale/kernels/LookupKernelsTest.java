package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.ints;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.scratch;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.ids;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Map;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// `LookupKernels` against ReferenceOps.
class LookupKernelsTest {
    private static KernelOperands gathered(int rows, int vocab, int cols, DType y, DType weight, int... ids) {
        KernelOperands o = new KernelOperands(output("y", y, rows, cols),
                input("table", weight, uniform(vocab * cols, 1), vocab, cols), ints("ids", ids));
        if (y == DType.BF16 && weight == DType.BF16 && cols % 4 == 0) {
            return o.run(rows, 1, LookupKernels.FOURS_GROUP, ctx -> LookupKernels.gatherRowsBf16(ctx, o.table, SLOT, o.longs,
                    o.longs, o.ints, cols, vocab));
        }
        return o.run(rows, ctx -> LookupKernels.gatherRows(ctx, o.table, SLOT, o.floats, o.halves, o.type(0), o.floats,
                o.halves, o.type(1), o.ints, cols, vocab));
    }

    @ParameterizedTest
    @CsvSource({"1,1,1,F32,F32", "5,3,7,F32,BF16", "17,100,257,BF16,BF16", "40,31,300,BF16,F32", "7,9,4,BF16,BF16",
        "5,3,2068,BF16,BF16"})
    void gatherCopiesRows(int rows, int vocab, int cols, DType y, DType weight) {
        KernelOperands o = gathered(rows, vocab, cols, y, weight, ids(rows, vocab, 2));
        float[] want = o.reference((ops, at) -> ops.gatherRows(at.get("y"), at.get("table"), at.get("ids"))).get("y");
        o.within("y", want, new double[rows * cols]);
    }

    @ParameterizedTest
    @CsvSource({"3,F32", "8,BF16"})
    void idsOutsideTheTableGiveNaNAndReachNothing(int cols, DType dtype) {
        float[] y = gathered(4, 5, cols, dtype, dtype, -1, 4, 5, Integer.MAX_VALUE).values("y");
        for (int i = 0; i < 4 * cols; i++) assertEquals(i / cols != 1, Float.isNaN(y[i]));
    }

    @ParameterizedTest
    @CsvSource({"1,1,F32", "5,300,F32", "70,33,BF16"})
    void columnsAreThoseThatAreNamed(int rows, int cols, DType dtype) {
        int[] chosen = {cols - 1, 0, cols / 2, cols};
        KernelOperands o = new KernelOperands(output("y", dtype, rows, 4),
                input("x", dtype, uniform(rows * cols, 1), rows, cols), ints("ids", chosen));
        int n = 4 * rows;
        o.run(Math.ceilDiv(n, Elements.GROUP), ctx -> LookupKernels.gatherColumns(ctx, o.table, SLOT, o.floats, o.halves,
                o.floats, o.halves, o.type(1), o.ints, n, 4, cols));
        float[] x = o.values("x");
        float[] y = o.values("y");
        for (int i = 0; i < n; i++) assertEquals(i % 4 == 3 ? Float.NaN : x[i / 4 * cols + chosen[i % 4]], y[i]);
    }

    private static KernelOperands scattered(int rows, int vocab, int cols, DType dtype, int... ids) {
        KernelOperands o = new KernelOperands(inout("dTable", DType.F32, uniform(vocab * cols, 1), vocab, cols),
                input("dy", dtype, uniform(rows * cols, 2), rows, cols), ints("ids", ids), scratch("links", 2 * rows));
        int[] slots = {o.table.get(SLOT + 3), o.table.get(SLOT + 2)};
        IntArray table = IntArray.fromArray(slots);
        o.run(Math.ceilDiv(rows, Elements.GROUP), ctx -> LookupKernels.linkRows(ctx, table, 0, o.ints, o.ints, rows));
        return o.run(Math.ceilDiv(cols, Elements.GROUP), rows, ctx -> LookupKernels.scatterAddRows(ctx, o.table, SLOT,
                o.floats, o.floats, o.halves, o.type(1), o.ints, o.ints, rows, cols, vocab));
    }

    @ParameterizedTest
    @CsvSource({"1,1,1,F32", "5,3,7,F32", "64,100,33,BF16", "300,5,260,F32", "513,513,3,BF16"})
    void scatterAddsRepeatedRowsInOrder(int rows, int vocab, int cols, DType dtype) {
        KernelOperands o = scattered(rows, vocab, cols, dtype, ids(rows, vocab, 3));
        BiConsumer<TensorOps, Map<String, Tensor>> scatter = (ops, at) ->
                ops.scatterAddRows(at.get("dTable"), at.get("dy"), at.get("ids"));
        o.within("dTable", o.reference(scatter).get("dTable"), times(rows + 1, o.magnitudes(scatter).get("dTable")));
    }

    @Test
    void linksChainEqualIds() {
        KernelOperands o = scattered(6, 9, 1, DType.F32, 4, 7, 4, 4, 7, 1);
        int[] want = {2, 4, 3, -1, -1, -1, 1, 1, 0, 0, 0, 1};
        for (int i = 0; i < 12; i++) assertEquals(want[i], o.ints.get(o.table.get(SLOT + 3) + i), "links " + i);
    }

    @Test
    void idsOutsideTheTableAddNothing() {
        float[] before = uniform(15, 1);
        float[] after = scattered(4, 5, 3, DType.F32, -1, 5, 2, Integer.MIN_VALUE).values("dTable");
        for (int i = 0; i < 15; i++) assertTrue(i / 3 == 2 || before[i] == after[i]);
    }
}
