package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.ids;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// `copy`, `fill`, `add`, `addScaled`, `columnSum`, `dropout`, `gatherRows`, `scatterAddRows`.
public interface ElementwiseContract extends Trials {

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7, 64, 1000, 4097})
    default void addIsRoundedOnce(int n) {
        assertExact(new Trial((ops, t) -> ops.add(t.get("y"), t.get("a"), t.get("b")))
                .output("y", n).input("a", uniform(n, 1), n).input("b", uniform(n, 2), n));
    }

    @Test
    default void addMayWriteIntoEitherOperand() {
        Trial trial = new Trial((ops, t) -> {
            ops.add(t.get("a"), t.get("a"), t.get("b"));
            ops.add(t.get("c"), t.get("b"), t.get("c"));
        });
        assertExact(trial.inout("a", uniform(37, 1), 37).input("b", uniform(37, 2), 37).inout("c", uniform(37, 3), 37));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7, 64, 1000, 4097})
    default void addScaledAccumulates(int n) {
        assertSums(new Trial((ops, t) -> ops.addScaled(t.get("y"), t.get("x"), 0.3f))
                .inout("y", uniform(n, 1), n).input("x", uniform(n, 2), n), 2);
    }

    @Test
    default void elementwiseSpreadsNaN() {
        new Trial((ops, t) -> {
            ops.add(t.get("y"), t.get("a"), t.get("b"));
            ops.addScaled(t.get("b2"), t.get("a"), 0f);
            ops.columnSum(t.get("sums"), t.get("a"));
            ops.copy(t.get("half"), t.get("a"));
        }).output("y", 3, 11).input("a", uniform(33, 1), 3, 11).input("b", uniform(33, 2), 3, 11)
                .inout("b2", uniform(33, 3), 3, 11).inout("sums", uniform(11, 4), 11).output("half", DType.BF16, 3, 11)
                .spreadsNaN(this::freshOps);
    }

    @ParameterizedTest
    @CsvSource({"0,5", "1,1", "3,5", "128,64", "33,4097"})
    default void columnSumAccumulatesOverRows(int rows, int cols) {
        assertSums(new Trial((ops, t) -> ops.columnSum(t.get("sums"), t.get("x")))
                .inout("sums", uniform(cols, 1), cols).input("x", uniform(rows * cols, 2), rows, cols), rows + 1);
    }

    @ParameterizedTest
    @CsvSource({"F32,F32", "F32,BF16", "F32,F16", "BF16,F32", "F16,F32", "BF16,F16", "F16,BF16", "BF16,BF16"})
    default void copyRoundsToNearestEven(DType from, DType to) {
        int special = EDGES.length;
        int n = special + 1027;
        float[] values = new float[n];
        System.arraycopy(EDGES, 0, values, 0, special);
        float[] random = uniform(n - special, 5);
        for (int i = special; i < n; i++) values[i] = random[i - special] * (float) Math.pow(10, i % 9 - 4);
        assertExact(new Trial((ops, t) -> ops.copy(t.get("dst"), t.get("src")))
                .output("dst", to, n).input("src", from, values, n));
    }

    /// Ties to even in BF16 and F16, overflow, subnormals, signed zeros, infinities, NaN with a payload in low bits
    /// only.
    float[] EDGES = {0f, -0f, 1f, 1 + 0x1p-8f, 1 + 0x1.8p-7f, 1 + 0x1p-11f, 1 + 0x1.8p-10f, 65504f, 65519.996f, 65520f,
        -70000f, 3.4e38f, 0x1p-24f, 0x1p-25f, 0x1.8p-25f, 0x1p-14f, 0x1p-133f, 0x1p-149f, Float.MIN_NORMAL,
        Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, Float.intBitsToFloat(0x7F800001)};

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"F32", "BF16", "F16", "I32"})
    default void fillWritesEveryElementOfEveryDtype(DType dtype) {
        try (TensorOps ops = freshOps()) {
            Tensor tensor = ops.allocate("t", dtype, Shape.of(5, 13));
            ops.fill(tensor, -3f);
            for (int i = 0; i < 65; i++) {
                assertEquals(-3f, dtype == DType.I32 ? ops.toInts(tensor)[i] : ops.toFloats(tensor)[i]);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0,0.5,false", "1,0.5,false", "7,0.1,true", "1000,0,false", "4099,0.25,false", "4099,0.25,true"})
    default void dropoutDropsWhatPhiloxSays(int n, float p, boolean accumulate) {
        Trial trial = new Trial((ops, t) -> ops.dropout(t.get("y"), t.get("x"), p, t.get("rng"), 9, accumulate))
                .input("x", uniform(n, 2), n).ints("rng", 42, -7, 3, 1);
        assertSums(accumulate ? trial.inout("y", uniform(n, 1), n) : trial.output("y", n), 4);
    }

    @Test
    default void dropoutMayBeInPlaceAndKeepsTheRightShare() {
        int n = 40_000;
        float p = 0.3f;
        Trial trial = new Trial((ops, t) -> ops.dropout(t.get("x"), t.get("x"), p, t.get("rng"), 0, false))
                .inout("x", uniform(n, 2), n).ints("rng", 1, 2, 3, 4);
        assertSums(trial, 4);
        int kept = 0;
        for (float value : trial.run(freshOps()).get("x")) if (value != 0) kept++;
        double deviation = Math.sqrt(n * p * (1 - p));
        assertTrue(Math.abs(kept - n * (1 - p)) < 5 * deviation, kept + " of " + n);
    }

    @ParameterizedTest
    @CsvSource({"0,4,3,F32", "1,1,1,F32", "5,3,7,BF16", "64,100,33,F16", "257,31,64,F32"})
    default void gatherCopiesRows(int rows, int vocab, int width, DType dtype) {
        assertExact(new Trial((ops, t) -> ops.gatherRows(t.get("y"), t.get("table"), t.get("ids")))
                .output("y", rows, width).input("table", dtype, uniform(vocab * width, 1), vocab, width)
                .ints("ids", ids(rows, vocab, 2)));
    }

    @ParameterizedTest
    @CsvSource({"0,4,3", "1,1,1", "5,3,7", "64,100,33", "257,5,64"})
    default void scatterAddsRepeatedRows(int rows, int vocab, int width) {
        assertSums(new Trial((ops, t) -> ops.scatterAddRows(t.get("dTable"), t.get("dy"), t.get("ids")))
                .inout("dTable", uniform(vocab * width, 1), vocab, width)
                .input("dy", uniform(rows * width, 2), rows, width)
                .ints("ids", ids(rows, vocab, 3)), rows + 1);
    }

    @Test
    default void scatterLeavesOutRowsWithoutAnId() {
        int[] ids = ids(20, 4, 3);
        for (int i = 0; i < ids.length; i += 3) ids[i] = -1;
        assertSums(new Trial((ops, t) -> ops.scatterAddRows(t.get("dTable"), t.get("dy"), t.get("ids")))
                .inout("dTable", uniform(4 * 7, 1), 4, 7).input("dy", uniform(20 * 7, 2), 20, 7).ints("ids", ids), 21);
    }

    @Test
    default void lookupsSpreadNaN() {
        new Trial((ops, t) -> {
            ops.gatherRows(t.get("y"), t.get("table"), t.get("ids"));
            ops.scatterAddRows(t.get("dTable"), t.get("dy"), t.get("ids"));
        }).output("y", 4, 3).input("table", uniform(15, 1), 5, 3).inout("dTable", uniform(15, 2), 5, 3)
                .input("dy", uniform(12, 3), 4, 3).ints("ids", 2, 0, 2, 4).spreadsNaN(this::freshOps);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 5, Integer.MAX_VALUE})
    default void idsOutsideTheTableAreRefused(int id) {
        Assumptions.assumeTrue(seesIds(), "ids are on the device");
        try (TensorOps ops = freshOps()) {
            Tensor ids = ops.allocate("ids", DType.I32, Shape.of(1));
            ops.write(ids, new int[] {id});
            Tensor table = ops.allocate("table", DType.F32, Shape.of(5, 2));
            Tensor row = ops.allocate("row", DType.F32, Shape.of(1, 2));
            assertThrows(IndexOutOfBoundsException.class, () -> ops.gatherRows(row, table, ids));
        }
    }
}
