package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.kernels.AttentionKernels;
import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Attention's gradients on the matrix unit are those of `ReferenceOps`, for the ranges that models use. The operands end
/// where their arrays end: reading further is a fault.
class AttentionGradientTest {
    private static final Path SOURCES = Path.of("src/main/java/dev/gale/kernels/mma");
    private static final double ULP = Math.ulp(1f);
    private static final double BF16 = 0x1p-8;
    private static final int SLOT = 1;
    private static final int GAP = 8;                             // elements before an operand

    /// Shapes and ranges: which keys each query sees.
    enum Layout {
        ONE(1, 1, 1, 1, 0, i -> 0, i -> 1),
        CAUSAL(65, 65, 2, 1, 0, i -> 0, i -> i + 1),
        PACKED(101, 101, 4, 2, 0, i -> i < 43 ? 0 : 43, i -> i + 1),
        WINDOW(97, 97, 1, 1, 0, i -> Math.max(0, i - 20), i -> i + 1),
        SOFTCAPPED(40, 40, 2, 1, 3, i -> i < 30 ? 0 : 30, i -> i + 1),
        PADDED(40, 40, 2, 2, 0, i -> i < 30 ? 0 : 30, i -> Math.min(i + 1, 30)),
        CACHED(3, 200, 2, 1, 0, i -> 0, i -> 198 + i),
        EVERYTHING(66, 96, 1, 1, 0, i -> 0, i -> 96);

        final int m;
        final int s;
        final int heads;
        final int kvHeads;
        final float softcap;
        final int[] start;
        final int[] stop;

        Layout(int m, int s, int heads, int kvHeads, float softcap, IntUnaryOperator start, IntUnaryOperator stop) {
            this.m = m;
            this.s = s;
            this.heads = heads;
            this.kvHeads = kvHeads;
            this.softcap = softcap;
            this.start = IntStream.range(0, m).map(start).toArray();
            this.stop = IntStream.range(0, m).map(stop).toArray();
        }
    }

    /// One attention: its operands, its gradients and how far rounding may carry them.
    private static final class Case {
        final Layout layout;
        final int dims;
        final AttentionSpec spec;
        final float[] q;
        final float[] k;
        final float[] v;
        final float[] dO;
        final float[] lse;
        final float[] delta;
        final float[] dq;
        final float[] dk;
        final float[] dv;
        final double[] dqBounds;
        final double[] dkBounds;
        final double[] dvBounds;

        Case(Layout layout, int dims) {
            this.layout = layout;
            this.dims = dims;
            spec = new AttentionSpec(layout.heads, layout.kvHeads, dims, (float) (1 / Math.sqrt(dims)), layout.softcap);
            int queryWidth = spec.queryWidth();
            int keyWidth = spec.keyWidth();
            q = rounded(layout.m * queryWidth, 1);
            k = rounded(layout.s * keyWidth, 2);
            v = rounded(layout.s * keyWidth, 3);
            dO = rounded(layout.m * queryWidth, 4);
            float[] o;
            try (TensorOps ops = new ReferenceOps()) {
                Tensor start = ops.allocate("start", DType.I32, Shape.of(layout.m));
                Tensor stop = ops.allocate("stop", DType.I32, Shape.of(layout.m));
                ops.write(start, layout.start);
                ops.write(stop, layout.stop);
                Tensor tq = floats(ops, q, queryWidth);
                Tensor tk = floats(ops, k, keyWidth);
                Tensor tv = floats(ops, v, keyWidth);
                Tensor tO = floats(ops, new float[q.length], queryWidth);
                Tensor tLse = floats(ops, new float[layout.heads * layout.m], layout.m);
                ops.attentionForward(tO, tLse, tq, tk, tv, start, stop, spec);
                Tensor tdq = floats(ops, q, queryWidth);
                Tensor tdk = floats(ops, k, keyWidth);
                Tensor tdv = floats(ops, v, keyWidth);
                ops.attentionBackward(tdq, tdk, tdv, floats(ops, dO, queryWidth), tq, tk, tv, tO, tLse, start, stop, spec);
                o = ops.toFloats(tO);
                lse = ops.toFloats(tLse);
                dq = ops.toFloats(tdq);
                dk = ops.toFloats(tdk);
                dv = ops.toFloats(tdv);
            }
            delta = new float[lse.length];
            dqBounds = new double[dq.length];
            dkBounds = new double[dk.length];
            dvBounds = new double[dv.length];
            for (int h = 0; h < layout.heads; h++) {
                for (int i = 0; i < layout.m; i++) {
                    int at = i * queryWidth + h * dims;
                    double sum = 0;
                    for (int c = 0; c < dims; c++) sum += (double) dO[at + c] * o[at + c];
                    delta[h * layout.m + i] = (float) sum;
                    addBounds(at, h * layout.m + i, h / (layout.heads / layout.kvHeads) * dims, i, magnitude(dO, at, o, at));
                }
            }
            for (int i = 0; i < dq.length; i++) dqBounds[i] += BF16 * Math.abs(dq[i]);
            for (int i = 0; i < dk.length; i++) {
                dkBounds[i] += BF16 * Math.abs(dk[i]);
                dvBounds[i] += BF16 * Math.abs(dv[i]);
            }
        }

