package dev.gale.tensor.testing;

import static dev.gale.tensor.DType.F16;
import static dev.gale.tensor.testing.Fixtures.uniform;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Every operation of a layer with activations and their gradients in F16: computed as in F32 and rounded once, infinite
/// where F16 ends.
public interface HalfContract extends Trials {
    double HALF_ULP = 0x1p-10;           // two roundings of nearly the same number differ by at most one unit
    double LEAST_HALF = 0x1p-24;
    int ROWS = 21;
    int COLS = 36;
    int N = ROWS * COLS;

    /// @param sum of ULPs of the largest element that F32 arithmetic may cost
    default void assertHalf(Trial trial, int sum) {
        Trial.Outputs want = trial.reference();
        Trial.Outputs got = trial.runTwice(this::freshOps);
        want.byName().forEach((name, values) -> {
            double largest = 0;
            for (float value : values) largest = Math.max(largest, Float.isInfinite(value) ? 0 : Math.abs(value));
            double[] bounds = new double[values.length];
            boolean half = trial.dtype(name) == F16;
            for (int i = 0; i < bounds.length; i++) {
                bounds[i] = sum * ULP * largest + (half ? HALF_ULP * Math.abs((double) values[i]) + LEAST_HALF : 0);
            }
            TensorAssert.assertClose(name, values, got.get(name), bounds);
        });
    }

    @Test
    default void halvesAreAddedAndDropped() {
        assertHalf(new Trial((ops, t) -> {
            ops.add(t.get("y"), t.get("a"), t.get("b"));
            ops.addScaled(t.get("c"), t.get("a"), 0.3f);
            ops.columnSum(t.get("sums"), t.get("a"));
            ops.dropout(t.get("dropped"), t.get("b"), 0.25f, t.get("rng"), 9, true);
            ops.sumSquares(t.get("squares"), t.get("b"));
        }).output("y", F16, ROWS, COLS).input("a", F16, uniform(N, 1), ROWS, COLS).input("b", F16, uniform(N, 2), ROWS, COLS)
                .inout("c", F16, uniform(N, 3), ROWS, COLS).inout("sums", new float[COLS], COLS).ints("rng", 42, -7, 3, 1)
                .inout("dropped", F16, uniform(N, 4), ROWS, COLS).inout("squares", new float[1], 1), ROWS + 4);
    }

    @Test
    default void halvesOverflowToInfinityAndVanishToZero() {
        Trial trial = new Trial((ops, t) -> {
            ops.add(t.get("sum"), t.get("large"), t.get("large"));
            ops.addScaled(t.get("small"), t.get("less"), 0.49f);
        }).output("sum", F16, 3).input("large", F16, new float[] {40000, -40000, 30000}, 3)
                .inout("small", F16, new float[3], 3).input("less", F16, new float[] {0x1p-24f, 0x1p-23f, 0x1p-14f}, 3);
        compare(trial).exact("sum").exact("small");
        TensorAssert.assertEqual("sum", new float[] {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 60000},
                trial.reference().get("sum"));
        TensorAssert.assertEqual("small", new float[] {0, 0x1p-24f, 502 * 0x1p-24f}, trial.reference().get("small"));
    }

    @Test
    default void halvesAreLookedUp() {
        assertHalf(new Trial((ops, t) -> {
            ops.gatherRows(t.get("y"), t.get("table"), t.get("ids"));
            ops.scatterAddRows(t.get("dTable"), t.get("dy"), t.get("ids"));
        }).output("y", F16, 4, COLS).input("table", uniform(ROWS * COLS, 1), ROWS, COLS).ints("ids", 2, 20, 2, 0)
                .inout("dTable", uniform(N, 2), ROWS, COLS).input("dy", F16, uniform(4 * COLS, 3), 4, COLS), 4);
    }

    private static LowRank side(Map<String, Tensor> t) {
        return new LowRank(t.get("x"), t.get("a"), t.get("b"), t.get("low"), 1.5f);
    }

