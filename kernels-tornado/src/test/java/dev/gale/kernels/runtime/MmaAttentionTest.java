package dev.gale.kernels.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import dev.gale.tensor.testing.Trial;
import java.util.Arrays;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Attention of BF16 heads on a device with a matrix unit equals sums in double.
class MmaAttentionTest {
    private static final double ULP = Math.ulp(1f);
    private static final double BF16_HALF_ULP = 0x1p-8;                // relative

    /// Shapes, ranges, and how large scores are.
    enum Case {
        ONE(1, 1, 1, 1, 64, 0, 1, i -> 0, i -> 1),
        CAUSAL_64(157, 157, 2, 1, 64, 0, 1, i -> 0, i -> i + 1),
        CAUSAL_128(97, 97, 4, 2, 128, 0, 1, i -> 0, i -> i + 1),
        PACKED(129, 129, 2, 2, 128, 0, 1, i -> i < 50 ? 0 : 50, i -> i + 1),
        WINDOW_64(140, 140, 1, 1, 64, 0, 1, i -> Math.max(0, i - 40), i -> i + 1),
        WINDOW_128(200, 200, 1, 1, 128, 0, 1, i -> Math.max(0, i - 20), i -> i + 1),
        SOFTCAP(70, 70, 2, 1, 64, 20, 4, i -> 0, i -> i + 1),
        LARGE_SOFTCAP(70, 70, 1, 1, 128, 500, 40, i -> 0, i -> i + 1),
        LARGE_64(131, 131, 1, 1, 64, 0, 40, i -> 0, i -> i + 1),
        LARGE_128(70, 70, 2, 1, 128, 0, 40, i -> i < 40 ? 0 : 40, i -> i + 1),
        EMPTY_ROWS(70, 64, 1, 1, 64, 0, 1, i -> i < 30 ? 0 : 30, i -> Math.min(i + 1, 30)),
        LARGE_EMPTY_ROWS(70, 64, 1, 1, 128, 0, 40, i -> i < 30 ? 0 : 30, i -> Math.min(i + 1, 30)),
        CACHED(3, 160, 4, 1, 128, 0, 1, i -> 0, i -> 158 + i),
        EVERYTHING(65, 96, 2, 2, 64, 0, 1, i -> 0, i -> 96);

        final int m;
        final int s;
        final AttentionSpec spec;
        final float factor;
        final int[] start;
        final int[] stop;

        Case(int m, int s, int heads, int kvHeads, int dims, float softcap, float factor, IntUnaryOperator start,
                IntUnaryOperator stop) {
            this.m = m;
            this.s = s;
            this.factor = factor;
            spec = new AttentionSpec(heads, kvHeads, dims, (float) (1 / Math.sqrt(dims)), softcap);
            this.start = IntStream.range(0, m).map(start).toArray();
            this.stop = IntStream.range(0, m).map(stop).toArray();
        }

        private float[] values(int n, long seed, float factor) {
            float[] values = Fixtures.uniform(n, seed);
            for (int i = 0; i < n; i++) values[i] = Convert.fromBf16(Convert.toBf16(values[i] * factor));
            return values;
        }

        float[] q() {
            return values(m * spec.queryWidth(), 1, factor);
        }

        float[] k() {
            return values(s * spec.keyWidth(), 2, factor);
        }

        float[] v() {
            return values(s * spec.keyWidth(), 3, 1);
        }

        Trial trial() {
            return new Trial((ops, t) -> ops.attentionForward(t.get("o"), t.get("lse"), t.get("q"), t.get("k"), t.get("v"),
                    t.get("start"), t.get("stop"), spec))
                    .output("o", DType.BF16, m, spec.queryWidth()).output("lse", spec.numHeads(), m)
                    .input("q", DType.BF16, q(), m, spec.queryWidth()).input("k", DType.BF16, k(), s, spec.keyWidth())
                    .input("v", DType.BF16, v(), s, spec.keyWidth()).ints("start", start).ints("stop", stop);
        }