        private static float[] rounded(int n, long seed) {
            float[] values = Fixtures.uniform(n, seed);
            for (int i = 0; i < n; i++) values[i] = Convert.fromBf16(Convert.toBf16(values[i]));
            return values;
        }

        private static Tensor floats(TensorOps ops, float[] values, int cols) {
            Tensor tensor = ops.allocate("t", DType.F32, Shape.of(values.length / cols, cols));
            ops.write(tensor, values);
            return tensor;
        }

        /// The share of one query of one head. A score has error `(K + 8) ulp` times `scale sum |q||k|`, a weight that
        /// relatively and a BF16 rounding, ds both and one rounding more; sums of n terms add n ulps.
        private void addBounds(int qi, int row, int kvAt, int i, double deltaMagnitude) {
            int terms = layout.m * layout.heads / layout.kvHeads + layout.s;
            for (int j = layout.start[i]; j < layout.stop[i]; j++) {
                int kj = j * spec.keyWidth() + kvAt;
                double scoreError = (dims + 8) * ULP * spec.scale() * magnitude(q, qi, k, kj) + 4 * ULP * Math.abs(lse[row]);
                double p = Math.exp(score(qi, kj) - lse[row]);
                double relative = scoreError + BF16 + (terms + 16) * ULP;
                double bend = layout.softcap > 0 ? 2 * scoreError / layout.softcap + 8 * ULP : 0;
                double dsError = relative + BF16 + bend + dims * ULP;
                double ds = spec.scale() * p * (magnitude(dO, qi, v, kj) + deltaMagnitude);
                for (int c = 0; c < dims; c++) {
                    dvBounds[kj + c] += p * Math.abs(dO[qi + c]) * relative;
                    dqBounds[qi + c] += ds * Math.abs(k[kj + c]) * dsError;
                    dkBounds[kj + c] += ds * Math.abs(q[qi + c]) * dsError;
                }
            }
        }

        private double score(int qi, int kj) {
            double dot = 0;
            for (int c = 0; c < dims; c++) dot += (double) q[qi + c] * k[kj + c];
            double score = spec.scale() * dot;
            return layout.softcap > 0 ? layout.softcap * Math.tanh(score / layout.softcap) : score;
        }

        private double magnitude(float[] a, int fromA, float[] b, int fromB) {
            double sum = 0;
            for (int c = 0; c < dims; c++) sum += Math.abs((double) a[fromA + c] * b[fromB + c]);
            return sum;
        }

        FloatArray stats() {
            FloatArray stats = new FloatArray(2 * lse.length);
            for (int i = 0; i < lse.length; i++) {
                stats.set(i, lse[i]);
                stats.set(lse.length + i, delta[i]);
            }
            return stats;
        }