    @ParameterizedTest(name = "weights in {0}")
    @CsvSource({"F16", "F32", "BF16"})
    default void linearLayersOfHalves(DType weight) {
        Assumptions.assumeTrue(makesHalves(), "products are F32 here");
        int out = 52;
        int r = 8;
        assertHalf(new Trial((ops, t) -> {
            ops.linearForward(t.get("plain"), t.get("x"), t.get("w"), null, null, null);
            ops.linearForward(t.get("y"), t.get("x"), t.get("w"), t.get("bias"), t.get("residual"), side(t));
        }).output("plain", F16, ROWS, out).output("y", F16, ROWS, out).output("low", ROWS, r)
                .input("x", F16, uniform(N, 1), ROWS, COLS).input("w", weight, uniform(out * COLS, 2), out, COLS)
                .input("bias", weight, uniform(out, 3), out).input("residual", F16, uniform(ROWS * out, 4), ROWS, out)
                .input("a", uniform(r * COLS, 5), r, COLS).input("b", uniform(out * r, 6), out, r), COLS + r);
        assertHalf(new Trial((ops, t) -> {
            ops.linearBackward(t.get("plain"), false, t.get("dy"), t.get("w"), null, null);
            ops.linearBackward(t.get("dx"), true, t.get("dy"), t.get("w"), side(t),
                    new LowRankGrads(t.get("dA"), t.get("dB"), t.get("dLow"), null));
        }).output("plain", F16, ROWS, COLS).inout("dx", F16, uniform(N, 1), ROWS, COLS).output("dLow", ROWS, r)
                .inout("dA", uniform(r * COLS, 2), r, COLS).inout("dB", uniform(out * r, 3), out, r)
                .input("dy", F16, uniform(ROWS * out, 4), ROWS, out).input("w", weight, uniform(out * COLS, 5), out, COLS)
                .input("x", F16, uniform(N, 6), ROWS, COLS).input("a", uniform(r * COLS, 7), r, COLS)
                .input("b", uniform(out * r, 8), out, r).input("low", uniform(ROWS * r, 9), ROWS, r), out + ROWS + r);
    }

