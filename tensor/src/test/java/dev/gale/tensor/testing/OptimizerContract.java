package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static dev.gale.tensor.testing.Trials.times;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The F32 updates of `OptimizerOps`.
public interface OptimizerContract extends Trials {
    float FACTOR = 0.05f;

    private static Trial common(Trial.Operation operation, float[] hyper, int... dims) {
        int n = 1;
        for (int dim : dims) n *= dim;
        return new Trial(operation).inout("param", uniform(n, 1), dims).input("grad", uniform(n, 2), dims)
                .input("hyper", hyper, hyper.length).input("factor", new float[] {FACTOR, 7f}, 2);
    }

    /// Second moments as an optimizer has them: positive, of many sizes.
    private static float[] squares(int n, long seed) {
        float[] v = uniform(n, seed);
        for (int i = 0; i < n; i++) v[i] = v[i] * v[i] * 1e-3f + 1e-9f;
        return v;
    }

    private static Trial lion(int n, float weightDecay) {
        float[] hyper = {1e-3f, 0.9f, 0.99f, weightDecay};
        return common((ops, t) -> ops.lion(t.get("param"), t.get("grad"), t.get("m"), t.get("hyper"), t.get("factor")),
                hyper, n).inout("m", normal(n, 0.01, 3), n);
    }

    @ParameterizedTest
    @CsvSource({"0,0", "1,0.1", "7,0", "64,0.01", "1000,0.1", "4097,0"})
    default void lionMatches(int n, float weightDecay) {
        Trial trial = lion(n, weightDecay);
        float[] magnitudes = trial.ofMagnitudes().reference().get("m");
        Comparison comparison = compare(trial);
        double[] bounds = times(3 * ULP, comparison.want().get("param"));
        for (int i = 0; i < n; i++) bounds[i] += 3 * ULP * 1e-3;
        comparison.within("m", times(4 * ULP, magnitudes)).within("param", bounds);
    }

    /// A sum that is 0 moves nothing.
    @Test
    default void lionOfNothingOnlyDecays() {
        Trial trial = new Trial((ops, t) ->
                ops.lion(t.get("param"), t.get("grad"), t.get("m"), t.get("hyper"), t.get("factor")))
                .inout("param", new float[] {2, 2, 2}, 3).input("grad", new float[] {0, 1, -1}, 3)
                .inout("m", new float[3], 3).input("hyper", new float[] {0.5f, 0.9f, 0.99f, 0.5f}, 4)
                .input("factor", new float[] {1}, 1);
        TensorAssert.assertEqual("param", new float[] {1.5f, 1, 2}, trial.run(freshOps()).get("param"));
    }

    private static Trial sgd(int n, float momentum, float weightDecay) {
        Trial trial = common((ops, t) -> ops.sgd(t.get("param"), t.get("grad"), t.get("m"), t.get("hyper"),
                t.get("factor")), new float[] {1e-2f, momentum, weightDecay}, n);
        return momentum == 0 ? trial : trial.inout("m", normal(n, 0.01, 3), n);
    }

    @ParameterizedTest
    @CsvSource({"0,0,0", "1,0.9,0.1", "7,0,0", "64,0.9,0", "1000,0,0.1", "4097,0.9,0.01"})
    default void sgdMatches(int n, float momentum, float weightDecay) {
        Trial trial = sgd(n, momentum, weightDecay);
        Comparison comparison = compare(trial);
        float[] param = uniform(n, 1);
        float[] grad = uniform(n, 2);
        float[] m = normal(n, 0.01, 3);
        double[] ofM = new double[n];
        double[] ofParam = new double[n];
        for (int i = 0; i < n; i++) {
            double sum = Math.abs(FACTOR * grad[i]) + weightDecay * Math.abs(param[i]) + momentum * Math.abs(m[i]);
            ofM[i] = 4 * ULP * sum;
            ofParam[i] = 2 * ULP * Math.abs(param[i]) + 5 * ULP * 1e-2 * sum;
        }
        comparison.within("param", ofParam);
        if (momentum != 0) comparison.within("m", ofM);
    }

