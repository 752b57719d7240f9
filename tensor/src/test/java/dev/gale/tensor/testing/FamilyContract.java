package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.ids;
import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static dev.gale.tensor.testing.Trials.times;
import static java.util.Arrays.fill;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Columns;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// What families other than Llama need: `scale`, `copyColumns`, LayerNorm, and the other forms of RMSNorm, rope and glu.
public interface FamilyContract extends Trials {

    @ParameterizedTest
    @CsvSource({"0,2", "1,0.5", "7,-3", "1000,0.3", "4097,11.5"})
    default void scaleIsRoundedOnce(int n, float factor) {
        assertExact(new Trial((ops, t) -> {
            ops.scale(t.get("y"), t.get("x"), factor, 0f);
            ops.scale(t.get("z"), t.get("z"), factor, 0f);
        }).output("y", n).input("x", uniform(n, 1), n).inout("z", uniform(n, 2), n));
    }

    /// tanh and two products keep a few ulps of the result, the argument's rounding one more of what it was.
    @ParameterizedTest
    @CsvSource({"7,1,50", "1000,0.25,30", "4097,8,5"})
    default void scaleCaps(int n, float factor, float cap) {
        Trial trial = new Trial((ops, t) -> ops.scale(t.get("y"), t.get("x"), factor, cap))
                .output("y", n).input("x", normal(n, 20, 1), n);
        compare(trial).relative("y", 12 * ULP);
        trial.spreadsNaN(this::freshOps);
    }

    @ParameterizedTest(name = "{0} rows, {1} blocks of {2}: {3}+{4} of {5} to {6}+{7} of {8}")
    @CsvSource({"3,1,5,2,0,9,1,0,7", "0,1,4,0,0,4,0,0,4", "7,4,16,8,24,104,0,24,96", "5,3,70,0,0,70,2,71,220",
        "9,6,64,1,65,400,3,0,70", "130,2,1,0,2,5,1,3,8", "2,1,600,5,0,700,9,0,640"})
    default void copyColumnsMovesRepeatsAndSums(int rows, int blocks, int width, int from, int fromStep, int srcCols, int to,
                                                int toStep, int dstCols) {
        Columns columns = new Columns(blocks, width, from, fromStep, to, toStep);
        for (boolean accumulate : new boolean[] {false, true}) {
            Trial trial = new Trial((ops, t) -> ops.copyColumns(t.get("dst"), t.get("src"), columns, accumulate))
                    .inout("dst", uniform(rows * dstCols, 1), rows, dstCols)
                    .input("src", uniform(rows * srcCols, 2), rows, srcCols);
            if (toStep != 0 && !accumulate) assertExact(trial);
            else assertSums(trial, blocks + 1);
            trial.spreadsNaN(this::freshOps);
        }
    }

    @Test
    default void columnsThatOverlapAreNone() {
        assertThrows(IllegalArgumentException.class, () -> new Columns(2, 4, 0, 4, 0, 3));
        assertThrows(IllegalArgumentException.class, () -> new Columns(0, 4, 0, 4, 0, 4));
        assertThrows(IllegalArgumentException.class, () -> new Columns(1, 4, -1, 4, 0, 4));
        assertEquals(new Columns(2, 4, 1, 5, 0, 8), new Columns(2, 4, 0, 8, 1, 5).reversed());
    }