    @Test
    default void halvesAreScaledByColumns() {
        assertHalf(new Trial((ops, t) -> {
            ops.columnScaleForward(t.get("y"), t.get("x"), t.get("magnitude"), t.get("norm"), null, t.get("residual"));
            ops.columnScaleBackward(t.get("dx"), t.get("dMagnitude"), t.get("dy"), t.get("x"), t.get("magnitude"),
                    t.get("norm"));
        }).output("y", F16, ROWS, COLS).output("dx", F16, ROWS, COLS).inout("dMagnitude", new float[COLS], COLS)
                .input("x", F16, uniform(N, 1), ROWS, COLS).input("residual", F16, uniform(N, 2), ROWS, COLS)
                .input("dy", F16, uniform(N, 3), ROWS, COLS).input("magnitude", uniform(COLS, 4), COLS)
                .input("norm", Fixtures.positive(COLS, 5), COLS), ROWS + 8);
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    default void layersBetweenProductsTakeHalves(Activation activation) {
        AttentionSpec spec = new AttentionSpec(3, 3, 12, 1f, 0f);
        assertHalf(new Trial((ops, t) -> {
            ops.rmsNormForward(t.get("normed"), t.get("rstd"), t.get("x"), t.get("w"), 1e-5f);
            ops.rmsNormBackward(t.get("dx"), true, t.get("dw"), t.get("dy"), t.get("x"), t.get("w"), t.get("rstd"));
            ops.gluForward(t.get("glu"), t.get("x"), t.get("dy"), activation);
            ops.gluBackward(t.get("dGate"), t.get("dUp"), t.get("dy"), t.get("x"), t.get("w2"), activation);
            ops.rope(t.get("q"), t.get("k"), t.get("cos"), t.get("sin"), t.get("positions"), spec, true);
        }).input("x", F16, uniform(N, 1), ROWS, COLS).input("dy", F16, uniform(N, 2), ROWS, COLS)
                .input("w", F16, uniform(COLS, 3), COLS).input("w2", F16, uniform(N, 4), ROWS, COLS)
                .output("normed", F16, ROWS, COLS).output("rstd", ROWS).inout("dx", F16, uniform(N, 5), ROWS, COLS)
                .inout("dw", new float[COLS], COLS).output("glu", F16, ROWS, COLS).output("dGate", F16, ROWS, COLS)
                .output("dUp", F16, ROWS, COLS).inout("q", F16, uniform(N, 6), ROWS, COLS)
                .inout("k", F16, uniform(N, 7), ROWS, COLS).input("cos", uniform(ROWS * 6, 8), ROWS, 6)
                .input("sin", uniform(ROWS * 6, 9), ROWS, 6).ints("positions", Fixtures.ids(ROWS, ROWS, 10)), ROWS + 24);
    }

    @ParameterizedTest(name = "heads of {0}, softcap {1}")
    @CsvSource({"12,0", "64,3"})
    default void attentionOfHalves(int dims, float softcap) {
        AttentionSpec spec = new AttentionSpec(2, 1, dims, (float) (1 / Math.sqrt(dims)), softcap);
        int width = 2 * dims;
        int[] start = new int[ROWS];
        int[] stop = new int[ROWS];
        for (int i = 0; i < ROWS; i++) {
            start[i] = i < 9 ? 0 : 9;
            stop[i] = i + 1;
        }
        Trial forward = new Trial((ops, t) -> ops.attentionForward(t.get("o"), t.get("lse"), t.get("q"), t.get("k"), t.get("v"),
                t.get("start"), t.get("stop"), spec)).output("o", F16, ROWS, width).output("lse", 2, ROWS);
        assertHalf(operands(forward, dims, start, stop), dims + ROWS);
        Trial.Outputs made = forward.reference();
        Trial backward = new Trial((ops, t) -> ops.attentionBackward(t.get("dq"), t.get("dk"), t.get("dv"), t.get("dO"),
                t.get("q"), t.get("k"), t.get("v"), t.get("o"), t.get("lse"), t.get("start"), t.get("stop"), spec))
                .output("dq", F16, ROWS, width).output("dk", F16, ROWS, dims).output("dv", F16, ROWS, dims)
                .input("dO", F16, uniform(ROWS * width, 4), ROWS, width).input("o", F16, made.get("o"), ROWS, width)
                .input("lse", made.get("lse"), 2, ROWS);
        assertHalf(operands(backward, dims, start, stop), 4 * (dims + ROWS));
    }

    private static Trial operands(Trial trial, int dims, int[] start, int[] stop) {
        return trial.input("q", F16, uniform(ROWS * 2 * dims, 1), ROWS, 2 * dims)
                .input("k", F16, uniform(ROWS * dims, 2), ROWS, dims)
                .input("v", F16, uniform(ROWS * dims, 3), ROWS, dims).ints("start", start).ints("stop", stop);
    }

    /// Unscaled, the gradient of a row that is nearly right would be rounded to 0 or to a handful of units.
    @ParameterizedTest(name = "gradients times {0}")
    @CsvSource({"1", "4096"})
    default void headAndLossOfHalves(float gradScale) {
        int vocab = 44;
        int[] targets = Fixtures.ids(ROWS, vocab, 3);
        targets[4] = CrossEntropySpec.IGNORE;
        assertHalf(new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), t.get("loss"), t.get("dx"), t.get("dw"),
                t.get("x"), t.get("w"), t.get("targets"), t.get("scale"), CrossEntropySpec.chunked(8)))
                .inout("stats", new float[2], 2).output("loss", ROWS).output("dx", F16, ROWS, COLS)
                .inout("dw", new float[vocab * COLS], vocab, COLS).input("x", F16, uniform(N, 1), ROWS, COLS)
                .input("w", F16, uniform(vocab * COLS, 2), vocab, COLS).ints("targets", targets)
                .input("scale", new float[] {gradScale}, 1), vocab + COLS);
    }
}
