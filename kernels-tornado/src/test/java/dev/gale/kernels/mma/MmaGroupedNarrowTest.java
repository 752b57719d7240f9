package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.kernels.ExpertTileKernels;
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

/// Adapters' products of the rows of experts equal double sums, parts added up, however the rows are shared out.
class MmaGroupedNarrowTest {
    private static final int GAP = 8;
    private static final int BETWEEN = 4;                        // floats between the matrices of two experts
    private static final ExpertRows RAGGED = ExpertRows.counts(3, 0, 130, 1, 66);
    private static final ExpertRows LAST_HAS_ALL = ExpertRows.counts(0, 0, 90);

    private static float rounded(float value) {
        return Convert.fromBf16(Convert.toBf16(value));
    }

    private static float[] bf16(int n, long seed) {
        float[] values = Fixtures.uniform(n, seed);
        for (int i = 0; i < n; i++) values[i] = rounded(values[i]);
        return values;
    }

    private static LongArray longs(float[] values) {
        LongArray longs = new LongArray((GAP + values.length) / 4);
        for (int i = 0; i < values.length; i++) {
            int at = (GAP + i) / 4;
            longs.set(at, longs.get(at) | (Convert.toBf16(values[i]) & 0xffffL) << 16 * (i % 4));
        }
        return longs;
    }

    private static FloatArray floats(float[] values) {
        FloatArray floats = new FloatArray(GAP + values.length);
        floats.init(Float.NaN);
        for (int i = 0; i < values.length; i++) floats.set(GAP + i, values[i]);
        return floats;
    }

    private static IntArray table(int operands) {
        IntArray table = new IntArray(operands);
        table.init(GAP);
        return table;
    }

