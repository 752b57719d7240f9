package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.ids;
import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static dev.gale.tensor.testing.Trials.times;

import dev.gale.tensor.DType;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// `rmsNormForward`, `rmsNormBackward`, `rope`, `gluForward`, `gluBackward`.
public interface LayerContract extends Trials {
    float EPS = 1e-5f;

    private static Trial rmsNorm(int rows, int cols, DType dtype, double scale) {
        return new Trial((ops, t) -> ops.rmsNormForward(t.get("y"), t.get("rstd"), t.get("x"), t.get("w"), EPS))
                .output("y", rows, cols).output("rstd", rows)
                .input("x", normal(rows * cols, scale, 1), rows, cols).input("w", dtype, uniform(cols, 2), cols);
    }

    @ParameterizedTest(name = "[{0}, {1}] {2} {3}")
    @CsvSource({"0,8,F32,1", "1,1,F32,1", "3,5,F32,1", "2,128,BF16,1", "7,257,F16,1", "33,4096,F32,1", "5,64,F32,1000",
        "5,64,F32,1e-3", "4,31,F32,0"})
    default void rmsNormForwardIsRelativelyExact(int rows, int cols, DType dtype, double scale) {
        double bound = (cols + 6) * ULP;              // a positive sum, then mean, eps, root, reciprocal, two products
        compare(rmsNorm(rows, cols, dtype, scale)).relative("rstd", bound).relative("y", bound);
    }

    private static Trial rmsNormBackward(int rows, int cols, DType dtype, boolean accumulate) {
        Trial trial = new Trial((ops, t) -> ops.rmsNormBackward(t.get("dx"), accumulate, t.get("dw"), t.get("dy"),
                t.get("x"), t.get("w"), t.get("rstd"))).inout("dw", uniform(cols, 3), cols)
                .input("dy", uniform(rows * cols, 4), rows, cols).input("x", uniform(rows * cols, 5), rows, cols)
                .input("w", dtype, uniform(cols, 6), cols).input("rstd", rstd(rows), rows);
        return accumulate ? trial.inout("dx", uniform(rows * cols, 7), rows, cols) : trial.output("dx", rows, cols);
    }

    private static float[] rstd(int rows) {
        float[] values = uniform(rows, 8);
        for (int i = 0; i < rows; i++) values[i] += 1.5f;
        return values;
    }

    /// Sum of magnitudes of `rstd (g - xhat mean(g xhat))`, and of what dx held before.
    private static double[] rmsNormBackwardBounds(int rows, int cols, boolean accumulate) {
        float[] dy = uniform(rows * cols, 4);
        float[] x = uniform(rows * cols, 5);
        float[] w = uniform(cols, 6);
        float[] rstd = rstd(rows);
        float[] before = uniform(rows * cols, 7);
        double[] bounds = new double[rows * cols];
        for (int r = 0; r < rows; r++) {
            double mean = 0;
            for (int i = r * cols; i < (r + 1) * cols; i++) {
                mean += Math.abs((double) dy[i] * w[i - r * cols] * x[i]) * rstd[r] / cols;
            }
            for (int i = r * cols; i < (r + 1) * cols; i++) {
                double magnitude = rstd[r] * (Math.abs(dy[i] * w[i - r * cols]) + Math.abs(x[i]) * rstd[r] * mean);
                bounds[i] = (cols + 8) * ULP * (magnitude + (accumulate ? Math.abs(before[i]) : 0)) * 1.01;
            }
        }
        return bounds;                                // 1.01: w is rounded to its dtype after these were computed
    }

    @ParameterizedTest(name = "[{0}, {1}] {2}")
    @CsvSource({"0,8,F32", "1,1,F32", "3,5,F32", "2,128,BF16", "7,257,F16", "33,4096,F32", "130,31,F32"})
    default void rmsNormBackwardMatches(int rows, int cols, DType dtype) {
        for (boolean accumulate : new boolean[] {false, true}) {
            Trial trial = rmsNormBackward(rows, cols, dtype, accumulate);
            compare(trial).within("dx", rmsNormBackwardBounds(rows, cols, accumulate))
                    .within("dw", times((rows + 4) * ULP, trial.ofMagnitudes().reference().get("dw")));
        }
    }