        /// A score's error is that of a product in F32, and of a weight that and half an ulp of BF16. Sums of weights are of
        /// those that are not rounded, so an element of o can be off by `sum p |v|` times those; its own rounding, and the
        /// reference's, comes on top.
        void assertEquals(Trial.Outputs want, Trial.Outputs got) {
            float[] q = q();
            float[] k = k();
            float[] v = v();
            int dims = spec.headDim();
            double[] o = new double[q.length];
            double[] lse = new double[spec.numHeads() * m];
            for (int h = 0; h < spec.numHeads(); h++) {
                int kv = h * spec.numKvHeads() / spec.numHeads();
                for (int i = 0; i < m; i++) {
                    int atQ = i * spec.queryWidth() + h * dims;
                    double logSum = want.get("lse")[h * m + i];
                    double error = 0;
                    for (int j = start[i]; j < stop[i]; j++) {
                        double dot = 0;
                        double magnitude = 0;
                        for (int c = 0; c < dims; c++) {
                            double term = (double) q[atQ + c] * k[j * spec.keyWidth() + kv * dims + c];
                            dot += term;
                            magnitude += Math.abs(term);
                        }
                        double score = dot * spec.scale();
                        if (spec.softcap() > 0) score = spec.softcap() * Math.tanh(score / spec.softcap());
                        double scoreError = (dims / 16 + 8) * ULP * (spec.scale() * magnitude + Math.abs(logSum));
                        error = Math.max(error, scoreError);
                        double p = Math.exp(score - logSum);
                        for (int c = 0; c < dims; c++) {
                            o[atQ + c] += p * Math.abs(v[j * spec.keyWidth() + kv * dims + c])
                                    * (2 * scoreError + BF16_HALF_ULP + (stop[i] - start[i] + 16) * ULP);
                        }
                    }
                    for (int c = 0; c < dims; c++) o[atQ + c] += 2.1 * BF16_HALF_ULP * Math.abs(want.get("o")[atQ + c]);
                    lse[h * m + i] = start[i] < stop[i] ? error + (stop[i] - start[i] + 16) * ULP : 0;
                }
            }
            TensorAssert.assertClose(name() + " o", want.get("o"), got.get("o"), o);
            TensorAssert.assertClose(name() + " lse", want.get("lse"), got.get("lse"), lse);
        }
    }

    private static TornadoOps ops() {
        Device device = new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false);
        return new TornadoOps(DeviceLink.of(device), new Abilities(DType.BF16, true, false), MemoryPool.CHUNK_BYTES);
    }

    @ParameterizedTest
    @EnumSource(Case.class)
    void rowsSeeTheirRange(Case each) {
        each.assertEquals(each.trial().reference(), each.trial().runTwice(MmaAttentionTest::ops));
    }

    @ParameterizedTest
    @EnumSource(names = {"PACKED", "SOFTCAP", "LARGE_EMPTY_ROWS", "EVERYTHING"})
    void nanReachesThoseWhoSeeIt(Case each) {
        each.trial().spreadsNaN(MmaAttentionTest::ops);
    }

    /// The value of a key in the first tile, which queries of the first block see and do not see.
    @Test
    void infiniteValuesStayWithThoseWhoSeeThem() {
        Case each = Case.CAUSAL_128;
        int at = 20 * each.spec.keyWidth() + 5;
        Trial.Outputs before = each.trial().run(ops());
        Trial.Outputs after = each.trial().with("v", at, Float.POSITIVE_INFINITY).run(ops());
        for (int i = 0; i < each.m; i++) {
            for (int e = 0; e < each.spec.queryWidth(); e++) {
                int index = i * each.spec.queryWidth() + e;
                boolean reached = i >= 20 && e < 2 * 128 && e % 128 == 5;
                assertEquals(reached ? Float.POSITIVE_INFINITY : before.get("o")[index], after.get("o")[index],
                        "row " + i + " element " + e);
            }
        }
    }

    /// A row's bits are its own: other queries of the block that need an exact maximum do not change them.
    @Test
    void rowsDoNotDependOnOthers() {
        Case each = Case.CAUSAL_64;
        float[] changed = each.q();
        Arrays.fill(changed, 100 * 128, 101 * 128, 300f);
        Trial.Outputs before = each.trial().run(ops());
        Trial.Outputs after = each.trial().input("q", DType.BF16, changed, each.m, each.spec.queryWidth()).run(ops());
        for (int i = 0; i < each.m; i++) {
            if (i == 100) continue;
            for (int e = 0; e < 128; e++) assertEquals(before.get("o")[i * 128 + e], after.get("o")[i * 128 + e], "row " + i);
        }
    }

    @Test
    void othersStayOnThePortableKernel() {
        AttentionSpec spec = new AttentionSpec(1, 1, 32, 1, 0);
        Trial trial = new Trial((ops, t) -> ops.attentionForward(t.get("o"), t.get("lse"), t.get("q"), t.get("k"), t.get("v"),
                t.get("start"), t.get("stop"), spec)).output("o", DType.BF16, 1, 32).output("lse", 1, 1);
        for (String name : new String[] {"q", "k", "v"}) trial.input(name, DType.BF16, Fixtures.uniform(32, 1), 1, 32);
        trial.ints("start", 0).ints("stop", 1);
        TensorAssert.assertEqual("o", trial.reference().get("o"), trial.run(ops()).get("o"));
    }
}