    /// @param told what the kernels are told
    private static void assertLow(ExpertRows rows, ExpertRows told, int cols, int depth, boolean flatByDepth) {
        int m = rows.total();
        int count = rows.experts();
        int stride = cols * depth + BETWEEN;
        int copyCols = MmaProduct.paddedRank(cols);
        int tile = MmaGroupedNarrow.TALL;
        int tiles = ExpertTiles.count(m, count, tile);
        float[] tall = bf16(m * depth, 1);
        float[] flat = Fixtures.uniform(count * stride, 2);
        MmaGroupedNarrow narrow = MmaGroupedNarrow.of(cols);
        LongArray tallLongs = longs(tall);
        FloatArray flats = floats(flat);
        IntArray spans = told.spans(GAP, 0, count, m, tile);
        int length = narrow.partLength(m, cols, count);
        FloatArray parts = new FloatArray(GAP + MmaNarrow.parts(depth) * length);
        parts.init(Float.NaN);
        int threads = MmaGroupedNarrow.THREADS;
        KernelEmulator.grid(narrow.groups(m, cols, depth, count) * threads).group(threads).arrays(parts)
                .run(context -> narrow.byRow().apply(context, table(4), 0, parts, tallLongs, flats, spans, flatByDepth ? 1 : 0,
                        m, cols, depth, MmaNarrow.partDepth(depth), count, stride));
        FloatArray low = new FloatArray(GAP + m * cols);
        low.init(Float.NaN);
        IntArray copy = new IntArray((GAP + m * copyCols) / 2);
        int group = ExpertTileKernels.GROUP;
        KernelEmulator.grid((tiles * tile * copyCols / 2 + group - 1) / group * group).group(group).arrays(low, copy)
                .run(context -> ExpertTileKernels.addExpertLow(context, table(4), 0, low, copy, parts, spans, m, cols,
                        copyCols, count, tiles, tile, MmaNarrow.parts(depth), length, narrow.stride(cols), 2f, -1.5f));
        float[] want = new float[m * cols];
        float[] got = new float[m * cols];
        double[] bounds = new double[m * cols];
        for (int i = 0; i < want.length; i++) {
            int row = i / cols;
            int col = i % cols;
            int from = rows.expert(row) * stride;
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < depth; l++) {
                int at = from + (flatByDepth ? l * cols + col : col * depth + l);
                double term = (double) tall[row * depth + l] * rounded(flat[at]);
                sum += term;
                magnitude += Math.abs(term);
            }
            want[i] = (float) (2 * sum);
            bounds[i] = 2 * magnitude * (depth / 16 + MmaNarrow.parts(depth) + 3) * Math.ulp(1f);
            got[i] = low.get(GAP + i);
        }
        TensorAssert.assertClose("low", want, got, bounds);
        assertEquals(Float.NaN, low.get(GAP - 1), "before low");
        for (int i = 0; i < m * copyCols; i++) {
            short half = (short) (copy.get((GAP + i) / 2) >> 16 * (i % 2));
            int col = i % copyCols;
            float value = col < cols ? low.get(GAP + i / copyCols * cols + col) : 0f;
            assertEquals(rounded(-0.75f * value), Convert.fromBf16(half), "copy " + i);
        }
    }

    private static void assertGradient(ExpertRows rows, int height, int cols, int partCount, boolean transposed) {
        int count = rows.experts();
        int total = rows.total();
        float[] tall = bf16(total * height, 1);
        float[] flat = Fixtures.uniform(total * cols, 2);
        LongArray tallLongs = longs(tall);
        FloatArray flats = floats(flat);
        IntArray spans = rows.spans(GAP, 0, count, total, MmaGroupedNarrow.TALL);
        MmaGroupedNarrow narrow = MmaGroupedNarrow.of(cols);
        int length = narrow.lengthOfExpert(height, cols);
        FloatArray parts = new FloatArray(GAP + partCount * count * length);
        parts.init(Float.NaN);
        int threads = MmaGroupedNarrow.THREADS;
        KernelEmulator.grid(partCount * narrow.groupsOfPart(height, cols, count) * threads).group(threads).arrays(parts)
                .run(context -> narrow.byDepth().apply(context, table(4), 0, parts, tallLongs, flats, spans, height, cols,
                count, partCount));
        int stride = height * cols + BETWEEN;
        float[] old = Fixtures.uniform(count * stride, 3);
        FloatArray sums = floats(old);
        int group = LowRankKernels.GROUP;
        KernelEmulator.grid((height * cols + group - 1) / group * group, count, 1).group(group).arrays(sums)
                .run(context -> LowRankKernels.addGradient(context, table(2), 0, sums, parts, transposed ? 1 : 0, cols, height,
                        partCount, count * length, narrow.strideByDepth(height), 0.5f, stride, length));
        float[] want = old.clone();
        float[] got = new float[old.length];
        double[] bounds = new double[old.length];
        for (int i = 0; i < old.length; i++) {
            got[i] = sums.get(GAP + i);
            int expert = i / stride;
            int at = i % stride;
            if (at >= height * cols) continue;
            int row = transposed ? at / cols : at % height;
            int col = transposed ? at % cols : at / height;
            double sum = 0;
            double magnitude = 0;
            for (int l = rows.offsets()[expert]; l < rows.offsets()[expert + 1]; l++) {
                double term = 0.5 * tall[l * height + row] * rounded(flat[l * cols + col]);
                sum += term;
                magnitude += Math.abs(term);
            }
            want[i] = (float) (old[i] + sum);
            bounds[i] = (magnitude * (total / 16 + partCount + 3) + Math.abs(want[i])) * Math.ulp(1f);
        }
        TensorAssert.assertClose("gradient", want, got, bounds);
    }

    @ParameterizedTest(name = "cols={0} depth={1}")
    @CsvSource({"8,100", "16,64", "17,36", "64,132", "3,1100"})
    void lowEqualsDoubleSums(int cols, int depth) {
        assertLow(RAGGED, RAGGED, cols, depth, false);
        assertLow(LAST_HAS_ALL, LAST_HAS_ALL, cols, depth, true);
    }

    @ParameterizedTest(name = "rows={0} cols={1} parts={2}")
    @CsvSource({"4,1,1", "132,16,2", "40,8,3", "68,70,1"})
    void gradientsEqualDoubleSums(int height, int cols, int partCount) {
        assertGradient(RAGGED, height, cols, partCount, false);
        assertGradient(LAST_HAS_ALL, height, cols, partCount, true);
    }

    /// What takes another expert's adapter is found.
    @Test
    void otherExpertsFail() {
        assertThrows(AssertionError.class, () -> assertLow(RAGGED, ExpertRows.counts(2, 1, 130, 1, 66), 8, 64, false));
    }
}
