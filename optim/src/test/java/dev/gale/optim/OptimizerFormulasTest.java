package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Dynamic8;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Every optimizer against its formula in doubles, written again here: five steps of a changing rate, with weight decay on
/// all but the vector.
class OptimizerFormulasTest {
    private static final int STEPS = 5;
    private static final double BETA1 = (float) 0.9;
    private static final double BETA2 = (float) 0.98;
    private static final double EPS = 1e-6;
    private static final OptimizerSettings SETTINGS = new OptimizerSettings(0.9, 0.98, EPS, 3, 5, OptimArgs.NONE,
            List.of("all-linear"));

    /// An update of one parameter. Writes: p and what it remembers.
    @FunctionalInterface
    interface Formula {
        void step(double[] p, double[] g, int t, double lr, double wd);
    }

    private static void assertFollows(String optim, OptimizerSettings settings, List<Integer> which, double tolerance,
            Supplier<Formula> formula) {
        for (TensorOps ops : List.of(new ReferenceOps(), new CpuOps(2))) {
            try (ops; Runs run = new Runs(ops, optim, settings)) {
                double[][] want = new double[run.parameters.size()][];
                Formula[] formulas = new Formula[want.length];
                for (int i : which) {
                    want[i] = doubles(run.value(i));
                    formulas[i] = formula.get();
                }
                for (int t = 1; t <= STEPS; t++) {
                    run.step(t);
                    for (int i : which) {
                        double[] g = doubles(Runs.gradient(run.parameters.get(i), t));
                        for (int e = 0; e < g.length; e++) g[e] *= Runs.FACTOR;
                        formulas[i].step(want[i], g, t, Runs.lr(t), i == 3 ? 0 : Runs.WEIGHT_DECAY);
                        assertNear("%s of %s on %s, step %d".formatted(run.parameters.get(i).name(), optim, ops.name(), t),
                                want[i], run.value(i), tolerance);
                    }
                }
            }
        }
    }

    private static double[] doubles(float[] floats) {
        double[] doubles = new double[floats.length];
        for (int i = 0; i < doubles.length; i++) doubles[i] = floats[i];
        return doubles;
    }

    private static void assertNear(String name, double[] want, float[] got, double tolerance) {
        for (int i = 0; i < want.length; i++) assertEquals(want[i], got[i], tolerance, name + "[" + i + "]");
    }

    private static Formula adamW(boolean decayLast) {
        double[][] moments = new double[2][];
        return (p, g, t, lr, wd) -> {
            for (int k = 0; k < 2; k++) if (moments[k] == null) moments[k] = new double[p.length];
            for (int i = 0; i < p.length; i++) {
                double m = moments[0][i] = BETA1 * moments[0][i] + (1 - BETA1) * g[i];
                double v = moments[1][i] = BETA2 * moments[1][i] + (1 - BETA2) * g[i] * g[i];
                double change = lr * m / (1 - Math.pow(BETA1, t)) / (Math.sqrt(v / (1 - Math.pow(BETA2, t))) + EPS);
                p[i] = decayLast ? (p[i] - change) * (1 - lr * wd) : p[i] * (1 - lr * wd) - change;
            }
        };
    }

    /// Nearest of all values, by looking at each; a negative number does not become 0.
    private static double through8Bits(double x, float absmax, float[] values) {
        if (absmax == 0) return 0;
        float share = (float) x / absmax;
        int best = 0;
        for (int c = 1; c < 256; c++) {
            if (Math.abs(values[c] - (double) share) < Math.abs(values[best] - (double) share)) best = c;
        }
        if (share < 0 && values[best] >= 0) best--;
        return (double) values[best] * absmax;
    }

    private static void through8Bits(double[] x, float[] values) {
        for (int from = 0; from < x.length; from += 256) {
            int to = Math.min(from + 256, x.length);
            float absmax = 0;
            for (int i = from; i < to; i++) absmax = Math.max(absmax, Math.abs((float) x[i]));
            for (int i = from; i < to; i++) x[i] = through8Bits(x[i], absmax, values);
        }
    }

    private static Formula adamW8bit() {
        double[][] moments = new double[2][];
        return (p, g, t, lr, wd) -> {
            for (int k = 0; k < 2; k++) if (moments[k] == null) moments[k] = new double[p.length];
            double root = Math.sqrt(1 - Math.pow(BETA2, t));
            for (int i = 0; i < p.length; i++) {
                double m = moments[0][i] = BETA1 * moments[0][i] + (1 - BETA1) * g[i];
                double v = moments[1][i] = BETA2 * moments[1][i] + (1 - BETA2) * g[i] * g[i];
                p[i] -= lr * root / (1 - Math.pow(BETA1, t)) * m / (Math.sqrt(v) + root * EPS);
                p[i] *= 1 - lr * wd;
            }
            through8Bits(moments[0], Dynamic8.signed());
            through8Bits(moments[1], Dynamic8.unsigned());
        };
    }

