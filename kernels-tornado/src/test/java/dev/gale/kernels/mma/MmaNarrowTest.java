package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.kernels.LowRankKernels;
import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Products with a narrow side equal double sums, part by part added up, for matrices that end anywhere in a tile.
class MmaNarrowTest {
    private static final int SLOT = 1;
    private static final int GAP = 8;

    private record Problem(int rows, int cols, int depth, float[] tall, float[] flat, boolean tallByDepth,
                           boolean flatByDepth) {
        static Problem of(int rows, int cols, int depth, boolean tallByDepth, boolean flatByDepth) {
            float[] tall = Fixtures.uniform(rows * depth, 1);
            for (int i = 0; i < tall.length; i++) tall[i] = Convert.fromBf16(Convert.toBf16(tall[i]));
            return new Problem(rows, cols, depth, tall, Fixtures.uniform(cols * depth, 2), tallByDepth, flatByDepth);
        }

        double term(int i, int j, int l) {
            return (double) tall[tallByDepth ? l * rows + i : i * depth + l]
                    * Convert.fromBf16(Convert.toBf16(flat[flatByDepth ? l * cols + j : j * depth + l]));
        }

        double bound(int i, int j) {
            double magnitude = 0;
            for (int l = 0; l < depth; l++) magnitude += Math.abs(term(i, j, l));
            return magnitude * (depth / 16 + MmaNarrow.parts(depth) + 3) * Math.ulp(1f);
        }

        double sum(int i, int j) {
            double sum = 0;
            for (int l = 0; l < depth; l++) sum += term(i, j, l);
            return sum;
        }
    }

    private static FloatArray parts(Problem p) {
        MmaNarrow narrow = MmaNarrow.of(p.tallByDepth, p.cols);
        LongArray tall = new LongArray((GAP + p.tall.length) / 4);
        for (int i = 0; i < p.tall.length; i++) {
            int at = (GAP + i) / 4;
            tall.set(at, tall.get(at) | (Convert.toBf16(p.tall[i]) & 0xffffL) << 16 * (i % 4));
        }
        FloatArray flat = new FloatArray(GAP + p.flat.length);
        for (int i = 0; i < p.flat.length; i++) flat.set(GAP + i, p.flat[i]);
        FloatArray parts = new FloatArray(GAP + MmaNarrow.parts(p.depth) * narrow.partLength(p.rows, p.cols));
        parts.init(Float.NaN);
        IntArray table = new IntArray(SLOT + 3);
        table.init(GAP);
        KernelEmulator.grid(narrow.groups(p.rows, p.cols, p.depth) * MmaNarrow.THREADS).group(MmaNarrow.THREADS).arrays(parts)
                .run(context -> narrow.kernel().apply(context, table, SLOT, parts, tall, flat, p.flatByDepth ? 1 : 0, p.rows,
                        p.cols, p.depth, MmaNarrow.partDepth(p.depth)));
        assertEquals(Float.NaN, parts.get(GAP - 1), "before the parts");
        return parts;
    }

    private static void assertLow(Problem p, int copyCols) {
        FloatArray parts = parts(p);
        MmaNarrow narrow = MmaNarrow.of(false, p.cols);
        FloatArray low = new FloatArray(GAP + p.rows * p.cols);
        low.init(Float.NaN);
        IntArray copy = new IntArray((GAP + p.rows * copyCols) / 2);
        IntArray table = new IntArray(SLOT + 3);
        table.init(GAP);
        int threads = (p.rows * copyCols / 2 + LowRankKernels.GROUP - 1) / LowRankKernels.GROUP * LowRankKernels.GROUP;
        KernelEmulator.grid(threads).group(LowRankKernels.GROUP).arrays(low, copy).run(context -> LowRankKernels.addLow(context,
                table, SLOT, low, copy, parts, p.rows, p.cols, copyCols, MmaNarrow.parts(p.depth),
                narrow.partLength(p.rows, p.cols), narrow.stride(p.rows, p.cols), 1f, -1.5f));
        float[] want = new float[p.rows * p.cols];
        float[] got = new float[want.length];
        double[] bounds = new double[want.length];
        for (int i = 0; i < want.length; i++) {
            want[i] = (float) p.sum(i / p.cols, i % p.cols);
            bounds[i] = p.bound(i / p.cols, i % p.cols);
            got[i] = low.get(GAP + i);
        }
        TensorAssert.assertClose("low", want, got, bounds);
        for (int i = 0; i < p.rows * copyCols; i++) {
            short half = (short) (copy.get((GAP + i) / 2) >> 16 * (i % 2));
            int col = i % copyCols;
            float value = col < p.cols ? low.get(GAP + i / copyCols * p.cols + col) : 0f;
            assertEquals(Convert.fromBf16(Convert.toBf16(-1.5f * value)), Convert.fromBf16(half), "copy " + i);
        }
    }

