package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.kernels.Elements;
import dev.gale.kernels.ProductForm;
import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
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

/// Every product of the matrix unit equals a double loop, for matrices that end anywhere in a tile. The operands end where
/// their arrays end: reading further is a fault.
class MmaKernelsTest {
    private static final int SLOT = 2;
    private static final int GAP = 64;                           // elements before an operand
    private static final short NAN = (short) 0x7fff;             // in BF16 and F16

    /// Values as an operand, after a gap, and as the numbers that they were rounded to.
    private record Operand(LongArray longs, float[] values) {
        static Operand of(boolean bf16, int n, long seed) {
            float[] values = Fixtures.uniform(n, seed);
            LongArray longs = new LongArray((GAP + n) / 4);
            for (int i = 0; i < GAP; i++) set(longs, i, NAN);
            for (int i = 0; i < n; i++) {
                short bits = bf16 ? Convert.toBf16(values[i]) : Float.floatToFloat16(values[i]);
                values[i] = bf16 ? Convert.fromBf16(bits) : Float.float16ToFloat(bits);
                set(longs, GAP + i, bits);
            }
            return new Operand(longs, values);
        }

        private static void set(LongArray longs, int i, short bits) {
            longs.set(i / 4, longs.get(i / 4) | (bits & 0xffffL) << 16 * (i % 4));
        }
    }

    /// What is beside a product.
    ///
    /// @param residual null for none
    private record Case(boolean bf16Result, boolean bias, DType residual, boolean inPlace, int rank, float alpha) {
        static final Case PLAIN = new Case(false, false, null, false, 0, 1f);
    }

    private static double bound(Case with, double magnitude, double value, int terms) {
        double roundings = with.bf16Result ? 0x1p-8 * Math.abs(value) : 0;
        return ((terms + with.rank) / 16 + 8) * (double) Math.ulp(1f) * magnitude + roundings;
    }

    /// `y = x op(w)` in F32, once.
    static void run(MmaProduct product, FloatArray y, IntArray table, int slot, LongArray x, LongArray w, int m, int n, int k) {
        int form = ProductForm.of(Elements.F32, 0, 0, ProductForm.ABSENT, ProductForm.ABSENT, 0, product.byDepth() ? 0 : 1, 0);
        IntArray offsets = new IntArray(slot + 7);
        for (int i = 0; i < 3; i++) offsets.set(slot + i, table.get(slot + i));
        emulator(product, m, n).arrays(y).once().run(owner(product), method(product), offsets, slot, new LongArray(1), y,
                new ShortArray(1), x, w, new FloatArray(1), new ShortArray(1), new LongArray(1), new FloatArray(1),
                new ShortArray(1), new LongArray(1), new LongArray(1), form, m, n, k, 1f);
    }

    private static KernelEmulator emulator(MmaProduct product, int m, int n) {
        return KernelEmulator.grid(product.groups(m, n) * product.threads()).group(product.threads());
    }

    private static MmaGenerator.Variant variant(MmaProduct product) {
        return MmaGenerator.VARIANTS.stream().filter(each -> each.name().equalsIgnoreCase(product.name().replace("_", "")))
                .findFirst().orElseThrow();
    }

    private static String method(MmaProduct product) {
        return variant(product).method();
    }

    private static void assertProduct(MmaProduct product, int m, int n, int k) {
        assertProduct(product, m, n, k, Case.PLAIN);
    }

    private static void assertProduct(MmaProduct product, int m, int n, int k, Case with) {
        assertProduct(product, product, m, n, k, with);
    }