    /// The shift makes weights larger than their bounds know, by at most 1 of `1 + |w|`.
    @ParameterizedTest(name = "[{0}, {1} x {2}] {3}")
    @CsvSource({"0,1,8,F32", "3,2,5,F32", "2,4,128,BF16", "7,3,257,F16", "9,2,64,F32"})
    default void rmsNormTakesPartsOfRowsAndAShift(int rows, int parts, int width, DType dtype) {
        int n = rows * parts * width;
        Trial forward = new Trial((ops, t) -> ops.rmsNormForward(t.get("y"), t.get("rstd"), t.get("x"), t.get("w"), 1e-5f, 1f))
                .output("y", rows, parts * width).output("rstd", rows * parts)
                .input("x", normal(n, 1, 1), rows, parts * width).input("w", dtype, uniform(width, 2), width);
        compare(forward).relative("rstd", (width + 6) * ULP).within("y", times((width + 8) * ULP, forward.ofMagnitudes()
                .reference().get("y")));
        Trial plain = new Trial((ops, t) -> ops.rmsNormForward(t.get("y"), t.get("rstd"), t.get("x"), t.get("w"), 1e-5f))
                .output("y", rows, parts * width).output("rstd", rows * parts)
                .input("x", normal(n, 1, 1), rows, parts * width).input("w", dtype, uniform(width, 2), width);
        compare(plain).relative("y", (width + 6) * ULP);
        float[] rstd = uniform(rows * parts, 8);
        for (int i = 0; i < rstd.length; i++) rstd[i] += 1.5f;
        Trial backward = new Trial((ops, t) -> ops.rmsNormBackward(t.get("dx"), false, t.get("dw"), t.get("dy"), t.get("x"),
                t.get("w"), t.get("rstd"), 1f)).output("dx", rows, parts * width).inout("dw", uniform(width, 3), width)
                .input("dy", uniform(n, 4), rows, parts * width).input("x", uniform(n, 5), rows, parts * width)
                .input("w", dtype, uniform(width, 6), width).input("rstd", rstd, rows * parts);
        double[] bound = new double[n];
        fill(bound, (width + 8) * ULP * 2 * 2.5 * (1 + 2.5 * 2.5));      // |dy|, |x|, |w| <= 1, rstd <= 2.5
        compare(backward).within("dx", bound)
                .within("dw", times((rows * parts + 4) * ULP, backward.ofMagnitudes().reference().get("dw")));
    }

    private static Trial layerNorm(int rows, int cols, DType dtype) {
        return new Trial((ops, t) -> ops.layerNormForward(t.get("y"), t.get("mean"), t.get("rstd"), t.get("x"), t.get("w"),
                t.get("bias"), 1e-5f)).output("y", rows, cols).output("mean", rows).output("rstd", rows)
                .input("x", uniform(rows * cols, 1), rows, cols).input("w", dtype, uniform(cols, 2), cols)
                .input("bias", dtype, uniform(cols, 3), cols);
    }

    /// Elements are at most 1 in magnitude and the deviation of such rows above 1/4 but for short ones, so an error of the
    /// mean grows fourfold at most; those of rstd are relative.
    @ParameterizedTest(name = "[{0}, {1}] {2}")
    @CsvSource({"0,8,F32", "3,70,F32", "2,128,BF16", "7,257,F16", "33,1030,F32"})
    default void layerNormForwardMatches(int rows, int cols, DType dtype) {
        double[] y = new double[rows * cols];
        double[] mean = new double[rows];
        fill(y, 8 * (cols + 8) * ULP);
        fill(mean, cols * ULP);
        compare(layerNorm(rows, cols, dtype)).within("mean", mean).relative("rstd", 4 * (cols + 8) * ULP).within("y", y);
    }

    private static Trial layerNormBackward(int rows, int cols, boolean accumulate) {
        float[] rstd = uniform(rows, 8);
        for (int r = 0; r < rows; r++) rstd[r] += 1.5f;
        Trial trial = new Trial((ops, t) -> ops.layerNormBackward(t.get("dx"), accumulate, t.get("dw"), t.get("dBias"),
                t.get("dy"), t.get("x"), t.get("w"), t.get("mean"), t.get("rstd")))
                .inout("dw", uniform(cols, 3), cols).inout("dBias", uniform(cols, 2), cols)
                .input("dy", uniform(rows * cols, 4), rows, cols).input("x", uniform(rows * cols, 5), rows, cols)
                .input("w", uniform(cols, 6), cols).input("mean", uniform(rows, 9), rows).input("rstd", rstd, rows);
        return accumulate ? trial.inout("dx", uniform(rows * cols, 7), rows, cols) : trial.output("dx", rows, cols);
    }

    @ParameterizedTest(name = "[{0}, {1}]")
    @CsvSource({"0,8", "1,1", "3,5", "7,257", "130,31"})
    default void layerNormBackwardMatches(int rows, int cols) {
        for (boolean accumulate : new boolean[] {false, true}) {
            double[] dx = new double[rows * cols];
            double[] sums = new double[cols];
            fill(dx, (cols + 10) * ULP * 2.5 * (2 + 5 * 5));              // |xhat| <= 5, rstd <= 2.5
            fill(sums, (rows + 4) * ULP * (1 + 5 * rows));
            compare(layerNormBackward(rows, cols, accumulate)).within("dx", dx).within("dw", sums).within("dBias", sums);
        }
    }

