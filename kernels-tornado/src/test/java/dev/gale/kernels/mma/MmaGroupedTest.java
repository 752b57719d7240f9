package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.kernels.Elements;
import dev.gale.kernels.ProductForm;
import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Products of the rows of experts equal double sums, however the rows are shared out and wherever matrices end. The operands
/// end where their arrays end: reading further is a fault.
class MmaGroupedTest {
    private static final int GAP = 64;
    private static final int BETWEEN = 12;                       // elements between the matrices of two experts
    private static final ExpertRows RAGGED = ExpertRows.counts(3, 0, 70, 1, 0, 66);
    private static final ExpertRows FIRST_HAS_ALL = ExpertRows.counts(131, 0, 0);
    private static final ExpertRows FEW = ExpertRows.counts(0, 2, 5, 0);

    /// BF16 after a gap of NaN, and the numbers that they are.
    private record Operand(LongArray longs, float[] values) {
        static Operand of(int n, long seed) {
            float[] values = Fixtures.uniform(n, seed);
            LongArray longs = new LongArray((GAP + n + 3) / 4);
            longs.init(-1);
            ShortArray halves = ShortArray.fromSegmentShallow(longs.getSegmentWithHeader());
            for (int i = 0; i < n; i++) {
                halves.set(GAP + i, Convert.toBf16(values[i]));
                values[i] = Convert.fromBf16(halves.get(GAP + i));
            }
            return new Operand(longs, values);
        }
    }

    /// @param bf16 whether y is BF16 rather than F32
    /// @param adds whether the product is added to y
    private record Case(boolean bf16, boolean adds, int rank, float alpha) {}

    /// @param first of the experts that have a matrix; those before it and the last one have none, and their rows of y stay
    private static void assertProduct(MmaGrouped product, ExpertRows rows, int first, int n, int k, Case with) {
        assertProduct(product, rows, rows, first, n, k, with);
    }

    /// @param told what the kernel is told
    private static void assertProduct(MmaGrouped product, ExpertRows rows, ExpertRows told, int first, int n, int k,
            Case with) {
        int m = rows.total();
        int count = rows.experts() - first - (first > 0 ? 1 : 0);
        int rank = with.rank;
        int stride = n * k + BETWEEN;
        Operand x = Operand.of(m * k, 1);
        Operand w = Operand.of(count * stride, 2);
        Operand low = Operand.of(m * rank, 3);
        Operand up = Operand.of(count * n * rank, 4);
        float[] old = Fixtures.uniform(m * n, 5);
        LongArray y = new LongArray(with.bf16 ? (GAP + m * n + 3) / 4 : 1);
        FloatArray yFloats = new FloatArray(with.bf16 ? 1 : GAP + m * n);
        ShortArray yHalves = with.bf16 ? ShortArray.fromSegmentShallow(y.getSegmentWithHeader()) : new ShortArray(1);
        for (int i = 0; i < m * n; i++) {
            if (with.bf16) {
                yHalves.set(GAP + i, Convert.toBf16(old[i]));
                old[i] = Convert.fromBf16(yHalves.get(GAP + i));
            } else {
                yFloats.set(GAP + i, old[i]);
            }
        }
        int type = with.bf16 ? Elements.BF16 : Elements.F32;
        int form = ProductForm.of(type, 0, 0, ProductForm.ABSENT, with.adds ? type : ProductForm.ABSENT, 0,
                product.byDepth() ? 0 : 1, rank);
        IntArray table = new IntArray(6);
        table.init(GAP);
        KernelEmulator.grid(product.groups(m, n, count) * MmaGrouped.THREADS).group(MmaGrouped.THREADS)
                .arrays(with.bf16 ? y : yFloats).run(owner(product), method(product), table, 0, y, yFloats, yHalves, x.longs,
                        w.longs, low.longs, up.longs, told.spans(GAP, first, count, m, product.rows()), form, count, stride, m,
                        n, k, with.alpha);
        float[] want = new float[m * n];
        float[] got = new float[m * n];
        double[] bounds = new double[m * n];
        for (int i = 0; i < m * n; i++) {
            int row = i / n;
            int col = i % n;
            int expert = rows.expert(row) - first;
            got[i] = with.bf16 ? Convert.fromBf16(yHalves.get(GAP + i)) : yFloats.get(GAP + i);
            want[i] = old[i];
            if (expert < 0 || expert >= count) continue;
            double sum = with.adds ? old[i] : 0;
            double magnitude = Math.abs(sum);
            for (int l = 0; l < k + rank; l++) {
                boolean side = l >= k;
                int at = side ? l - k : l;
                int depth = side ? rank : k;
                float right = (side ? up : w).values[expert * (side ? n * rank : stride)
                        + (product.byDepth() ? at * n + col : col * depth + at)];
                double term = with.alpha * (double) (side ? low : x).values[row * depth + at] * right;
                sum += term;
                magnitude += Math.abs(term);
            }
            want[i] = (float) sum;
            bounds[i] = ((k + rank) / 16 + 8) * (double) Math.ulp(1f) * magnitude + (with.bf16 ? 0x1p-8 * Math.abs(sum) : 0);
        }
        TensorAssert.assertClose("%s %s n=%d k=%d %s".formatted(product, rows, n, k, with), want, got, bounds);
    }

