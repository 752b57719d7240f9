package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.kernels.Nf4Reference.GAP;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// `Nf4Kernels` have the bits of the host, and products of 4-bit weights those of ReferenceOps within their bound.
class Nf4KernelsTest {
    private static void emulate(int n, int block, Object y, Consumer<KernelContext> kernel) {
        KernelEmulator.grid(Math.ceilDiv(n, block) * Elements.GROUP).group(Elements.GROUP).arrays(y).run(kernel);
    }

    /// Each element's bits, from all kernels that make them.
    private static void assertDequantized(Nf4Reference want, Nf4Reference given, boolean doubly) {
        float[] w = want.dequantized(doubly);
        int n = w.length;
        int form = doubly ? Nf4Kernels.NESTED : Nf4Kernels.PLAIN;
        IntArray table = IntArray.fromElements(-1, -1, -1, GAP, GAP / 4, doubly ? GAP / 4 : GAP, GAP);
        FloatArray y = new FloatArray(GAP + n);
        ShortArray yHalf = new ShortArray(GAP + n);
        LongArray yLongs = new LongArray((GAP + n) / 4);
        y.init(Float.NaN);
        yHalf.init((short) -1);
        yLongs.init(-1);
        ShortArray codes = given.codesOnDevice();
        FloatArray absmax = Nf4Reference.onDevice(doubly ? new float[0] : given.absmax());
        IntArray absmaxCodes = given.absmaxCodesOnDevice();
        FloatArray nested = Nf4Reference.onDevice(doubly ? given.nested() : new float[0]);
        emulate(n, Elements.BLOCK, y, context -> Nf4Kernels.dequantize(context, table, SLOT, y, yHalf, Elements.F32, codes,
                absmax, absmaxCodes, nested, form, n));
        emulate(n, Elements.BLOCK, yHalf, context -> Nf4Kernels.dequantize(context, table, SLOT, y, yHalf, Elements.BF16, codes,
                absmax, absmaxCodes, nested, form, n));
        emulate(n, Nf4Kernels.BF16_BLOCK, yLongs, context -> Nf4Kernels.dequantizeBf16(context, table, SLOT, yLongs, codes,
                absmax, absmaxCodes, nested, form, n, 0, 0, 0));
        for (int i = 0; i < n; i++) {
            String place = "element " + i + " of " + n;
            assertEquals(Float.floatToRawIntBits(w[i]), Float.floatToRawIntBits(y.get(GAP + i)), place);
            short half = Convert.toBf16(w[i]);
            assertEquals(half, yHalf.get(GAP + i), place);
            assertEquals(half, (short) (yLongs.get((GAP + i) / 4) >> 16 * (i % 4)), place);
        }
        for (int i = 0; i < GAP; i++) {
            assertEquals(Float.NaN, y.get(i), "before y");
            assertEquals(-1, yHalf.get(i), "before y");
            assertEquals(-1, yLongs.get(i / 4), "before y");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 512, 1024 + 64, 8192, 8192 + 192, 3 * 8192 - 64})
    void dequantizedBitsAreTheHosts(int n) {
        Nf4Reference weights = Nf4Reference.of(Nf4Reference.weights(n, n));
        assertDequantized(weights, weights, false);
        assertDequantized(weights, weights, true);
        Nf4Reference usual = Nf4Reference.of(uniform(n, 7));
        assertDequantized(usual, usual, true);
    }

    @Test
    void swappedHalvesAndALostOffsetShow() {
        Nf4Reference weights = Nf4Reference.of(uniform(1024, 1));
        assertThrows(AssertionError.class, () -> assertDequantized(weights, weights.swapped(), false));
        float[] nested = weights.nested().clone();
        nested[256] = 0f;
        Nf4Reference lost = new Nf4Reference(weights.codes(), weights.absmax(), weights.absmaxCodes(), nested);
        assertThrows(AssertionError.class, () -> assertDequantized(weights, lost, true));
    }

    /// Known numbers of the map that double quantization uses.
    @Test
    void dynamicMapIsThatOfBitsandbytes() {
        float[] map = Nf4Reference.dynamicMap();
        assertEquals(0f, map[127]);
        assertEquals(-0.992968738f, map[0], 1e-7);
        assertEquals(5.5e-7f, map[128], 1e-13);
        assertEquals(0.97890627f, map[253], 1e-7);
        assertEquals(1f, map[255]);
    }

    private static void assertProduct(int m, int n, int k, int byDepth, int rank, DType dtype, boolean swapped) {
        float[] w = uniform(n * k, 4);
        Nf4Reference weights = Nf4Reference.of(w);
        int r = Math.max(1, rank);
        int[] wDims = byDepth == 1 ? new int[] {k, n} : new int[] {n, k};
        int[] upDims = byDepth == 1 ? new int[] {r, n} : new int[] {n, r};
        KernelOperands o = new KernelOperands(output("y", dtype, m, n), input("x", dtype, uniform(m * k, 1), m, k),
                input("w", DType.F32, weights.dequantized(false), wDims), input("bias", dtype, uniform(n, 2), n),
                input("residual", dtype, uniform(m * n, 3), m, n), input("low", DType.F32, uniform(m * r, 5), m, r),
                input("up", DType.F32, uniform(n * r, 6), upDims));
        IntArray table = new IntArray(SLOT + 8);
        for (int i = 0; i < 7; i++) table.set(SLOT + i, o.table.get(SLOT + i));
        table.set(SLOT + 2, GAP / 4);
        table.set(SLOT + 7, GAP);
        ShortArray codes = (swapped ? weights.swapped() : weights).codesOnDevice();
        FloatArray absmax = Nf4Reference.onDevice(weights.absmax());
        int type = o.type(0);
        int residual = rank > 0 ? type : ProductForm.ABSENT;
        int form = ProductForm.of(type, type, ProductForm.NF4, ProductForm.ABSENT, residual, 0, 1 - byDepth, rank);
        o.run((n + 63) / 64, (m + 63) / 64, context -> MatmulKernels.product(context, table, SLOT, o.floats, o.halves, o.floats,
                o.halves, absmax, codes, o.floats, o.halves, o.floats, o.halves, o.floats, o.floats, form, m, n, k,
                rank > 0 ? 0.7f : 1f));
        BiConsumer<TensorOps, Map<String, Tensor>> product = (ops, at) -> {
            if (rank > 0) {
                ops.copy(at.get("y"), at.get("residual"));
                ops.matmul(at.get("y"), at.get("low"), false, at.get("up"), byDepth == 0, 0.7f, true);
            }
            ops.matmul(at.get("y"), at.get("x"), false, at.get("w"), byDepth == 0, 1f, rank > 0);
        };
        o.within("y", o.reference(product).get("y"), times(k + rank + 4, o.magnitudes(product).get("y")));
    }

    @ParameterizedTest(name = "m={0} n={1} k={2} byDepth={3} rank={4} {5}")
    @CsvSource({"1,64,64,0,0,F32", "70,33,128,0,0,BF16", "5,65,192,0,16,BF16", "3,64,1,1,0,F32", "66,128,37,1,0,BF16",
        "20,192,70,1,8,F32", "2,8,16,0,0,F32"})
    void productsReadFourBits(int m, int n, int k, int byDepth, int rank, DType dtype) {
        assertProduct(m, n, k, byDepth, rank, dtype, false);
        assertThrows(AssertionError.class, () -> assertProduct(m, n, k, byDepth, rank, dtype, true));
    }
}