    /// As rows of their own: the heads of attention.
    @Test
    default void layerNormOfPartsOfRowsEqualsThatOfRows() {
        int rows = 5;
        int parts = 3;
        int cols = 20;
        float[] x = uniform(rows * parts * cols, 1);
        float[] dy = uniform(rows * parts * cols, 2);
        Trial.Outputs whole = layerNormOf(x, dy, rows * parts, cols, cols);
        Trial.Outputs inParts = layerNormOf(x, dy, rows, parts * cols, cols);
        for (String name : List.of("y", "mean", "rstd", "dx", "dw", "dBias")) {
            TensorAssert.assertEqual(name, whole.get(name), inParts.get(name));
        }
    }

    private Trial.Outputs layerNormOf(float[] x, float[] dy, int rows, int cols, int width) {
        Trial trial = new Trial((ops, t) -> {
            ops.layerNormForward(t.get("y"), t.get("mean"), t.get("rstd"), t.get("x"), t.get("w"), t.get("bias"), 1e-5f);
            ops.layerNormBackward(t.get("dx"), false, t.get("dw"), t.get("dBias"), t.get("dy"), t.get("x"), t.get("w"),
                    t.get("mean"), t.get("rstd"));
        }).output("y", rows, cols).output("mean", x.length / width).output("rstd", x.length / width).output("dx", rows, cols)
                .inout("dw", uniform(width, 3), width).inout("dBias", uniform(width, 4), width).input("x", x, rows, cols)
                .input("dy", dy, rows, cols).input("w", uniform(width, 5), width).input("bias", uniform(width, 6), width);
        double[] bound = new double[x.length];
        fill(bound, 1e-3);
        double[] sums = new double[width];
        fill(sums, 1e-3);
        return compare(trial).within("y", bound).within("dx", bound).within("dw", sums).within("dBias", sums).got();
    }

    @Test
    default void layerNormBackwardMayReplaceItsUpstreamGradientAndLeaveOutResults() {
        int rows = 9;
        int cols = 70;
        float[] rstd = uniform(rows, 8);
        for (int r = 0; r < rows; r++) rstd[r] += 1.5f;
        Trial trial = new Trial((ops, t) -> {
            ops.layerNormBackward(null, false, t.get("dw"), null, t.get("dy"), t.get("x"), t.get("w"), t.get("mean"),
                    t.get("rstd"));
            ops.layerNormBackward(t.get("dx"), false, null, null, t.get("dy"), t.get("x"), t.get("w"), t.get("mean"),
                    t.get("rstd"));
            ops.layerNormBackward(t.get("dy"), false, t.get("dw2"), t.get("dBias"), t.get("dy"), t.get("x"), t.get("w"),
                    t.get("mean"), t.get("rstd"));
        }).inout("dw", uniform(cols, 3), cols).inout("dw2", uniform(cols, 3), cols).inout("dBias", uniform(cols, 2), cols)
                .output("dx", rows, cols).inout("dy", uniform(rows * cols, 4), rows, cols)
                .input("x", uniform(rows * cols, 5), rows, cols).input("w", uniform(cols, 6), cols)
                .input("mean", uniform(rows, 9), rows).input("rstd", rstd, rows);
        double[] dx = new double[rows * cols];
        double[] sums = new double[cols];
        fill(dx, (cols + 10) * ULP * 2.5 * 27);
        fill(sums, (rows + 4) * ULP * (1 + 5 * rows));
        Comparison comparison = compare(trial).within("dx", dx).within("dy", dx).within("dw", sums).within("dBias", sums);
        TensorAssert.assertEqual("dw", comparison.got().get("dw"), comparison.got().get("dw2"));
        TensorAssert.assertEqual("dx in place", comparison.got().get("dx"), comparison.got().get("dy"));
    }

    @Test
    default void layerNormSpreadsNaNAlongItsRow() {
        layerNorm(3, 9, DType.F32).spreadsNaN(this::freshOps);
        layerNormBackward(3, 9, false).spreadsNaN(this::freshOps);
    }

