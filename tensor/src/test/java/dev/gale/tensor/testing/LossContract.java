package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.ids;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static dev.gale.tensor.testing.Trials.times;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.ops.CrossEntropySpec;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// `linearCrossEntropy`, `sumSquares`, `clipFactor`, `adamW`.
public interface LossContract extends Trials {

    private static int[] targets(int rows, int vocab) {
        int[] targets = ids(rows, vocab, 3);
        for (int i = 0; i < rows; i++) if (i % 5 == 1) targets[i] = CrossEntropySpec.IGNORE;
        return targets;
    }

    private static Trial crossEntropy(int rows, int vocab, int width, DType dtype, CrossEntropySpec spec) {
        return new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), t.get("tokenLoss"), t.get("dx"),
                t.get("dw"), t.get("x"), t.get("w"), t.get("targets"), spec))
                .inout("stats", new float[] {3, 2}, 2).output("tokenLoss", rows).output("dx", rows, width)
                .inout("dw", uniform(vocab * width, 4), vocab, width).input("x", uniform(rows * width, 1), rows, width)
                .input("w", dtype, uniform(vocab * width, 2), vocab, width).ints("targets", targets(rows, vocab));
    }

    @ParameterizedTest(name = "{0} rows, {1} x {2} {3}, chunks of {4}, scale {5}, softcap {6}")
    @CsvSource({"0,5,4,F32,8,1,0", "1,1,1,F32,1,1,0", "3,7,5,F32,2,1,0", "17,33,64,BF16,4,1,0", "17,33,64,F16,16,0.5,0",
        "40,1000,33,F32,7,1,0", "33,257,129,BF16,64,1,2", "12,65,16,F32,5,3,1.5"})
    default void crossEntropyMatches(int rows, int vocab, int width, DType dtype, int chunk, float scale,
            float softcap) {
        CrossEntropySpec spec = new CrossEntropySpec(chunk, scale, softcap);
        CrossEntropyBounds bounds = new CrossEntropyBounds(uniform(rows * width, 1), uniform(vocab * width, 2),
                uniform(vocab * width, 4), targets(rows, vocab), spec);
        compare(crossEntropy(rows, vocab, width, dtype, spec)).within("tokenLoss", bounds.tokenLoss())
                .within("stats", bounds.stats()).within("dx", bounds.dx()).within("dw", bounds.dw());
    }

    /// The gradient of some rows of the head, in whatever order, is that part of the gradient of all.
    @ParameterizedTest(name = "{0} rows, {1} x {2} {3}, chunks of {4}")
    @CsvSource({"0,5,4,F32,8", "3,7,5,F32,2", "17,33,64,BF16,4", "33,257,129,F16,64"})
    default void crossEntropyTakesTheGradientOfSomeRows(int rows, int vocab, int width, DType dtype, int chunk) {
        CrossEntropySpec spec = new CrossEntropySpec(chunk, 0.5f, 1.5f);
        int[] chosen = {vocab - 1, 0, vocab / 2};
        CrossEntropyBounds bounds = new CrossEntropyBounds(uniform(rows * width, 1), uniform(vocab * width, 2),
                uniform(vocab * width, 4), targets(rows, vocab), spec);
        float[] before = uniform(vocab * width, 4);
        float[] some = new float[3 * width];
        double[] bound = new double[3 * width];
        for (int i = 0; i < some.length; i++) {
            some[i] = before[chosen[i / width] * width + i % width];
            bound[i] = bounds.dw()[chosen[i / width] * width + i % width];
        }
        Trial trial = new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), null, t.get("dx"), t.get("dw"), t.get("x"),
                t.get("w"), t.get("targets"), spec.ofRows(t.get("rows"))))
                .inout("stats", new float[] {3, 2}, 2).output("dx", rows, width).inout("dw", some, 3, width)
                .input("x", uniform(rows * width, 1), rows, width).input("w", dtype, uniform(vocab * width, 2), vocab, width)
                .ints("targets", targets(rows, vocab)).ints("rows", chosen);
        float[] all = crossEntropy(rows, vocab, width, dtype, spec).reference().get("dw");
        Comparison made = compare(trial).within("stats", bounds.stats()).within("dx", bounds.dx()).within("dw", bound);
        float[] got = made.got().get("dw");
        for (int i = 0; i < got.length; i++) {
            double want = all[chosen[i / width] * width + i % width];
            assertTrue(Math.abs(want - got[i]) <= bound[i] + 2 * ULP, "row " + chosen[i / width] + ": " + want + ", " + got[i]);
        }
    }

    /// Columns [from, to) of a matrix.
    private static float[] columns(float[] matrix, int width, int from, int to) {
        int rows = matrix.length / width;
        float[] part = new float[rows * (to - from)];
        for (int i = 0; i < part.length; i++) part[i] = matrix[i / (to - from) * width + from + i % (to - from)];
        return part;
    }

    private static double[] columns(double[] matrix, int width, int from, int to) {
        int rows = matrix.length / width;
        double[] part = new double[rows * (to - from)];
        for (int i = 0; i < part.length; i++) part[i] = matrix[i / (to - from) * width + from + i % (to - from)];
        return part;
    }

    /// A bias is one more column of the weight, for an input of 1.
    @ParameterizedTest(name = "{0} rows, {1} x {2}, chunks of {3}, softcap {4}")
    @CsvSource({"0,5,4,8,0", "3,7,5,2,0", "17,33,64,4,1.5", "40,300,33,7,0"})
    default void crossEntropyWithABiasMatches(int rows, int vocab, int width, int chunk, float softcap) {
        CrossEntropySpec spec = new CrossEntropySpec(chunk, 1f, softcap);
        int all = width + 1;
        float[] x = uniform(rows * all, 1);
        float[] w = uniform(vocab * all, 2);
        float[] before = uniform(vocab * all, 4);
        for (int r = 0; r < rows; r++) x[r * all + width] = 1;
        CrossEntropyBounds bounds = new CrossEntropyBounds(x, w, before, targets(rows, vocab), spec);
        compare(new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), t.get("tokenLoss"), t.get("dx"), t.get("dw"),
                t.get("dBias"), t.get("x"), t.get("w"), t.get("bias"), t.get("targets"), t.get("scale"), spec))
                .inout("stats", new float[] {3, 2}, 2).output("tokenLoss", rows).output("dx", rows, width)
                .inout("dw", columns(before, all, 0, width), vocab, width)
                .inout("dBias", columns(before, all, width, all), vocab)
                .input("x", columns(x, all, 0, width), rows, width).input("w", columns(w, all, 0, width), vocab, width)
                .input("bias", columns(w, all, width, all), vocab)
                .input("scale", new float[] {0.5f}, 1).ints("targets", targets(rows, vocab)))
                .within("tokenLoss", bounds.tokenLoss()).within("stats", bounds.stats())
                .within("dx", columns(bounds.dx(), all, 0, width)).within("dw", columns(bounds.dw(), all, 0, width))
                .within("dBias", columns(bounds.dw(), all, width, all));
    }

    @Test
    default void crossEntropyLeavesOutWhatIsNotAskedFor() {
        CrossEntropySpec spec = CrossEntropySpec.chunked(3);
        Trial.Outputs all = crossEntropy(7, 11, 5, DType.F32, spec).run(freshOps());
        Trial.Outputs some = new Trial((ops, t) -> {
            ops.linearCrossEntropy(t.get("stats"), null, null, null, t.get("x"), t.get("w"), t.get("targets"), spec);
            ops.linearCrossEntropy(t.get("stats2"), null, t.get("dx"), null, t.get("x"), t.get("w"), t.get("targets"),
                    spec);
            ops.linearCrossEntropy(t.get("stats3"), null, null, t.get("dw"), t.get("x"), t.get("w"), t.get("targets"),
                    spec);
        }).inout("stats", new float[] {3, 2}, 2).inout("stats2", new float[] {3, 2}, 2)
                .inout("stats3", new float[] {3, 2}, 2)
                .output("dx", 7, 5).inout("dw", uniform(55, 4), 11, 5).input("x", uniform(35, 1), 7, 5)
                .input("w", uniform(55, 2), 11, 5).ints("targets", targets(7, 11)).run(freshOps());
        for (String name : new String[] {"stats", "dx", "dw"}) {
            TensorAssert.assertEqual(name, all.get(name), some.get(name));
        }
        TensorAssert.assertEqual("stats", all.get("stats"), some.get("stats2"));
        TensorAssert.assertEqual("stats", all.get("stats"), some.get("stats3"));
    }

    /// A power of two changes no other bit, whatever was in dw before.
    @Test
    default void crossEntropyMultipliesItsGradients() {
        CrossEntropySpec spec = new CrossEntropySpec(4, 0.5f, 2);
        Trial.Outputs plain = scaledGradients(1, spec).run(freshOps());
        Trial.Outputs scaled = scaledGradients(1024, spec).run(freshOps());
        for (String name : new String[] {"dx", "dw"}) {
            float[] want = plain.get(name).clone();
            for (int i = 0; i < want.length; i++) want[i] *= 1024;
            TensorAssert.assertEqual(name, want, scaled.get(name));
        }
        TensorAssert.assertEqual("stats", plain.get("stats"), scaled.get("stats"));
        TensorAssert.assertEqual("tokenLoss", plain.get("tokenLoss"), scaled.get("tokenLoss"));
    }

    private static Trial scaledGradients(float scale, CrossEntropySpec spec) {
        return new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), t.get("tokenLoss"), t.get("dx"), t.get("dw"),
                t.get("x"), t.get("w"), t.get("targets"), t.get("scale"), spec)).inout("stats", new float[2], 2)
                .output("tokenLoss", 9).output("dx", 9, 5).inout("dw", new float[55], 11, 5).input("x", uniform(45, 1), 9, 5)
                .input("w", uniform(55, 2), 11, 5).ints("targets", targets(9, 11)).input("scale", new float[] {scale}, 1);
    }

    @Test
    default void crossEntropyOfIgnoredRowsIsNothingEvenWithNaN() {
        CrossEntropySpec spec = CrossEntropySpec.chunked(4);
        Trial trial = crossEntropy(7, 11, 5, DType.F32, spec);
        trial.spreadsNaN(this::freshOps);
        Trial poisoned = trial.with("x", 5, Float.NaN);                      // row 1 is ignored
        Trial.Outputs want = trial.run(freshOps());
        Trial.Outputs got = poisoned.run(freshOps());
        want.byName().forEach((name, values) -> TensorAssert.assertEqual(name, values, got.get(name)));
    }

    /// The first of equal largest logits is the guess; logits far beyond the range of exp are fine.
    @Test
    default void crossEntropyBreaksTiesTowardsTheFirstAndIsStable() {
        Trial trial = new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), t.get("tokenLoss"), t.get("dx"),
                null, t.get("x"), t.get("w"), t.get("targets"), CrossEntropySpec.chunked(2)))
                .inout("stats", new float[2], 2).output("tokenLoss", 4).output("dx", 4, 1)
                .input("x", new float[] {1, 1, 1000, -1000}, 4, 1).input("w", new float[] {-1, 1, 1}, 3, 1)
                .ints("targets", 1, 2, 0, 0);
        compare(trial).relative("stats", 4 * ULP).within("tokenLoss", times(8 * ULP, trial.reference().get("tokenLoss")))
                .within("dx", new double[] {4 * ULP, 4 * ULP, 4 * ULP, 4 * ULP});
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 11, -101})
    default void targetsOutsideTheVocabularyAreRefused(int target) {
        Assumptions.assumeTrue(seesIds(), "targets are on the device");
        Trial trial = new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), null, null, null, t.get("x"),
                t.get("w"), t.get("targets"), CrossEntropySpec.chunked(2)))
                .inout("stats", new float[2], 2).input("x", uniform(5, 1), 1, 5).input("w", uniform(55, 2), 11, 5)
                .ints("targets", target);
        org.junit.jupiter.api.Assertions.assertThrows(IndexOutOfBoundsException.class, () -> trial.run(freshOps()));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7, 64, 1000, 40_001})
    default void sumSquaresAccumulates(int n) {
        assertSums(new Trial((ops, t) -> ops.sumSquares(t.get("sum"), t.get("x")))
                .inout("sum", new float[] {0.5f}, 1).input("x", uniform(n, 1), n), n + 2);
    }

    @ParameterizedTest
    @CsvSource({"4,2,1", "400,2,1", "400,2,0", "400,2,-1", "0,3,1", "1e30,1000,0.5"})
    default void clipFactorMatches(float sumSquares, float tokens, float maxNorm) {
        compare(clip(sumSquares, tokens, maxNorm)).relative("out", 8 * ULP);
    }

    private static Trial clip(float sumSquares, float tokens, float maxNorm) {
        return new Trial((ops, t) -> ops.clipFactor(t.get("out"), t.get("sum"), t.get("tokens"), maxNorm))
                .output("out", 2)
                .input("sum", new float[] {sumSquares}, 1).input("tokens", new float[] {tokens}, 1);
    }

    private static Trial adamW(int n, float weightDecay) {
        float[] v = uniform(n, 4);
        for (int i = 0; i < n; i++) v[i] = v[i] * v[i] * 1e-3f;
        float[] hyper = {1e-3f, 0.9f, 0.999f, 1e-8f, weightDecay, 1 - (float) Math.pow(0.9, 3),
                1 - (float) Math.pow(0.999, 3)};
        return new Trial((ops, t) ->
                ops.adamW(t.get("param"), t.get("grad"), t.get("m"), t.get("v"), t.get("hyper"), t.get("factor")))
                .inout("param", uniform(n, 1), n).input("grad", uniform(n, 2), n)
                .inout("m", Fixtures.normal(n, 0.01, 3), n)
                .inout("v", v, n).input("hyper", hyper, 7).input("factor", new float[] {0.05f, 7f}, 2);
    }

    @ParameterizedTest
    @CsvSource({"0,0", "1,0.1", "7,0", "64,0.01", "1000,0.1", "4097,0"})
    default void adamWMatches(int n, float weightDecay) {
        Trial trial = adamW(n, weightDecay);
        float[] magnitudeOfM = trial.ofMagnitudes().reference().get("m");
        Comparison comparison = compare(trial);
        float[] v = comparison.want().get("v");
        float[] param = comparison.want().get("param");
        double[] bounds = new double[n];
        for (int i = 0; i < n; i++) {
            double step = 1e-3 / 0.271 * magnitudeOfM[i] / (Math.sqrt(v[i] / 0.002997) + 1e-8);
            bounds[i] = 3 * ULP * (Math.abs(param[i]) + step) + 16 * ULP * step;
        }
        comparison.within("m", times(4 * ULP, magnitudeOfM)).relative("v", 5 * ULP).within("param", bounds);
    }

    @Test
    default void optimizerSpreadsNaN() {
        adamW(9, 0.1f).spreadsNaN(this::freshOps);
        clip(4, 2, 1).spreadsNaN(this::freshOps);
        new Trial((ops, t) -> ops.sumSquares(t.get("sum"), t.get("x"))).inout("sum", new float[1], 1)
                .input("x", uniform(70, 1), 70).spreadsNaN(this::freshOps);
    }
}