        IntArray ranges() {
            IntArray ranges = new IntArray(AttentionKernels.rangesLength(layout.m, layout.s));
            IntArray table = IntArray.fromElements(0, 0, 0);
            IntArray start = IntArray.fromArray(layout.start);
            IntArray stop = IntArray.fromArray(layout.stop);
            int groups = AttentionKernels.blocks(layout.m) + AttentionKernels.blocks(layout.s);
            KernelEmulator.grid(groups * AttentionKernels.GROUP).group(AttentionKernels.GROUP).arrays(ranges).once()
                    .run(context -> AttentionKernels.attentionRanges(context, table, 0, ranges, start, stop, layout.m,
                            layout.s));
            return ranges;
        }
    }

    private static LongArray longs(float[] values) {
        LongArray longs = new LongArray((GAP + values.length) / 4);
        for (int i = 0; i < GAP + values.length; i++) {
            long bits = (i < GAP ? 0x7fff : Convert.toBf16(values[i - GAP])) & 0xffffL;
            longs.set(i / 4, longs.get(i / 4) | bits << 16 * (i % 4));
        }
        return longs;
    }

    /// A result that nobody wrote is NaN.
    private static IntArray result(int n) {
        IntArray ints = new IntArray((GAP + n) / 2);
        ints.init(0x7fff7fff);
        return ints;
    }

    private static float[] values(IntArray ints) {
        float[] values = new float[2 * ints.getSize() - GAP];
        for (int i = 0; i < GAP / 2; i++) assertEquals(0x7fff7fff, ints.get(i), "before a result");
        for (int i = 0; i < values.length; i++) {
            values[i] = Convert.fromBf16((short) (ints.get((GAP + i) / 2) >>> 16 * (i % 2)));
        }
        return values;
    }

    private static void assertOfKeys(AttentionGradient<?> gradient, Case c, FloatArray stats) {
        IntArray dk = result(c.dk.length);
        IntArray dv = result(c.dv.length);
        IntArray table = IntArray.fromElements(-1, GAP, GAP, GAP, GAP, GAP, GAP, 0, 0);
        Layout layout = c.layout;
        run(gradient, layout, gradient.groups(layout.s, layout.kvHeads), table, SLOT, dk, dv, longs(c.q), longs(c.k),
                longs(c.v), longs(c.dO), stats, c.ranges(), layout.heads, layout.kvHeads, layout.m, layout.s, c.spec.scale(),
                layout.softcap);
        String name = gradient.name() + " " + layout;
        TensorAssert.assertClose(name + " dv", c.dv, values(dv), c.dvBounds);
        TensorAssert.assertClose(name + " dk", c.dk, values(dk), c.dkBounds);
    }

    private static void assertOfQueries(AttentionGradient<?> gradient, Case c, FloatArray stats) {
        IntArray dq = result(c.dq.length);
        IntArray table = IntArray.fromElements(-1, GAP, GAP, GAP, GAP, GAP, 0, 0);
        Layout layout = c.layout;
        run(gradient, layout, gradient.groups(layout.m, layout.heads), table, SLOT, dq, longs(c.q), longs(c.k),
                longs(c.v), longs(c.dO), stats, c.ranges(), layout.heads, layout.kvHeads, layout.m, layout.s, c.spec.scale(),
                layout.softcap);
        TensorAssert.assertClose(gradient.name() + " " + layout + " dq", c.dq, values(dq), c.dqBounds);
    }

