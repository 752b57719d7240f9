package dev.gale.kernels;

import dev.gale.tensor.quant.Fp4;
import dev.gale.tensor.quant.Nf4;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Weights of few bits to what products can read: see `Quantization`.
///
/// Codes are seen as shorts of four; in the table stands a quarter of the offset of their first byte. A block's absmax is F32
/// or, with double quantization, a byte; `nested` holds what those bytes stand for, F32: their 256 values, the offset, and the
/// factors of `Nf4.NESTED_BLOCK` blocks each. Without, anything may stand for `nested`.
/// Codes are looked up in local memory: 16 words lie in different banks, and threads that want the same one get it together.
/// A product of a scale goes through local memory too before its offset is added, or the device would round once for both.
public final class Nf4Kernels {
    /// Form: NF4, `absmax` is F32.
    public static final int PLAIN = 0;
    /// Form: `absmax` is quantized too.
    public static final int NESTED = 1;
    /// Added to the form: codes are FP4's.
    public static final int FP4 = 2;
    /// Elements of one work-group of `dequantizeBf16`.
    public static final int BF16_BLOCK = 8192;

    private static final int VALUES = 16;
    private static final int BF16_BLOCKS = BF16_BLOCK / Nf4.BLOCK;
    private static final int BF16_EACH = BF16_BLOCK / 4 / Elements.GROUP;
    private static final int OFFSET = 256;           // where it stands in nested, before the factors

    private Nf4Kernels() {}