    private static Formula lion(boolean eightBit) {
        double[][] moment = new double[1][];
        return (p, g, t, lr, wd) -> {
            if (moment[0] == null) moment[0] = new double[p.length];
            for (int i = 0; i < p.length; i++) {
                p[i] = p[i] * (1 - lr * wd) - lr * Math.signum(BETA1 * moment[0][i] + (1 - BETA1) * g[i]);
                moment[0][i] = BETA2 * moment[0][i] + (1 - BETA2) * g[i];
            }
            if (eightBit) through8Bits(moment[0], Dynamic8.signed());
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"adamw_torch", "adamw_torch_fused"})
    void adamWDecaysFirst(String optim) {
        assertFollows(optim, SETTINGS, List.of(0, 1, 2, 3), 5e-7, () -> adamW(false));
    }

    /// Embeddings and what is small have F32 moments, updated as bitsandbytes updates them.
    @ParameterizedTest
    @ValueSource(strings = {"adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit"})
    void adamW8bitHasCodesForWhatIsLarge(String optim) {
        assertFollows(optim, SETTINGS, List.of(0, 1), 1e-6, OptimizerFormulasTest::adamW8bit);
        assertFollows(optim, SETTINGS, List.of(2, 3), 5e-7, () -> adamW(true));
    }

    @Test
    void pagedAdamWDecaysLast() {
        assertFollows("paged_adamw_32bit", SETTINGS, List.of(0, 1, 2, 3), 5e-7, () -> adamW(true));
    }

    @Test
    void anotherFormulaIsFound() {
        assertThrows(AssertionError.class, () ->
                assertFollows("paged_adamw_32bit", SETTINGS, List.of(0), 5e-7, () -> adamW(false)));
        assertThrows(AssertionError.class, () ->
                assertFollows("adamw_8bit", SETTINGS, List.of(0), 1e-6, () -> adamW(true)));
        assertThrows(AssertionError.class, () ->
                assertFollows("lion_8bit", SETTINGS, List.of(0), 5e-7, () -> lion(false)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"lion_32bit", "paged_lion_32bit"})
    void lionTakesSigns(String optim) {
        assertFollows(optim, SETTINGS, List.of(0, 1, 2, 3), 5e-7, () -> lion(false));
    }

    @ParameterizedTest
    @ValueSource(strings = {"lion_8bit", "paged_lion_8bit"})
    void lion8bitHasCodesForWhatIsLarge(String optim) {
        assertFollows(optim, SETTINGS, List.of(0, 1), 5e-7, () -> lion(true));
        assertFollows(optim, SETTINGS, List.of(2, 3), 5e-7, () -> lion(false));
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.9})
    void sgdHasMomentumIfAsked(double momentum) {
        OptimArgs args = momentum == 0 ? OptimArgs.NONE : OptimArgs.parse("momentum=" + momentum);
        assertFollows("sgd", SETTINGS.with(args), List.of(0, 1, 2, 3), 5e-7, () -> {
            double[][] buffer = new double[1][];
            return (p, g, t, lr, wd) -> {
                if (buffer[0] == null) buffer[0] = new double[p.length];
                for (int i = 0; i < p.length; i++) {
                    buffer[0][i] = (float) momentum * buffer[0][i] + g[i] + wd * p[i];
                    p[i] -= lr * buffer[0][i];
                }
            };
        });
    }

    private static double rms(double[] x) {
        return Math.sqrt(Arrays.stream(x).map(v -> v * v).sum() / x.length);
    }