    /// One layout runs with its threads in several orders, as races do not depend on ranges.
    private static void run(AttentionGradient<?> gradient, Layout layout, int groups, Object... arguments) {
        try {
            Class<?> owner = Class.forName(AttentionGradient.class.getPackageName() + "." + gradient.name());
            String method = Character.toLowerCase(gradient.name().charAt(0)) + gradient.name().substring(1);
            KernelEmulator emulator = KernelEmulator.grid(groups * gradient.threads()).group(gradient.threads());
            if (layout != Layout.SOFTCAPPED) emulator.once();
            emulator.run(owner, method, arguments);
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @EnumSource(Layout.class)
    void gradientsMatchTheReference(Layout layout) {
        for (int dims : new int[] {64, 128}) {
            Case c = new Case(layout, dims);
            AttentionGradient.OF_KEYS.stream().filter(each -> each.dims() == dims)
                    .forEach(each -> assertOfKeys(each, c, c.stats()));
            AttentionGradient.OF_QUERIES.stream().filter(each -> each.dims() == dims)
                    .forEach(each -> assertOfQueries(each, c, c.stats()));
        }
    }

    /// Kernels take the upper halves of what `rounded` gives for BF16 elements.
    @Test
    void roundsToTheNearestElement() {
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 1_000_000; i++) {
            int lower = random.nextInt(4) == 0 ? 0x8000 + random.nextInt(-1, 2) : random.nextInt(1 << 16);
            int upper = random.nextInt(128 - 116, 127 + 110) << 7 | (random.nextInt(4) == 0 ? 127 : random.nextInt(128));
            float value = Float.intBitsToFloat(random.nextInt(2) << 31 | upper << 16 | lower & 0xffff);
            float rounded = GradientTiles.rounded(value);
            assertEquals(Convert.fromBf16(Convert.toBf16(value)), rounded, () -> value + " is rounded");
            assertEquals(0, Float.floatToRawIntBits(rounded) & 0xffff, () -> value + " has lower bits");
        }
        assertEquals(0f, GradientTiles.rounded(0f));
        assertTrue(Float.isNaN(GradientTiles.rounded(Float.NaN)));
    }

    /// The bounds are tight enough to notice weights that are wrong by a third.
    @Test
    void wrongWeightsShow() {
        Case c = new Case(Layout.CAUSAL, 64);
        FloatArray stats = c.stats();
        for (int i = 0; i < c.lse.length; i++) stats.set(i, stats.get(i) + 0.4f);
        assertThrows(AssertionError.class, () -> assertOfKeys(AttentionGradient.ofKeys(64), c, stats));
        assertThrows(AssertionError.class, () -> assertOfQueries(AttentionGradient.ofQueries(64), c, stats));
    }

    @Test
    void sourcesAreWhatTheGeneratorWrites() throws IOException {
        for (Written kernel : written()) {
            String message = kernel.name + " was changed by hand, or its generator was and its main did not run";
            assertEquals(kernel.source, Files.readString(SOURCES.resolve(kernel.name + ".java")), message);
            assertTrue(Arrays.stream(kernel.source.split("\n")).allMatch(line -> line.length() <= 128), kernel.name);
            assertTrue(kernel.localBytes <= 48 << 10, kernel.name);
        }
    }

    /// What the generators write.
    private record Written(String name, String source, int localBytes, int dims, int rows, int threads) {}

    private static List<Written> written() {
        return AttentionGradientGenerator.VARIANTS.stream().map(each -> new Written(each.name(),
                AttentionGradientGenerator.source(each), each.localBytes(), each.dims(), each.rows(), each.threads())).toList();
    }

    @Test
    void launchesAreThoseOfTheKernels() {
        List<Written> written = written();
        assertEquals(written.size(), AttentionGradient.OF_KEYS.size() + AttentionGradient.OF_QUERIES.size());
        Stream.concat(AttentionGradient.OF_KEYS.stream(), AttentionGradient.OF_QUERIES.stream()).forEach(gradient -> {
            Written kernel = written.stream().filter(each -> each.name.equals(gradient.name())).findFirst().orElseThrow();
            assertEquals(kernel.dims, gradient.dims(), gradient.name());
            assertEquals(kernel.rows, gradient.rows(), gradient.name());
            assertEquals(kernel.threads, gradient.threads(), gradient.name());
        });
    }
}