    @ParameterizedTest(name = "{0} rows, {1}/{2} heads of {3}, half {4}, transpose {5}")
    @CsvSource({"1,1,1,2,1,false", "5,3,1,6,3,true", "33,4,2,64,32,false", "7,2,2,80,16,true"})
    default void ropeTurnsNeighbours(int rows, int heads, int kvHeads, int headDim, int half, boolean transpose) {
        AttentionSpec spec = new AttentionSpec(heads, kvHeads, headDim, 1f, 0f, true);
        int positions = 2 * rows + 1;
        Trial trial = new Trial((ops, t) ->
                ops.rope(t.get("q"), t.get("k"), t.get("cos"), t.get("sin"), t.get("positions"), spec, transpose))
                .inout("q", uniform(rows * heads * headDim, 1), rows, heads * headDim)
                .inout("k", uniform(rows * kvHeads * headDim, 2), rows, kvHeads * headDim)
                .input("cos", uniform(positions * half, 3), positions, half)
                .input("sin", uniform(positions * half, 4), positions, half)
                .ints("positions", ids(rows, positions, 5));
        double[] q = new double[rows * heads * headDim];
        double[] k = new double[rows * kvHeads * headDim];
        fill(q, 6 * ULP);
        fill(k, 6 * ULP);
        compare(trial).within("q", q).within("k", k);
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    default void gluWithoutUpIsAnActivation(Activation activation) {
        for (int n : new int[] {0, 1, 7, 1000, 4097}) {
            float[] x = normal(n, 2, 1);
            Comparison forward = compare(new Trial((ops, t) -> ops.gluForward(t.get("y"), t.get("x"), null, activation))
                    .output("y", n).input("x", x, n));
            if (activation == Activation.SIGMOID) forward.relative("y", 16 * ULP);
            else forward.within("y", times(16 * ULP, x));
            float[] dy = uniform(n, 3);
            Comparison backward = compare(new Trial((ops, t) -> {
                ops.gluBackward(t.get("dx"), null, t.get("dy"), t.get("x"), null, activation);
                ops.gluBackward(t.get("dy2"), null, t.get("dy2"), t.get("x"), null, activation);
            }).output("dx", n).input("dy", dy, n).inout("dy2", dy, n).input("x", x, n));
            backward.within("dx", times(32 * ULP, dy)).within("dy2", times(32 * ULP, dy));
        }
    }

    @Test
    default void operandsOfFamiliesMustFit() {
        try (TensorOps ops = freshOps()) {
            ChecksContract.Refusals r = new ChecksContract.Refusals(ops);
            r.expect("scale", () -> ops.scale(r.f(2), r.f(3), 1, 0), () -> ops.scale(r.i(2), r.f(2), 1, 0));
            r.expect("copyColumns", () -> ops.copyColumns(r.f(2, 4), r.f(3, 4), Columns.range(2, 0, 0), false),
                    () -> ops.copyColumns(r.f(2, 4), r.f(2, 4), Columns.range(2, 3, 0), false),
                    () -> ops.copyColumns(r.f(2, 4), r.f(2, 4), Columns.range(2, 0, 3), false),
                    () -> ops.copyColumns(r.f(2, 4), r.i(2, 4), Columns.range(2, 0, 0), false));
            Tensor x = r.f(2, 3);
            r.expect("layerNormForward",
                    () -> ops.layerNormForward(r.f(2, 4), r.f(2), r.f(2), x, r.f(3), r.f(3), 0),
                    () -> ops.layerNormForward(r.f(2, 3), r.f(3), r.f(2), x, r.f(3), r.f(3), 0),
                    () -> ops.layerNormForward(r.f(2, 3), r.f(2), r.half(2), x, r.f(3), r.f(3), 0),
                    () -> ops.layerNormForward(r.f(2, 3), r.f(2), r.f(2), x, r.f(3), r.f(2), 0));
            r.expect("layerNormBackward",
                    () -> ops.layerNormBackward(r.f(2, 4), false, null, null, x, x, r.f(3), r.f(2), r.f(2)),
                    () -> ops.layerNormBackward(null, false, r.f(2), null, x, x, r.f(3), r.f(2), r.f(2)),
                    () -> ops.layerNormBackward(null, false, null, r.half(3), x, x, r.f(3), r.f(2), r.f(2)),
                    () -> ops.layerNormBackward(null, false, null, null, x, x, r.f(3), r.f(3), r.f(2)));
            r.expect("gluBackward", () -> ops.gluBackward(r.f(3), r.f(3), r.f(3), r.f(3), null, Activation.SILU));
            r.expect("rmsNormForward", () -> ops.rmsNormForward(r.f(2, 4), r.f(2), r.f(2, 4), r.f(2), 0, 1));
        }
    }
}