    private static MmaGenerator.Variant variant(MmaGrouped product) {
        return GroupedGenerator.VARIANTS.get(product.ordinal());
    }

    private static String method(MmaGrouped product) {
        return variant(product).method();
    }

    private static Class<?> owner(MmaGrouped product) {
        try {
            return Class.forName("dev.gale.kernels.mma." + variant(product).name());
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @EnumSource(MmaGrouped.class)
    void productsEqualDoubleSums(MmaGrouped product) {
        int odd = product.byDepth() ? 68 : 67;
        assertProduct(product, RAGGED, 0, 36, 68, new Case(true, false, 0, 1f));
        assertProduct(product, FIRST_HAS_ALL, 0, odd, 4, new Case(false, true, 0, -0.5f));
        assertProduct(product, FEW, 0, 132, 32, new Case(false, false, 0, 1f));
    }

    @ParameterizedTest
    @EnumSource(MmaGrouped.class)
    void lowRankTermsAreAdded(MmaGrouped product) {
        int odd = product.byDepth() ? 36 : 37;
        assertProduct(product, RAGGED, 0, 132, 36, new Case(true, true, 32, 1f));
        assertProduct(product, FEW, 0, odd, 64, new Case(true, false, 64, 0.7f));
    }

    @ParameterizedTest
    @EnumSource(names = {"FORWARD_64X64", "BACKWARD_64X64"})
    void rowsOfOtherExpertsStay(MmaGrouped product) {
        assertProduct(product, RAGGED, 2, 8, 36, new Case(true, false, 32, 1f));
        assertProduct(product, FEW, 1, 8, 8, new Case(false, true, 0, 1f));
    }

    /// What takes another expert's matrix is found.
    @Test
    void otherExpertsFail() {
        Case with = new Case(false, false, 0, 1f);
        ExpertRows other = ExpertRows.counts(4, 0, 69, 1, 0, 66);
        assertThrows(AssertionError.class, () -> assertProduct(MmaGrouped.FORWARD_64X64, RAGGED, other, 0, 8, 32, with));
    }

    /// Every row belongs to one tile, of its expert.
    @Test
    void tilesHaveEveryRowOnce() {
        for (ExpertRows rows : new ExpertRows[] {RAGGED, FIRST_HAS_ALL, FEW, ExpertRows.counts(64, 128, 0, 64),
                ExpertRows.counts(0)}) {
            for (int tile : new int[] {64, 128}) {
                int count = rows.experts();
                IntArray spans = rows.spans(GAP, 0, count, rows.total(), tile);
                BitSet seen = new BitSet();
                for (int e = 0; e <= count; e++) assertEquals(rows.offsets()[e], spans.get(GAP + e));
                for (int t = 0; t < ExpertTiles.count(rows.total(), count, tile); t++) {
                    int span = GAP + ExpertTiles.span(t, count);
                    int begin = spans.get(span + 1);
                    int end = Math.min(begin + tile, spans.get(span + 2));
                    int anchor = ExpertTiles.anchor(begin, rows.total(), tile);
                    assertTrue(anchor <= begin && (rows.total() < tile || anchor + tile <= rows.total()));
                    for (int row = begin; row < end; row++) {
                        assertEquals(rows.expert(row), spans.get(span));
                        assertTrue(!seen.get(row) && row < anchor + tile);
                        seen.set(row);
                    }
                }
                assertEquals(rows.total(), seen.cardinality());
            }
        }
    }
}