    @Test
    default void rmsNormBackwardMayReplaceItsUpstreamGradientAndLeaveOutEitherResult() {
        int rows = 9;
        int cols = 70;
        Trial trial = new Trial((ops, t) -> {
            ops.rmsNormBackward(null, false, t.get("dw"), t.get("dy"), t.get("x"), t.get("w"), t.get("rstd"));
            ops.rmsNormBackward(t.get("dx"), false, null, t.get("dy"), t.get("x"), t.get("w"), t.get("rstd"));
            ops.rmsNormBackward(t.get("dy"), false, t.get("dw2"), t.get("dy"), t.get("x"), t.get("w"), t.get("rstd"));
        }).inout("dw", uniform(cols, 3), cols).inout("dw2", uniform(cols, 3), cols).output("dx", rows, cols)
                .inout("dy", uniform(rows * cols, 4), rows, cols).input("x", uniform(rows * cols, 5), rows, cols)
                .input("w", uniform(cols, 6), cols).input("rstd", rstd(rows), rows);
        double[] dw = times((rows + 4) * ULP, trial.ofMagnitudes().reference().get("dw"));
        double[] dx = rmsNormBackwardBounds(rows, cols, false);
        compare(trial).within("dw", dw).within("dw2", dw).within("dx", dx).within("dy", dx);
    }

    @Test
    default void rmsNormSpreadsNaNAlongItsRow() {
        rmsNorm(3, 9, DType.F32, 1).spreadsNaN(this::freshOps);
        rmsNormBackward(3, 9, DType.F32, false).spreadsNaN(this::freshOps);
    }

    private static Trial rope(int rows, int heads, int kvHeads, int headDim, int half, boolean transpose) {
        AttentionSpec spec = new AttentionSpec(heads, kvHeads, headDim, 1f, 0f);
        int positions = 2 * rows + 1;
        return new Trial((ops, t) ->
                ops.rope(t.get("q"), t.get("k"), t.get("cos"), t.get("sin"), t.get("positions"), spec, transpose))
                .inout("q", uniform(rows * heads * headDim, 1), rows, heads * headDim)
                .inout("k", uniform(rows * kvHeads * headDim, 2), rows, kvHeads * headDim)
                .input("cos", uniform(positions * half, 3), positions, half)
                .input("sin", uniform(positions * half, 4), positions, half)
                .ints("positions", ids(rows, positions, 5));
    }

    @ParameterizedTest(name = "{0} rows, {1}/{2} heads of {3}, half {4}, transpose {5}")
    @CsvSource({"0,1,1,2,1,false", "1,1,1,2,1,false", "5,3,1,6,3,true", "33,4,2,64,32,false", "33,4,2,64,32,true",
        "7,2,2,80,16,false", "7,2,1,5,2,true", "130,9,3,64,32,false"})
    default void ropeRotatesPairsInPlace(int rows, int heads, int kvHeads, int headDim, int half, boolean transpose) {
        Trial trial = rope(rows, heads, kvHeads, headDim, half, transpose);
        Trial.Outputs turned = rope(rows, heads, kvHeads, headDim, half, false).ofMagnitudes().reference();
        Trial.Outputs turnedBack = rope(rows, heads, kvHeads, headDim, half, true).ofMagnitudes().reference();
        Comparison comparison = compare(trial);
        for (String name : new String[] {"q", "k"}) {
            double[] one = times(3 * ULP, turned.get(name));  // one half of each pair has |a cos| + |b sin| here,
            double[] other = times(3 * ULP, turnedBack.get(name));   // the other half there
            for (int i = 0; i < one.length; i++) one[i] = Math.max(one[i], other[i]);
            comparison.within(name, one);
        }
    }

    @Test
    default void ropeTakesEitherOperandAlone() {
        AttentionSpec spec = new AttentionSpec(2, 1, 8, 1f, 0f);
        Trial both = rope(6, 2, 1, 8, 4, false);
        Trial apart = new Trial((ops, t) -> {
            ops.rope(t.get("q"), null, t.get("cos"), t.get("sin"), t.get("positions"), spec, false);
            ops.rope(null, t.get("k"), t.get("cos"), t.get("sin"), t.get("positions"), spec, false);
        }).inout("q", uniform(96, 1), 6, 16).inout("k", uniform(48, 2), 6, 8).input("cos", uniform(52, 3), 13, 4)
                .input("sin", uniform(52, 4), 13, 4).ints("positions", ids(6, 13, 5));
        Trial.Outputs want = both.run(freshOps());
        Trial.Outputs got = apart.run(freshOps());
        TensorAssert.assertEqual("q", want.get("q"), got.get("q"));
        TensorAssert.assertEqual("k", want.get("k"), got.get("k"));
    }

    @Test
    default void ropeSpreadsNaNWithinItsPair() {
        rope(5, 2, 1, 7, 3, false).spreadsNaN(this::freshOps);
    }