    /// `y = value(code) * absmax`. Shapes: y `[n]`, F32, BF16 or F16; codes `[n / 2]` and absmax `[n / 64]`: see the class; n a
    /// multiple of 64. Operands in the table: y, codes, absmax, nested.
    /// Launch: `ceil(n / Elements.BLOCK)` work-groups of `Elements.GROUP` threads; 128 bytes of local memory.
    /// Numerics: F32, one rounding for each operation, and one to the dtype of y. Writes: `=`.
    ///
    /// @param form `PLAIN` or `NESTED`, `FP4` added for that
    public static void dequantize(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf, int yType,
            ShortArray codes, FloatArray absmax, IntArray absmaxCodes, FloatArray nested, int form, int n) {
        float[] values = context.allocateFloatLocalArray(VALUES);
        float[] scales = context.allocateFloatLocalArray(Elements.BLOCK / Nf4.BLOCK);
        int[] fours = new int[Elements.EACH];        // keeps reads where they stand too: see Reduce
        int yAt = table.get(slot);
        int codesAt = table.get(slot + 1) * 2;
        int thread = context.localIdx;
        int first = context.groupIdx * Elements.BLOCK + thread;
        for (int e = 0; e < Elements.EACH; e++) {
            fours[e] = codes.get(codesAt + Math.min(first + e * Elements.GROUP, n - 1) / 4);
        }
        if (thread < VALUES) values[thread] = value(thread, form);
        if (thread < Elements.BLOCK / Nf4.BLOCK) {
            int block = Math.min(context.groupIdx * (Elements.BLOCK / Nf4.BLOCK) + thread, n / Nf4.BLOCK - 1);
            scales[thread] = scale(table.get(slot + 2), table.get(slot + 3), absmax, absmaxCodes, nested, form, block);
        }
        context.localBarrier();
        float offset = offset(table.get(slot + 3), nested, form);
        int shift = (thread & 2) * 4 + 4 - (thread & 1) * 4;
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            float scale = offsetBy(scales[(thread + e * Elements.GROUP) / Nf4.BLOCK], offset, form);
            float value = values[fours[e] >> shift & 15] * scale;
            if (i < n) Elements.set(y, yHalf, yType, yAt + i, value);
        }
    }

    /// As `dequantize`, for devices that convert BF16, and for several weights, whose dense ones lie one behind the other.
    /// Shapes: y `[n]` of each, BF16, seen as longs of four elements.
    /// Launch: `ceil(n / BF16_BLOCK)` work-groups of `Elements.GROUP` threads, neighbouring threads neighbouring longs, that
    /// for each weight; 8.5 KB of local memory for the 16 elements that each block can have, as rounding each element would
    /// take longer than writing it.
    ///
    /// @param codesDistance  what the table's numbers grow by from one weight to the next
    /// @param absmaxDistance as codesDistance, and nestedDistance
    public static void dequantizeBf16(KernelContext context, IntArray table, int slot, LongArray y, ShortArray codes,
            FloatArray absmax, IntArray absmaxCodes, FloatArray nested, int form, int n, int codesDistance, int absmaxDistance,
            int nestedDistance) {
        int[] elements = context.allocateIntLocalArray(VALUES * BF16_BLOCKS);
        float[] scales = context.allocateFloatLocalArray(BF16_BLOCKS);
        int[] fours = new int[BF16_EACH];            // keeps reads where they stand too: see Reduce
        int weight = context.groupIdy;
        int yAt = table.get(slot) / 4 + weight * (n / 4);
        int codesAt = (table.get(slot + 1) + weight * codesDistance) * 2;
        int absmaxAt = table.get(slot + 2) + weight * absmaxDistance;
        int nestedAt = table.get(slot + 3) + weight * nestedDistance;
        int thread = context.localIdx;
        int first = context.groupIdx * (BF16_BLOCK / 4) + thread;
        for (int e = 0; e < BF16_EACH; e++) {
            fours[e] = codes.get(codesAt + Math.min(first + e * Elements.GROUP, n / 4 - 1));
        }
        if (thread < BF16_BLOCKS) {
            int block = Math.min(context.groupIdx * BF16_BLOCKS + thread, n / Nf4.BLOCK - 1);
            scales[thread] = scale(absmaxAt, nestedAt, absmax, absmaxCodes, nested, form, block);
        }
        context.localBarrier();
        float offset = offset(nestedAt, nested, form);
        float value = value(thread & 15, form);
        int zero = Halves.zero(thread);
        for (int e = 0; e < BF16_EACH; e++) {
            float scale = offsetBy(scales[(thread >> 4) + e * (Elements.GROUP / VALUES)], offset, form);
            elements[thread + e * Elements.GROUP] = Halves.bits(value * scale, zero);
        }
        context.localBarrier();
        int block = thread & -16;                    // a block's 16 elements stand where its 16 longs do in y
        for (int e = 0; e < BF16_EACH; e++) {
            int four = fours[e];
            int at = first + e * Elements.GROUP;
            int low = elements[(four >> 4 & 15) + block + e * Elements.GROUP]
                    | elements[(four & 15) + block + e * Elements.GROUP] << 16;
            int high = elements[(four >> 12 & 15) + block + e * Elements.GROUP]
                    | elements[(four >> 8 & 15) + block + e * Elements.GROUP] << 16;
            if (at < n / 4) y.set(yAt + at, (long) high << 32 | low & 0xffffffffL);
        }
    }

    /// `y = code * absmax / 127`, a row having one absmax. Shapes: y `[n]`, F32, BF16 or F16; codes I8 `[n]`, ints of four;
    /// absmax F32 `[n / cols]`. Operands in the table: y, codes, absmax.
    /// Launch: `ceil(n / Elements.BLOCK)` work-groups of `Elements.GROUP` threads.
    /// Numerics: F32, one rounding for each operation, and one to the dtype of y. Writes: `=`.
    public static void dequantizeBytes(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf,
            int yType, IntArray codes, FloatArray absmax, int cols, int n) {
        int[] fours = new int[Elements.EACH];        // keeps reads where they stand too: see Reduce
        int yAt = table.get(slot);
        int codesAt = table.get(slot + 1);
        int absmaxAt = table.get(slot + 2);
        int thread = context.localIdx;
        int first = context.groupIdx * Elements.BLOCK + thread;
        for (int e = 0; e < Elements.EACH; e++) {
            fours[e] = codes.get(codesAt + Math.min(first + e * Elements.GROUP, n - 1) / 4);
        }
        for (int e = 0; e < Elements.EACH; e++) {
            int i = first + e * Elements.GROUP;
            int code = fours[e] << 24 - (i & 3) * 8 >> 24;
            float scale = absmax.get(absmaxAt + Math.min(i, n - 1) / cols);
            if (i < n) Elements.set(y, yHalf, yType, yAt + i, code * scale / 127f);
        }
    }

    private static float value(int code, int form) {
        float value = Nf4.value(code);
        if ((form & FP4) == FP4) value = Fp4.value(code);
        return value;
    }

    /// A block's absmax, less the offset.
    private static float scale(int at, int nestedAt, FloatArray absmax, IntArray codes, FloatArray nested, int form,
            int block) {
        float scale;
        if ((form & NESTED) == NESTED) {
            int code = codes.get(at + block / 4) >> (block & 3) * 8 & 255;
            scale = nested.get(nestedAt + code) * nested.get(nestedAt + OFFSET + 1 + block / Nf4.NESTED_BLOCK);
        } else {
            scale = absmax.get(at + block);
        }
        return scale;
    }

    private static float offset(int nestedAt, FloatArray nested, int form) {
        float offset = 0f;
        if ((form & NESTED) == NESTED) offset = nested.get(nestedAt + OFFSET);
        return offset;
    }

    private static float offsetBy(float scale, float offset, int form) {
        float sum = scale;
        if ((form & NESTED) == NESTED) sum = scale + offset;
        return sum;
    }

    /// Element i of a matrix, for products.
    ///
    /// @param codesAt offset of the first byte of codes, a quarter of it
    static float element(FloatArray absmax, ShortArray codes, int absmaxAt, int codesAt, int i) {
        int shift = (i & 2) * 4 + 4 - (i & 1) * 4;
        return Nf4.value(codes.get(codesAt * 2 + i / 4) >> shift & 15) * absmax.get(absmaxAt + i / Nf4.BLOCK);
    }
}