    private static Trial scheduleFree(int n, float weightDecay, float c) {
        float[] hyper = {1e-3f, 0.9f, 0.999f, 1e-8f, weightDecay, c, 1 - (float) Math.pow(0.999, 3)};
        return common((ops, t) -> ops.scheduleFreeAdamW(t.get("param"), t.get("grad"), t.get("z"), t.get("v"),
                t.get("hyper"), t.get("factor")), hyper, n).inout("z", uniform(n, 4), n).inout("v", squares(n, 5), n);
    }

    @ParameterizedTest
    @CsvSource({"0,0,0.5", "1,0.1,1", "7,0,0.25", "64,0.01,0.3", "1000,0.1,0.001", "4097,0,0.1"})
    default void scheduleFreeAdamWMatches(int n, float weightDecay, float c) {
        Comparison comparison = compare(scheduleFree(n, weightDecay, c));
        float[] v = comparison.want().get("v");
        float[] y = uniform(n, 1);
        float[] grad = uniform(n, 2);
        float[] z = uniform(n, 4);
        double[] ofY = new double[n];
        double[] ofZ = new double[n];
        for (int i = 0; i < n; i++) {
            double change = 1e-3 * (Math.abs(FACTOR * grad[i]) / Math.sqrt(v[i] / 0.002997) + weightDecay * Math.abs(y[i]));
            ofZ[i] = 2 * ULP * Math.abs(z[i]) + 12 * ULP * change;
            ofY[i] = 2 * ULP * Math.abs(y[i]) + 4 * ULP * c * (Math.abs(z[i]) + Math.abs(y[i])) + 14 * ULP * change;
        }
        comparison.relative("v", 5 * ULP).within("z", ofZ).within("param", ofY);
    }

    private static Trial adafactor(int rows, int cols, float clip, boolean matrix) {
        float[] hyper = {1e-2f, 0.6f, 1e-30f, clip, 0.1f};
        int[] dims = matrix ? new int[] {rows, cols} : new int[] {cols};
        Trial trial = common((ops, t) -> ops.adafactor(t.get("param"), t.get("grad"), t.get("rows"), t.get("cols"),
                t.get("hyper"), t.get("factor")), hyper, dims);
        if (!matrix) return trial.inout("rows", squares(cols, 3), cols);
        return trial.inout("rows", squares(rows, 3), rows).inout("cols", squares(cols, 4), cols);
    }

    /// A mean of n positive terms is off by n roundings at most; u has the root of three of them, and so has its own mean.
    private void adafactorMatches(Trial trial, int rows, int cols, float clip) {
        Comparison comparison = compare(trial);
        double terms = rows + cols + 16;
        float[] before = uniform(rows * cols, 1);
        float[] after = comparison.want().get("param");
        double[] bounds = new double[after.length];
        for (int i = 0; i < after.length; i++) {
            double change = Math.abs(after[i] - before[i] * (1 - 1e-2 * 0.1f)) + ULP * Math.abs(before[i]);
            bounds[i] = 3 * ULP * Math.abs(before[i]) + 3 * terms * ULP * change;
        }
        comparison.relative("rows", (cols + 8) * ULP).within("param", bounds);
        if (trial.has("cols")) comparison.relative("cols", (rows + 8) * ULP);
    }

    @ParameterizedTest
    @CsvSource({"1,1,1", "3,7,1", "64,32,0.01", "33,257,1000", "300,40,1"})
    default void adafactorMatchesForMatrices(int rows, int cols, float clip) {
        adafactorMatches(adafactor(rows, cols, clip, true), rows, cols, clip);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "7,0.01", "1000,1000", "5001,1"})
    default void adafactorMatchesForVectors(int n, float clip) {
        adafactorMatches(adafactor(1, n, clip, false), 1, n, clip);
    }

    @Test
    default void updatesSpreadNaN() {
        lion(9, 0.1f).spreadsNaN(this::freshOps);
        sgd(9, 0.9f, 0.1f).spreadsNaN(this::freshOps);
        sgd(9, 0, 0.1f).spreadsNaN(this::freshOps);
        scheduleFree(9, 0.1f, 0.5f).spreadsNaN(this::freshOps);
        adafactor(3, 5, 1, true).spreadsNaN(this::freshOps);
        adafactor(1, 5, 1, false).spreadsNaN(this::freshOps);
    }
}