    /// Both signs, zero, where functions saturate, and where exponentials leave the range of F32.
    private static float[] gates(int n) {
        float[] edges = {0f, -0f, 1f, -1f, 5f, -5f, 9f, -9f, 17f, -17f, 40f, -40f, 88.5f, -88.5f, 104f, -104f, 1e4f,
                -1e4f, 1e-6f, -1e-6f, 1e-30f};
        float[] values = normal(n, 2, 1);
        for (int i = 0; i < Math.min(n / 2, edges.length); i++) values[i] = edges[i];
        return values;
    }

    /// Terms of one element: exponential, division, polynomial and products each keep a few ulps of their result.
    /// For SILU and SIGMOID everything is a product, so the bound is relative to the result; GELU's `1 + erf` and `1 + tanh`
    /// cancel for negative gates, so there it is relative to `|gate|`.
    int GATE_TERMS = 16;

    private static double[] gluBounds(Activation activation, float[] gate, float[] factor, float[] want) {
        double[] bounds = new double[gate.length];
        for (int i = 0; i < bounds.length; i++) {
            double magnitude = activation == Activation.SILU || activation == Activation.SIGMOID
                    ? Math.abs(want[i]) : Math.abs(gate[i] * (double) factor[i]);
            bounds[i] = Math.max(GATE_TERMS * ULP * magnitude, Float.MIN_NORMAL);
        }
        return bounds;
    }

    private static float[] product(float[] a, float[] b) {
        float[] product = new float[a.length];
        for (int i = 0; i < a.length; i++) product[i] = a[i] * b[i];
        return product;
    }

    /// The slopes are sums of terms up to 1 and up to |gate| times a density that is below 1 / (1 + |gate|).
    private static double[] slopeBounds(float[] factor) {
        double[] bounds = times(2 * GATE_TERMS * ULP, factor);
        for (int i = 0; i < bounds.length; i++) bounds[i] = Math.max(bounds[i], Float.MIN_NORMAL);
        return bounds;
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    default void gluMatchesBothWays(Activation activation) {
        for (int n : new int[] {0, 1, 7, 64, 1000, 4097}) {
            float[] gate = gates(n);
            float[] up = uniform(n, 2);
            float[] dy = uniform(n, 3);
            Comparison forward = compare(new Trial((ops, t) ->
                    ops.gluForward(t.get("y"), t.get("gate"), t.get("up"), activation))
                    .output("y", n).input("gate", gate, n).input("up", up, n));
            forward.within("y", gluBounds(activation, gate, up, forward.want().get("y")));
            Comparison backward = compare(new Trial((ops, t) ->
                    ops.gluBackward(t.get("dGate"), t.get("dUp"), t.get("dy"), t.get("gate"), t.get("up"), activation))
                    .output("dGate", n).output("dUp", n).input("dy", dy, n).input("gate", gate, n).input("up", up, n));
            backward.within("dUp", gluBounds(activation, gate, dy, backward.want().get("dUp")))
                    .within("dGate", slopeBounds(product(dy, up)));
        }
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    default void gluBackwardMayBeInPlace(Activation activation) {
        int n = 133;
        float[] gate = gates(n);
        float[] up = uniform(n, 2);
        float[] dy = uniform(n, 3);
        Trial trial = new Trial((ops, t) -> {
            ops.gluBackward(t.get("dGate"), t.get("dy"), t.get("dy"), t.get("gate"), t.get("up"), activation);
            ops.gluBackward(t.get("gate2"), t.get("up2"), t.get("dy2"), t.get("gate2"), t.get("up2"), activation);
        }).output("dGate", n).inout("dy", dy, n).input("gate", gate, n).input("up", up, n)
                .inout("gate2", gate, n).inout("up2", up, n).input("dy2", dy, n);
        Comparison comparison = compare(trial);
        double[] dUp = gluBounds(activation, gate, dy, comparison.want().get("dy"));
        double[] dGate = slopeBounds(product(dy, up));
        comparison.within("dy", dUp).within("up2", dUp).within("dGate", dGate).within("gate2", dGate);
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    default void gluSpreadsNaN(Activation activation) {
        new Trial((ops, t) -> {
            ops.gluForward(t.get("y"), t.get("gate"), t.get("up"), activation);
            ops.gluBackward(t.get("dGate"), t.get("dUp"), t.get("dy"), t.get("gate"), t.get("up"), activation);
        }).output("y", 19).output("dGate", 19).output("dUp", 19).input("dy", uniform(19, 3), 19)
                .input("gate", uniform(19, 1), 19).input("up", uniform(19, 2), 19).spreadsNaN(this::freshOps);
    }
}
