package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.uniform;

import dev.gale.tensor.DType;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.Tensor;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// `matmul`, `linearForward`, `linearBackward`.
public interface MatrixContract extends Trials {

    private static Trial matmul(int m, int n, int k, boolean transposeA, boolean transposeB, DType dtype,
            boolean accumulate) {
        Trial trial = new Trial((ops, t) ->
                ops.matmul(t.get("c"), t.get("a"), transposeA, t.get("b"), transposeB, 0.7f, accumulate))
                .input("a", uniform(m * k, 1), transposeA ? k : m, transposeA ? m : k)
                .input("b", dtype, uniform(k * n, 2), transposeB ? n : k, transposeB ? k : n);
        return accumulate ? trial.inout("c", uniform(m * n, 3), m, n) : trial.output("c", m, n);
    }

    @ParameterizedTest(name = "m={0} n={1} k={2}")
    @CsvSource({"0,3,2", "3,0,2", "3,2,0", "1,1,1", "1,5,3", "3,1,7", "5,7,1", "2,3,4", "16,16,16", "17,33,9",
            "64,64,64", "1,96,64", "7,100,300", "129,65,257"})
    default void matmulTakesEveryTranspose(int m, int n, int k) {
        for (int form = 0; form < 8; form++) {
            assertSums(matmul(m, n, k, (form & 1) != 0, (form & 2) != 0, DType.F32, (form & 4) != 0), k + 4);
        }
    }

    @ParameterizedTest
    @CsvSource({"1,1,1,BF16", "1,96,64,BF16", "5,7,33,BF16", "129,65,257,BF16", "1,96,64,F16", "5,7,33,F16",
            "33,65,129,F16"})
    default void matmulTakesHalfPrecisionWeights(int m, int n, int k, DType dtype) {
        for (int form = 0; form < 4; form++) assertSums(matmul(m, n, k, false, form % 2 == 0, dtype, form > 1), k + 4);
    }

    /// As the products of a weight and an adapter's down projection.
    @ParameterizedTest
    @CsvSource({"37,3,1024,BF16", "130,16,1100,BF16", "20,17,1050,F16", "20,17,1050,F32"})
    default void matmulTakesTallWeightsAndFewDeepRows(int m, int n, int k, DType dtype) {
        for (boolean accumulate : new boolean[] {false, true}) {
            Trial trial = new Trial((ops, t) -> ops.matmul(t.get("c"), t.get("w"), false, t.get("a"), true, 0.7f, accumulate))
                    .input("w", dtype, uniform(m * k, 1), m, k).input("a", uniform(n * k, 2), n, k);
            assertSums(accumulate ? trial.inout("c", uniform(m * n, 3), m, n) : trial.output("c", m, n), k + 4);
        }
    }

    @Test
    default void matmulSpreadsNaNAlongRowsAndColumnsOnly() {
        for (int form = 0; form < 4; form++) {
            matmul(6, 5, 7, form % 2 == 0, form > 1, DType.F32, true).spreadsNaN(this::freshOps);
        }
    }