    /// @param used whose kernel runs
    private static void assertProduct(MmaProduct used, MmaProduct product, int m, int n, int k, Case with) {
        int rank = MmaProduct.paddedRank(with.rank);
        Operand x = Operand.of(product.bf16(), m * k, 1);
        Operand w = Operand.of(product.bf16(), k * n, 2);
        Operand low = Operand.of(product.bf16(), m * rank, 3);
        Operand up = Operand.of(product.bf16(), n * rank, 4);
        float[] bias = Fixtures.uniform(n, 5);
        Results before = new Results(with.residual == DType.BF16, m * n);
        float[] old = Fixtures.uniform(m * n, 6);
        before.set(old);
        Results y = with.inPlace ? before : new Results(with.bf16Result, m * n);
        FloatArray biasFloats = new FloatArray(GAP + n);
        for (int i = 0; i < n; i++) biasFloats.set(GAP + i, bias[i]);
        int form = ProductForm.of(with.bf16Result ? Elements.BF16 : Elements.F32, 0, 0,
                with.bias ? Elements.F32 : ProductForm.ABSENT,
                with.residual == null ? ProductForm.ABSENT : with.residual == DType.BF16 ? Elements.BF16 : Elements.F32, 0,
                product.byDepth() ? 0 : 1, rank);
        IntArray table = new IntArray(SLOT + 7);
        table.init(GAP);
        emulator(used, m, n).arrays(y.arrays()).run(owner(used), method(used), table, SLOT, y.longs, y.floats, y.halves,
                x.longs, w.longs, biasFloats, new ShortArray(1), before.longs, before.floats, before.halves, low.longs,
                up.longs, form, m, n, k, with.alpha);
        float[] want = new float[m * n];
        double[] bounds = new double[m * n];
        for (int i = 0; i < m * n; i++) {
            int row = i / n;
            int col = i % n;
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < k + rank; l++) {
                double term = l < k ? (double) x.values[row * k + l] * w.values[product.byDepth() ? l * n + col : col * k + l]
                        : (double) low.values[row * rank + l - k] * up.values[product.byDepth() ? (l - k) * n + col
                                : col * rank + l - k];
                sum += with.alpha * term;
                magnitude += Math.abs(with.alpha * term);
            }
            double rest = (with.bias ? bias[col] : 0) + (with.residual == null ? 0 : old[i]);
            want[i] = (float) (sum + rest);
            bounds[i] = bound(with, magnitude + Math.abs(rest) + 2, sum + rest, k);
        }
        TensorAssert.assertClose("%s m=%d n=%d k=%d %s".formatted(product, m, n, k, with), want, y.values(), bounds);
        y.assertGap();
    }

    private static Class<?> owner(MmaProduct product) {
        try {
            return Class.forName("dev.gale.kernels.mma." + variant(product).name());
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    /// A matrix after a gap, whose three views are one array of F32 or BF16.
    private static final class Results {
        final boolean bf16;
        final int n;
        final LongArray longs;
        final FloatArray floats;
        final ShortArray halves;

        Results(boolean bf16, int n) {
            this.bf16 = bf16;
            this.n = n;
            longs = new LongArray(bf16 ? (GAP + n + 3) / 4 : 1);
            floats = new FloatArray(bf16 ? 1 : GAP + n);
            halves = bf16 ? ShortArray.fromSegmentShallow(longs.getSegmentWithHeader()) : new ShortArray(1);
            floats.init(Float.NaN);
            if (bf16) longs.init(-1);
        }

        /// Rounds the values in place.
        void set(float[] values) {
            for (int i = 0; i < n; i++) {
                if (bf16) {
                    halves.set(GAP + i, Convert.toBf16(values[i]));
                    values[i] = Convert.fromBf16(halves.get(GAP + i));
                } else {
                    floats.set(GAP + i, values[i]);
                }
            }
        }

        Object[] arrays() {
            return new Object[] {bf16 ? longs : floats};
        }

        float[] values() {
            float[] values = new float[n];
            for (int i = 0; i < n; i++) values[i] = bf16 ? Convert.fromBf16(halves.get(GAP + i)) : floats.get(GAP + i);
            return values;
        }

        void assertGap() {
            for (int i = 0; i < GAP; i++) {
                assertEquals(Float.NaN, bf16 ? Convert.fromBf16(halves.get(i)) : floats.get(i), "before y");
            }
        }
    }

    @ParameterizedTest
    @EnumSource(MmaProduct.class)
    void productsEqualDoubleSums(MmaProduct product) {
        assertProduct(product, 1, 4, 32);
        assertProduct(product, 40, 132, 36);
        assertProduct(product, 130, 4, 96);
        assertProduct(product, product.sumRows(1), product.sumCols(1), 64);
    }

    @ParameterizedTest
    @EnumSource(MmaProduct.class)
    void productsAddWhatIsBesideThem(MmaProduct product) {
        int odd = product.byDepth() ? 68 : 67;                   // columns that are no whole number of longs, where they may be
        assertProduct(product, 70, 132, 36, new Case(true, true, DType.BF16, false, 0, 1f));
        assertProduct(product, 33, 132, 36, new Case(true, false, DType.BF16, true, 20, 1f));
        assertProduct(product, 33, 64, 64, new Case(false, true, DType.BF16, false, 64, 0.7f));
        assertProduct(product, 20, odd, 32, new Case(true, true, DType.F32, false, 33, 1f));
        assertProduct(product, 65, odd, 4, new Case(false, true, DType.F32, true, 16, -2f));
        assertProduct(product, 9, odd, 68, new Case(true, false, DType.BF16, true, 0, 1f));
    }

    /// What reads its right operands along the wrong side is found.
    @Test
    void otherTermsFail() {
        MmaProduct product = MmaProduct.BF16_FORWARD_64X64;
        Case with = new Case(true, true, DType.BF16, false, 32, 1f);
        assertProduct(product, 64, 32, 32, with);
        assertThrows(AssertionError.class, () -> assertProduct(MmaProduct.BF16_BACKWARD_64X64, product, 64, 32, 32, with));
    }

    /// A weight of one row of zeros must not meet what stands beyond the end of x's rows.
    @ParameterizedTest
    @EnumSource(names = {"BF16_FORWARD_64X64", "BF16_BACKWARD_64X64"})
    void depthEndsWithinATile(MmaProduct product) {
        for (int k = 4; k <= 32; k += 4) {
            assertProduct(product, 3, 8, k);
            assertProduct(product, 3, 8, k, new Case(true, false, null, false, 32, 1f));
        }
    }

    @Test
    void everyTileIsMadeOnce() {
        for (int m : new int[] {1, 127, 128, 1024, 1025, 3000}) {
            for (int n : new int[] {1, 128, 130, 640}) {
                int across = (n + 127) / 128;
                BitSet made = new BitSet();
                int groups = MmaTiles.groups(m, n, 128, 128);
                for (int group = 0; group < groups; group++) {
                    int top = MmaTiles.top(group, m, n, 128, 128);
                    made.set(top / 128 * across + MmaTiles.left(group, m, n, 128, 128) / 128);
                }
                assertEquals(groups, made.cardinality());
                assertEquals(groups, made.length());
                assertEquals((m + 127) / 128 * across, groups);
            }
        }
    }
}