    private static void assertGradient(Problem p, int transposed) {
        FloatArray parts = parts(p);
        MmaNarrow narrow = MmaNarrow.of(true, p.cols);
        FloatArray sum = new FloatArray(GAP + p.rows * p.cols);
        float[] before = Fixtures.uniform(p.rows * p.cols, 3);
        for (int i = 0; i < before.length; i++) sum.set(GAP + i, before[i]);
        IntArray table = new IntArray(SLOT + 2);
        table.init(GAP);
        int threads = (before.length + LowRankKernels.GROUP - 1) / LowRankKernels.GROUP * LowRankKernels.GROUP;
        KernelEmulator.grid(threads).group(LowRankKernels.GROUP).arrays(sum).run(context -> LowRankKernels.addGradient(context,
                table, SLOT, sum, parts, transposed, p.cols, p.rows, MmaNarrow.parts(p.depth),
                narrow.partLength(p.rows, p.cols), narrow.stride(p.rows, p.cols), 0.5f, 0, 0));
        float[] want = new float[before.length];
        float[] got = new float[before.length];
        double[] bounds = new double[before.length];
        for (int i = 0; i < before.length; i++) {
            int tall = transposed == 1 ? i / p.cols : i % p.rows;
            int flat = transposed == 1 ? i % p.cols : i / p.rows;
            want[i] = (float) (before[i] + 0.5 * p.sum(tall, flat));
            bounds[i] = p.bound(tall, flat) + Math.abs(want[i]) * Math.ulp(1f);
            got[i] = sum.get(GAP + i);
        }
        TensorAssert.assertClose("gradient", want, got, bounds);
    }

    @ParameterizedTest(name = "rows={0} cols={1} depth={2}")
    @CsvSource({"1,1,4", "130,16,128", "40,8,100", "129,17,64", "70,70,36", "3,3,1100"})
    void lowEqualsDoubleSums(int rows, int cols, int depth) {
        assertLow(Problem.of(rows, cols, depth, false, false), MmaProduct.paddedRank(cols));
        assertLow(Problem.of(rows, cols, depth, false, true), MmaProduct.paddedRank(cols));
    }

    @ParameterizedTest(name = "rows={0} cols={1} depth={2}")
    @CsvSource({"4,1,1", "132,16,128", "40,8,99", "128,17,64", "68,70,37", "4,3,1101"})
    void gradientsEqualDoubleSums(int rows, int cols, int depth) {
        assertGradient(Problem.of(rows, cols, depth, true, true), 0);
        assertGradient(Problem.of(rows, cols, depth, true, true), 1);
    }

    /// What reads an operand along the wrong side is found.
    @Test
    void otherOrientationsFail() {
        Problem p = Problem.of(16, 8, 64, false, false);
        assertThrows(AssertionError.class, () -> {
            Problem wrong = new Problem(p.rows, p.cols, p.depth, p.tall, p.flat, false, true);
            FloatArray right = parts(p);
            FloatArray other = parts(wrong);
            for (int i = 0; i < 8; i++) assertEquals(right.get(GAP + i), other.get(GAP + i));
        });
    }
}