    /// What stands in rows that a call shares with others must not change a row's sums: a batch equals its parts.
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8, 30})
    default void rowsOfAProductDoNotDependOnTheOthers(int part) {
        int m = 37;
        int n = 70;
        int k = 130;
        float[] a = uniform(m * k, 1);
        float[] whole = matmul(m, n, k, false, true, DType.F32, false).run(freshOps()).get("c");
        Trial some = new Trial((ops, t) -> ops.matmul(t.get("c"), t.get("a"), false, t.get("b"), true, 0.7f, false))
                .input("a", Arrays.copyOfRange(a, 2 * k, (2 + part) * k), part, k)
                .input("b", uniform(k * n, 2), n, k).output("c", part, n);
        TensorAssert.assertEqual("c", Arrays.copyOfRange(whole, 2 * n, (2 + part) * n),
                some.run(freshOps()).get("c"));
    }

    /// The operands of a linear layer with everything; `parts` says which of bias, residual and side are used.
    private static Trial linear(int m, int in, int out, int r, DType dtype, boolean extras, boolean side) {
        Trial trial = new Trial((ops, t) -> ops.linearForward(t.get("y"), t.get("x"), t.get("w"), t.get("bias"),
                t.get("residual"), side ? sideOf(t) : null))
                .output("y", m, out).input("x", uniform(m * in, 1), m, in)
                .input("w", dtype, uniform(out * in, 2), out, in);
        if (extras) trial.input("bias", uniform(out, 3), out).input("residual", uniform(m * out, 4), m, out);
        if (side) {
            trial.input("input", uniform(m * in, 5), m, in).input("a", uniform(r * in, 6), r, in)
                    .input("b", uniform(out * r, 7), out, r).output("low", m, r);
        }
        return trial;
    }

    private static LowRank sideOf(Map<String, Tensor> t) {
        return new LowRank(t.getOrDefault("input", t.get("x")), t.get("a"), t.get("b"), t.get("low"), 1.5f);
    }

    @ParameterizedTest(name = "m={0} in={1} out={2} r={3} {4}")
    @CsvSource({"0,4,3,2,F32", "1,1,1,1,F32", "3,5,7,2,F32", "16,64,32,8,BF16", "33,129,65,16,F16", "130,96,257,3,BF16",
        "1,576,192,16,BF16"})
    default void linearForwardAddsItsParts(int m, int in, int out, int r, DType dtype) {
        for (int form = 0; form < 4; form++) {
            assertSums(linear(m, in, out, r, dtype, (form & 1) != 0, (form & 2) != 0), in + r + 8);
        }
    }

    @Test
    default void linearForwardSpreadsNaN() {
        linear(3, 5, 7, 2, DType.F32, true, true).spreadsNaN(this::freshOps);
        sideAlone(3, 5, 7, 2, DType.F32).spreadsNaN(this::freshOps);
    }

    /// Without y, and once more without anything to make.
    private static Trial sideAlone(int m, int in, int out, int r, DType dtype) {
        return new Trial((ops, t) -> {
            ops.linearForward(null, t.get("x"), t.get("w"), null, null, sideOf(t));
            ops.linearForward(null, t.get("x"), t.get("w"), null, null, null);
        }).input("x", uniform(m * in, 1), m, in).input("w", dtype, uniform(out * in, 2), out, in)
                .input("input", uniform(m * in, 5), m, in).input("a", uniform(r * in, 6), r, in)
                .input("b", uniform(out * r, 7), out, r).output("low", m, r);
    }

    @ParameterizedTest(name = "m={0} in={1} out={2} r={3} {4}")
    @CsvSource({"0,4,3,2,F32", "1,1,1,1,F32", "3,5,7,2,F32", "33,129,65,16,F16", "130,96,257,3,BF16"})
    default void linearForwardWithoutYMakesTheSameLow(int m, int in, int out, int r, DType dtype) {
        Trial alone = sideAlone(m, in, out, r, dtype);
        assertSums(alone, in + 4);
        TensorAssert.assertEqual("low", linear(m, in, out, r, dtype, false, true).run(freshOps()).get("low"),
                alone.run(freshOps()).get("low"));
    }

    private static Trial backward(int m, int in, int out, int r, DType dtype, boolean accumulate, boolean ownInput) {
        Trial trial = new Trial((ops, t) -> backward(ops, t, accumulate))
                .input("dy", uniform(m * out, 1), m, out).input("w", dtype, uniform(out * in, 2), out, in)
                .input("x", uniform(m * in, 5), m, in);
        if (accumulate) trial.inout("dx", uniform(m * in, 4), m, in);
        else trial.output("dx", m, in);
        if (r == 0) return trial;
        trial.input("a", uniform(r * in, 6), r, in).input("b", uniform(out * r, 7), out, r)
                .input("low", uniform(m * r, 8), m, r).inout("dA", uniform(r * in, 9), r, in)
                .inout("dB", uniform(out * r, 10), out, r).output("dLow", m, r);
        return ownInput ? trial.output("dInput", m, in) : trial;
    }

    private static void backward(TensorOps ops, Map<String, Tensor> t, boolean accumulate) {
        LowRank side = t.containsKey("a") ? sideOf(t) : null;
        LowRankGrads grads = side == null ? null
                : new LowRankGrads(t.get("dA"), t.get("dB"), t.get("dLow"), t.get("dInput"));
        ops.linearBackward(t.get("dx"), accumulate, t.get("dy"), t.get("w"), side, grads);
    }

    @ParameterizedTest(name = "m={0} in={1} out={2} r={3} {4}")
    @CsvSource({"0,4,3,2,F32", "1,1,1,1,F32", "3,5,7,2,F32", "16,64,32,8,BF16", "33,129,65,16,F16",
            "130,96,257,3,BF16"})
    default void linearBackwardSharesTheGradient(int m, int in, int out, int r, DType dtype) {
        for (int form = 0; form < 4; form++) {
            assertSums(backward(m, in, out, r, dtype, (form & 1) != 0, (form & 2) != 0), out + r + m + 8);
            assertSums(backward(m, in, out, 0, dtype, (form & 1) != 0, false), out + 4);
        }
    }

    @Test
    default void linearBackwardSpreadsNaN() {
        backward(3, 5, 7, 2, DType.F32, true, false).spreadsNaN(this::freshOps);
        backward(3, 5, 7, 2, DType.F32, false, true).spreadsNaN(this::freshOps);
    }

    @Test
    default void gradientsThatNobodyWantsAreNotNeeded() {
        Trial trial = new Trial((ops, t) -> ops.linearBackward(null, false, t.get("dy"), t.get("w"), sideOf(t),
                new LowRankGrads(null, t.get("dB"), t.get("dLow"), null)))
                .input("dy", uniform(3 * 7, 1), 3, 7).input("w", uniform(7 * 5, 2), 7, 5)
                .input("x", uniform(15, 3), 3, 5)
                .input("a", uniform(10, 6), 2, 5).input("b", uniform(14, 7), 7, 2).input("low", uniform(6, 8), 3, 2)
                .inout("dB", uniform(14, 10), 7, 2).output("dLow", 3, 2);
        assertSums(trial, 7 + 3 + 8);
    }
}
