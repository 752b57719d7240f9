package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.uniform;

import dev.gale.tensor.ops.AttentionSpec;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// `attentionForward`, `attentionBackward` over the ranges that models use.
public interface AttentionContract extends Trials {

    /// Shapes and ranges: which keys each query sees.
    enum Layout {
        ONE(1, 1, 1, 1, 1, 0, i -> 0, i -> 1),
        NO_ROWS(0, 0, 2, 1, 4, 0, i -> 0, i -> 0),
        CAUSAL(37, 37, 1, 1, 16, 0, i -> 0, i -> i + 1),
        GROUPED(65, 65, 6, 2, 5, 0, i -> 0, i -> i + 1),
        PACKED(129, 129, 4, 2, 32, 0, i -> i < 1 ? 0 : i < 64 ? 1 : i < 100 ? 64 : 100, i -> i + 1),
        WINDOW(130, 130, 2, 1, 64, 0, i -> Math.max(0, i - 20), i -> i + 1),
        SOFTCAPPED(70, 70, 2, 2, 48, 3, i -> i < 40 ? 0 : 40, i -> i + 1),
        PADDED(40, 40, 2, 1, 8, 0, i -> i < 30 ? 0 : 30, i -> Math.min(i + 1, 30)),
        CACHED(3, 200, 4, 2, 64, 0, i -> 0, i -> 198 + i),
        EVERYTHING(9, 33, 3, 3, 7, 0, i -> 0, i -> 33),
        LONG(600, 600, 1, 1, 32, 0, i -> 0, i -> i + 1);

        final int m;
        final int s;
        final AttentionSpec spec;
        private final IntUnaryOperator start;
        private final IntUnaryOperator stop;

        Layout(int m, int s, int heads, int kvHeads, int headDim, float softcap, IntUnaryOperator start,
                IntUnaryOperator stop) {
            this.m = m;
            this.s = s;
            this.spec = new AttentionSpec(heads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), softcap);
            this.start = start;
            this.stop = stop;
        }

        int start(int i) {
            return start.applyAsInt(i);
        }

        int stop(int i) {
            return stop.applyAsInt(i);
        }

        float[] q() {
            return uniform(m * spec.queryWidth(), 1);
        }

        float[] k() {
            return uniform(s * spec.keyWidth(), 2);
        }

        float[] v() {
            return uniform(s * spec.keyWidth(), 3);
        }

        float[] dO() {
            return uniform(m * spec.queryWidth(), 4);
        }

        Trial forward() {
            return operands(new Trial((ops, t) -> ops.attentionForward(t.get("o"), t.get("lse"), t.get("q"), t.get("k"),
                    t.get("v"), t.get("start"), t.get("stop"), spec)))
                    .output("o", m, spec.queryWidth()).output("lse", spec.numHeads(), m);
        }

        Trial backward() {
            Trial.Outputs forward = forward().reference();
            return operands(new Trial((ops, t) -> ops.attentionBackward(t.get("dq"), t.get("dk"), t.get("dv"),
                    t.get("dO"),
                    t.get("q"), t.get("k"), t.get("v"), t.get("o"), t.get("lse"), t.get("start"), t.get("stop"), spec)))
                    .input("dO", dO(), m, spec.queryWidth()).input("o", forward.get("o"), m, spec.queryWidth())
                    .input("lse", forward.get("lse"), spec.numHeads(), m)
                    .output("dq", m, spec.queryWidth()).output("dk", s, spec.keyWidth())
                    .output("dv", s, spec.keyWidth());
        }

        private Trial operands(Trial trial) {
            return trial.input("q", q(), m, spec.queryWidth()).input("k", k(), s, spec.keyWidth())
                    .input("v", v(), s, spec.keyWidth()).ints("start", IntStream.range(0, m).map(start).toArray())
                    .ints("stop", IntStream.range(0, m).map(stop).toArray());
        }
    }

    @ParameterizedTest
    @EnumSource(Layout.class)
    default void attentionForwardSeesItsRange(Layout layout) {
        AttentionBounds bounds = new AttentionBounds(layout);
        compare(layout.forward()).within("o", bounds.o()).within("lse", bounds.lse());
    }

    @ParameterizedTest
    @EnumSource(Layout.class)
    default void attentionBackwardMatches(Layout layout) {
        AttentionBounds bounds = new AttentionBounds(layout);
        compare(layout.backward()).within("dq", bounds.dq()).within("dk", bounds.dk()).within("dv", bounds.dv());
    }

    /// Scores far beyond the range of exp must neither overflow nor lose the largest.
    @Test
    default void hugeScoresAreStable() {
        int m = 20;
        AttentionSpec spec = new AttentionSpec(1, 1, 4, 1f, 0f);
        float[] q = new float[m * 4];
        float[] k = new float[m * 4];
        for (int i = 0; i < m; i++) {
            q[4 * i] = 100;
            k[4 * i] = 100 * (i % 7) - 300;            // scores are multiples of 10000: one key, or equal ones, win
        }
        Trial trial = new Trial((ops, t) -> ops.attentionForward(t.get("o"), t.get("lse"), t.get("q"), t.get("k"),
                t.get("v"), t.get("start"), t.get("stop"), spec))
                .output("o", m, 4).output("lse", 1, m).input("q", q, m, 4).input("k", k, m, 4)
                .input("v", uniform(m * 4, 3), m, 4).ints("start", new int[m])
                .ints("stop", IntStream.rangeClosed(1, m).toArray());
        compare(trial).within("o", fill(m * 4, 8 * ULP)).relative("lse", 4 * ULP);
    }

    private static double[] fill(int n, double value) {
        double[] values = new double[n];
        Arrays.fill(values, value);
        return values;
    }

    @Test
    default void attentionSpreadsNaNToTheQueriesThatSeeIt() {
        for (Layout layout : new Layout[] {Layout.GROUPED, Layout.PACKED, Layout.PADDED, Layout.SOFTCAPPED}) {
            layout.forward().spreadsNaN(this::freshOps);
            layout.backward().spreadsNaN(this::freshOps);
        }
    }
}
