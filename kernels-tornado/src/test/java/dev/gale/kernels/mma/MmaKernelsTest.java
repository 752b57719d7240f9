package dev.gale.kernels.mma;

import static org.junit.jupiter.api.Assertions.assertEquals;

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

    private static void assertProduct(MmaProduct product, int m, int n, int k) {
        Operand x = Operand.of(product.bf16(), m * k, 1);
        Operand w = Operand.of(product.bf16(), k * n, 2);
        int stride = product.sumCols(n);
        FloatArray sums = new FloatArray(GAP + product.sumRows(m) * stride);
        sums.init(Float.NaN);
        IntArray table = IntArray.fromElements(-1, -1, GAP, GAP, GAP);
        KernelEmulator.grid(product.groups(m, n) * product.threads()).group(product.threads())
                .arrays(sums, x.longs, w.longs)
                .run(context -> product.kernel().apply(context, table, SLOT, sums, x.longs, w.longs, m, n, k));
        float[] want = new float[m * n];
        float[] got = new float[m * n];
        double[] bounds = new double[m * n];
        for (int i = 0; i < m * n; i++) {
            double sum = 0;
            for (int l = 0; l < k; l++) {
                double right = w.values[product.byDepth() ? l * n + i % n : i % n * k + l];
                sum += x.values[i / n * k + l] * right;
                bounds[i] += Math.abs(x.values[i / n * k + l] * right);
            }
            bounds[i] *= (k / 16 + 2) * (double) Math.ulp(1f);
            want[i] = (float) sum;
            got[i] = sums.get(GAP + i / n * stride + i % n);
        }
        TensorAssert.assertClose("%s m=%d n=%d k=%d".formatted(product, m, n, k), want, got, bounds);
        for (int i = 0; i < GAP; i++) assertEquals(Float.NaN, sums.get(i), "before the sums");
    }

    @ParameterizedTest
    @EnumSource(MmaProduct.class)
    void productsEqualDoubleSums(MmaProduct product) {
        assertProduct(product, 1, 4, 32);
        assertProduct(product, 40, 132, 36);
        assertProduct(product, 130, 4, 96);
        assertProduct(product, product.sumRows(1), product.sumCols(1), 64);
    }

    /// A weight of one row of zeros must not meet what stands beyond the end of x's rows.
    @ParameterizedTest
    @EnumSource(names = {"BF16_FORWARD_64X64", "BF16_BACKWARD_64X64"})
    void depthEndsWithinATile(MmaProduct product) {
        for (int k = 4; k <= 32; k += 4) assertProduct(product, 3, 8, k);
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
