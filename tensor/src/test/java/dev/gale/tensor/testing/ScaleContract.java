package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.uniform;
import static dev.gale.tensor.testing.Trials.times;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.DType;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `rowNorm`, `columnScaleForward`, `columnScaleBackward`.
public interface ScaleContract extends Trials {

    /// In [1.5, 2.5) and longer than what is added to it.
    private static float[] lengths(int n, int seed) {
        float[] values = uniform(n, seed);
        for (int i = 0; i < n; i++) values[i] = 2 + values[i] / 2;
        return values;
    }

    private static Trial rowNorm(int n, int r, DType dtype, boolean based, boolean squared) {
        Trial trial = new Trial((ops, t) ->
                ops.rowNorm(t.get("norm"), t.get("base"), t.get("b"), t.get("cross"), t.get("gram"), 0.7f))
                .output("norm", n).input("b", dtype, based ? uniform(n * r, 1) : lengths(n * r, 1), n, r)
                .input("cross", dtype, based ? scaled(uniform(n * r, 2), r) : lengths(n * r, 2), n, r);
        if (based) trial.input("base", lengths(n, 3), n);
        return squared ? trial.input("gram", scaled(uniform(r * r, 4), r * r), r, r) : trial;
    }

    private static float[] scaled(float[] values, int by) {
        for (int i = 0; i < values.length; i++) values[i] /= by;
        return values;
    }

    @ParameterizedTest(name = "[{0}, {1}] {2}")
    @CsvSource({"0,4,F32", "1,1,F32", "3,5,F32", "16,16,BF16", "130,33,F32", "7,8,F16", "5,1030,F32"})
    default void rowNormAddsItsParts(int n, int r, DType dtype) {
        for (int form = 0; form < 4; form++) {
            boolean squared = (form & 2) != 0 && r < 100;
            Trial trial = rowNorm(n, r, dtype, (form & 1) != 0, squared);
            float[] want = trial.reference().get("norm");
            float[] most = trial.ofMagnitudes().reference().get("norm");
            double terms = 2 * r + 8 + (squared ? 2 * r : 0);       // of a square, of which half goes into its root
            compare(trial).within("norm", IntStream.range(0, n)
                    .mapToDouble(i -> terms * ULP * most[i] * most[i] / want[i]).toArray());
        }
    }

    @Test
    default void rowNormOfAMatrixIsThatOfItsRows() {
        Trial trial = new Trial((ops, t) -> ops.rowNorm(t.get("norm"), null, t.get("w"), t.get("w"), null, 0.5f))
                .output("norm", 3).input("w", new float[] {3, 4, 0, 0, -5, 12}, 3, 2);
        float[] norms = trial.runTwice(this::freshOps).get("norm");
        assertEquals(5, norms[0], 5 * ULP);
        assertEquals(1e-19, norms[1], 1e-20);
        assertEquals(13, norms[2], 13 * ULP);
        rowNorm(3, 5, DType.F32, true, true).spreadsNaN(this::freshOps);
    }

    private static Trial forward(int rows, int cols, DType dtype, boolean bias, boolean residual) {
        Trial trial = new Trial((ops, t) -> ops.columnScaleForward(t.get("y"), t.get("x"), t.get("magnitude"), t.get("norm"),
                t.get("bias"), t.get("residual"))).output("y", rows, cols)
                .input("x", dtype, uniform(rows * cols, 1), rows, cols).input("magnitude", uniform(cols, 2), cols)
                .input("norm", lengths(cols, 3), cols);
        if (bias) trial.input("bias", dtype, uniform(cols, 4), cols);
        return residual ? trial.input("residual", uniform(rows * cols, 5), rows, cols) : trial;
    }

    @ParameterizedTest(name = "[{0}, {1}] {2}")
    @CsvSource({"0,8,F32", "1,1,F32", "3,5,F32", "2,128,BF16", "33,2050,F32", "130,31,F32"})
    default void columnScaleForwardAddsItsParts(int rows, int cols, DType dtype) {
        for (int form = 0; form < 4; form++) assertSums(forward(rows, cols, dtype, (form & 1) != 0, (form & 2) != 0), 5);
    }

    @Test
    default void columnScaleForwardMayReplaceWhatItReads() {
        Trial trial = new Trial((ops, t) -> {
            ops.columnScaleForward(t.get("x"), t.get("x"), t.get("magnitude"), t.get("norm"), null, null);
            ops.columnScaleForward(t.get("rest"), t.get("z"), t.get("magnitude"), t.get("norm"), null, t.get("rest"));
        }).inout("x", uniform(5 * 70, 1), 5, 70).inout("rest", uniform(5 * 70, 5), 5, 70)
                .input("z", uniform(5 * 70, 6), 5, 70).input("magnitude", uniform(70, 2), 70)
                .input("norm", lengths(70, 3), 70);
        assertSums(trial, 5);
        forward(3, 9, DType.F32, true, true).spreadsNaN(this::freshOps);
    }

    private static Trial backward(int rows, int cols) {
        return new Trial((ops, t) -> ops.columnScaleBackward(t.get("dx"), t.get("dMagnitude"), t.get("dy"), t.get("x"),
                t.get("magnitude"), t.get("norm"))).output("dx", rows, cols)
                .inout("dMagnitude", uniform(cols, 6), cols).input("dy", uniform(rows * cols, 4), rows, cols)
                .input("x", uniform(rows * cols, 1), rows, cols).input("magnitude", uniform(cols, 2), cols)
                .input("norm", lengths(cols, 3), cols);
    }

    @ParameterizedTest(name = "[{0}, {1}]")
    @CsvSource({"0,8", "1,1", "3,5", "33,2050", "130,31"})
    default void columnScaleBackwardMatches(int rows, int cols) {
        assertSums(backward(rows, cols), rows + 4);
    }

    @Test
    default void columnScaleBackwardMayReplaceItsUpstreamGradientAndLeaveOutEitherResult() {
        Trial trial = new Trial((ops, t) -> {
            ops.columnScaleBackward(null, t.get("one"), t.get("dy"), t.get("x"), t.get("magnitude"), t.get("norm"));
            ops.columnScaleBackward(t.get("dx"), null, t.get("dy"), null, t.get("magnitude"), t.get("norm"));
            ops.columnScaleBackward(t.get("dy"), t.get("two"), t.get("dy"), t.get("x"), t.get("magnitude"), t.get("norm"));
        }).output("dx", 9, 70).inout("one", uniform(70, 6), 70).inout("two", uniform(70, 7), 70)
                .inout("dy", uniform(9 * 70, 4), 9, 70).input("x", uniform(9 * 70, 1), 9, 70)
                .input("magnitude", uniform(70, 2), 70).input("norm", lengths(70, 3), 70);
        Trial.Outputs magnitudes = trial.ofMagnitudes().reference();
        Comparison comparison = compare(trial);
        for (String name : magnitudes.byName().keySet()) comparison.within(name, times(13 * ULP, magnitudes.get(name)));
        backward(3, 9).spreadsNaN(this::freshOps);
    }
}