    /// Shazeer & Stern, algorithm 4, with `b = 1 - t^-0.8`.
    private static Formula adafactor(int cols, double clip) {
        double[][] moments = new double[2][];
        return (p, g, t, lr, wd) -> {
            int width = cols == 0 ? 1 : cols;
            int rows = p.length / width;
            if (moments[0] == null) {
                moments[0] = new double[rows];
                moments[1] = new double[width];
            }
            double beta = 1 - Math.pow(t, -0.8);
            double[] u = new double[p.length];
            for (int r = 0; r < rows; r++) {
                double sum = 0;
                for (int c = 0; c < width; c++) sum += g[r * width + c] * g[r * width + c] + 1e-30;
                moments[0][r] = beta * moments[0][r] + (1 - beta) * sum / width;
            }
            for (int c = 0; c < width; c++) {
                double sum = 0;
                for (int r = 0; r < rows; r++) sum += g[r * width + c] * g[r * width + c] + 1e-30;
                moments[1][c] = beta * moments[1][c] + (1 - beta) * sum / rows;
            }
            double mean = Arrays.stream(moments[0]).average().orElseThrow();
            for (int i = 0; i < u.length; i++) {
                double second = cols == 0 ? moments[0][i] : moments[0][i / width] / mean * moments[1][i % width];
                u[i] = g[i] / Math.sqrt(second);
            }
            double shrink = Math.max(1, rms(u) / clip);
            for (int i = 0; i < u.length; i++) p[i] = p[i] * (1 - lr * wd) - lr * u[i] / shrink;
        };
    }

    @Test
    void adafactorKeepsMeansOfRowsAndColumns() {
        assertFollows("adafactor", SETTINGS, List.of(0), 1e-6, () -> adafactor(130, 1));
        assertFollows("adafactor", SETTINGS, List.of(1), 1e-6, () -> adafactor(40, 1));
        assertFollows("adafactor", SETTINGS, List.of(3), 1e-6, () -> adafactor(0, 1));
        OptimizerSettings clipped = SETTINGS.with(OptimArgs.parse("clip_threshold=0.25"));
        assertFollows("adafactor", clipped, List.of(0), 1e-6, () -> adafactor(130, 0.25));
    }

    /// The paper's three points: y for gradients, z by steps, x their average.
    @Test
    void scheduleFreeTrainsYAndGivesX() {
        double[][] x = new double[4][];
        for (boolean evaluated : new boolean[] {false, true}) {
            try (TensorOps ops = new CpuOps(2); Runs run = new Runs(ops, "schedule_free_adamw", SETTINGS)) {
                for (int i = 0; i < 4; i++) {
                    double[] y = doubles(run.value(i));
                    x[i] = y.clone();
                    double[] z = y.clone();
                    double[] v = new double[y.length];
                    double weights = 0;
                    double largest = 0;
                    for (int t = 1; t <= STEPS; t++) {
                        double lr = Runs.lr(t) * Math.min(1, t / 3.0);
                        largest = Math.max(largest, lr);
                        weights += largest * largest;
                        double c = largest * largest / weights;
                        float[] g = Runs.gradient(run.parameters.get(i), t);
                        for (int e = 0; e < y.length; e++) {
                            double scaled = Runs.FACTOR * (double) g[e];
                            v[e] = BETA2 * v[e] + (1 - BETA2) * scaled * scaled;
                            double u = scaled / (Math.sqrt(v[e] / (1 - Math.pow(BETA2, t))) + EPS);
                            z[e] -= lr * (u + (i == 3 ? 0 : Runs.WEIGHT_DECAY) * y[e]);
                            x[i][e] = (1 - c) * x[i][e] + c * z[e];
                            y[e] = (1 - BETA1) * z[e] + BETA1 * x[i][e];
                        }
                    }
                    if (!evaluated) x[i] = y;
                }
                for (int t = 1; t <= STEPS; t++) {
                    run.step(t);
                    if (evaluated) run.optimizer.eval();               // and back with the next step
                }
                for (int i = 0; i < 4; i++) assertNear(run.parameters.get(i).name(), x[i], run.value(i), 2e-6);
            }
        }
    }

    /// Training goes on from the very same bits after an evaluation.
    @Test
    void evaluatingScheduleFreeChangesNothing() {
        try (TensorOps ops = new CpuOps(2); Runs plain = new Runs(ops, "schedule_free_adamw", SETTINGS);
             Runs looked = new Runs(ops, "schedule_free_adamw", SETTINGS)) {
            looked.optimizer.eval();
            for (int t = 1; t <= STEPS; t++) {
                plain.step(t);
                looked.step(t);
                looked.optimizer.eval();
                looked.optimizer.eval();
            }
            float[] average = looked.value(0);
            looked.optimizer.train();
            assertTrue(!Arrays.equals(average, looked.value(0)));
            for (int i = 0; i < 4; i++) assertTrue(Arrays.equals(plain.value(i), looked.value(i)));
            assertEquals(0f, ops.toFloats(looked.parameters.getFirst().grad(ops))[0]);
        }
    }
}
