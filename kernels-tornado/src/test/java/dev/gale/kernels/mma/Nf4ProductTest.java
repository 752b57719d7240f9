package dev.gale.kernels.mma;

import static dev.gale.kernels.Nf4Reference.GAP;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.kernels.Nf4Reference;
import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import dev.gale.tensor.testing.TensorAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Products of the matrix unit that dequantize w: they equal ReferenceOps' of the dequantized w, and have the bits of their
/// BF16 product.
class Nf4ProductTest {
    private static final int SLOT = 2;

    private static LongArray bf16(float[] values) {
        LongArray longs = new LongArray((GAP + values.length) / 4);
        for (int i = 0; i < values.length; i++) {
            int at = (GAP + i) / 4;
            longs.set(at, longs.get(at) | (Convert.toBf16(values[i]) & 0xffffL) << 16 * (i % 4));
        }
        return longs;
    }

    private static float[] reference(boolean byDepth, float[] x, float[] w, int m, int n, int k) {
        try (TensorOps ops = new ReferenceOps()) {
            Tensor y = ops.allocate("y", DType.F32, Shape.of(m, n));
            Tensor left = ops.allocate("x", DType.F32, Shape.of(m, k));
            Tensor right = ops.allocate("w", DType.F32, byDepth ? Shape.of(k, n) : Shape.of(n, k));
            ops.write(left, x);
            ops.write(right, w);
            ops.matmul(y, left, false, right, !byDepth, 1f, false);
            return ops.toFloats(y);
        }
    }

    private static float[] magnitudes(float[] values) {
        float[] magnitudes = values.clone();
        for (int i = 0; i < magnitudes.length; i++) magnitudes[i] = Math.abs(magnitudes[i]);
        return magnitudes;
    }

    private static void assertProduct(Nf4Product nf4, int m, int n, int k, boolean swapped) {
        MmaProduct product = nf4.product();
        float[] x = Fixtures.uniform(m * k, 1);
        for (int i = 0; i < x.length; i++) x[i] = Convert.fromBf16(Convert.toBf16(x[i]));
        Nf4Reference weights = Nf4Reference.of(Fixtures.normal(n * k, 0.02, 2));
        float[] w = weights.rounded(false);
        int stride = product.sumCols(n);
        FloatArray sums = new FloatArray(GAP + product.sumRows(m) * stride);
        sums.init(Float.NaN);
        FloatArray ofBf16 = new FloatArray(sums.getSize());
        IntArray table = IntArray.fromElements(-1, -1, GAP, GAP, GAP / 4, GAP);
        IntArray tableOfBf16 = IntArray.fromElements(-1, -1, GAP, GAP, GAP, GAP);
        LongArray xLongs = bf16(x);
        LongArray wLongs = bf16(w);
        ShortArray codes = (swapped ? weights.swapped() : weights).codesOnDevice();
        FloatArray absmax = Nf4Reference.onDevice(weights.absmax());
        KernelEmulator.grid(product.groups(m, n) * product.threads()).group(product.threads()).arrays(sums)
                .run(context -> nf4.kernel().apply(context, table, SLOT, sums, xLongs, codes, absmax, m, n, k));
        MmaKernelsTest.run(product, ofBf16, tableOfBf16, SLOT, xLongs, wLongs, m, n, k);
        float[] want = reference(product.byDepth(), x, w, m, n, k);
        float[] magnitudes = reference(product.byDepth(), magnitudes(x), magnitudes(w), m, n, k);
        float[] got = new float[m * n];
        float[] same = new float[m * n];
        double[] bounds = new double[m * n];
        for (int i = 0; i < m * n; i++) {
            got[i] = sums.get(GAP + i / n * stride + i % n);
            same[i] = ofBf16.get(GAP + i);
            bounds[i] = (k / 16 + 3) * (double) Math.ulp(1f) * magnitudes[i];
        }
        String name = "%s m=%d n=%d k=%d".formatted(nf4, m, n, k);
        TensorAssert.assertClose(name, want, got, bounds);
        TensorAssert.assertEqual(name + " of BF16", same, got);
        for (int i = 0; i < GAP; i++) assertEquals(Float.NaN, sums.get(i), "before the sums");
    }

    @ParameterizedTest
    @EnumSource(Nf4Product.class)
    void productsEqualThoseOfDequantizedWeights(Nf4Product nf4) {
        boolean byDepth = nf4.product().byDepth();
        assertProduct(nf4, 1, byDepth ? 64 : 4, byDepth ? 4 : 64, false);
        assertProduct(nf4, 40, byDepth ? 192 : 133, byDepth ? 36 : 128, false);
        assertProduct(nf4, 130, byDepth ? 64 : 5, byDepth ? 100 : 192, false);
        assertProduct(nf4, nf4.product().sumRows(1), byDepth ? 128 : nf4.product().sumCols(1), 64, false);
        assertThrows(AssertionError.class, () -> assertProduct(nf4, 3, 64, 64, true));
    }

    @Test
    void takesWholeBlocks() {
        assertEquals(Nf4Product.NF4_FORWARD_128X128, Nf4Product.of(false, 4096, 4096));
        assertEquals(Nf4Product.NF4_BACKWARD_64X64, Nf4Product.of(true, 64, 4096));
        assertTrue(Nf4Product.takes(false, 5, 128));
        assertTrue(Nf4Product.takes(true, 128, 36));
        assertFalse(Nf4Product.takes(false, 128, 36));
        assertFalse(Nf4Product.takes(true, 36, 128));
    }
}
