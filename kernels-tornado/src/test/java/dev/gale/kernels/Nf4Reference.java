package dev.gale.kernels;

import dev.gale.tensor.Convert;
import dev.gale.tensor.testing.Fixtures;
import java.util.Arrays;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// A matrix in 4 bits as bitsandbytes makes it, on the host and as plain as can be.
///
/// @param codes       two elements a byte
/// @param absmax      of each 64 elements
/// @param absmaxCodes with double quantization, instead of absmax
/// @param nested      the 256 values of those, the offset, the factors of 256 each
public record Nf4Reference(byte[] codes, float[] absmax, byte[] absmaxCodes, float[] nested) {
    private static final float[] VALUES = {-1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0f, 0.07958029955625534f, 0.16093020141124725f,
        0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1f};
    private static final float[] THRESHOLDS = {-0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f,
        -0.33967943489551544f, -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
        0.1202552504837513f, 0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f, 0.5016634166240692f,
        0.6427869200706482f, 0.8614784178118011f};
    private static final int BLOCK = 64;
    private static final int NESTED_BLOCK = 256;
    private static final int OFFSET = 256;

    /// Elements before an operand in its array.
    public static final int GAP = 64;

    /// Quantizes a matrix, both ways.
    public static Nf4Reference of(float[] w) {
        byte[] codes = new byte[w.length / 2];
        float[] absmax = new float[w.length / BLOCK];
        for (int i = 0; i < w.length; i++) absmax[i / BLOCK] = Math.max(absmax[i / BLOCK], Math.abs(w[i]));
        for (int i = 0; i < w.length; i++) {
            float scaled = w[i] * (1f / absmax[i / BLOCK]);
            int code = 0;
            for (float threshold : THRESHOLDS) if (scaled > threshold) code++;
            codes[i / 2] |= (byte) (i % 2 == 0 ? code << 4 : code);
        }
        byte[] absmaxCodes = new byte[absmax.length];
        float[] nested = Arrays.copyOf(dynamicMap(), OFFSET + 1 + Math.ceilDiv(absmax.length, NESTED_BLOCK));
        double sum = 0;
        for (float value : absmax) sum += value;
        nested[OFFSET] = (float) (sum / absmax.length);
        for (int i = 0; i < absmax.length; i++) {
            int factor = OFFSET + 1 + i / NESTED_BLOCK;
            nested[factor] = Math.max(nested[factor], Math.abs(absmax[i] - nested[OFFSET]));
        }
        for (int i = 0; i < absmax.length; i++) {
            float scaled = (absmax[i] - nested[OFFSET]) * (1f / nested[OFFSET + 1 + i / NESTED_BLOCK]);
            int nearest = 0;
            for (int c = 1; c < 256; c++) if (Math.abs(nested[c] - scaled) < Math.abs(nested[nearest] - scaled)) nearest = c;
            absmaxCodes[i] = (byte) nearest;
        }
        return new Nf4Reference(codes, absmax, absmaxCodes, nested);
    }

    /// The signed 8-bit numbers with a dynamic exponent.
    static float[] dynamicMap() {
        float[] map = new float[256];
        int count = 0;
        for (int i = 0; i < 7; i++) {
            int items = 1 << i;
            for (int j = 0; j < items; j++) {
                double mean = 0.1 + 0.9 * (j + 0.5) / items;
                map[count++] = (float) (mean * Math.pow(10, i - 6));
                map[count++] = -map[count - 2];
            }
        }
        map[count++] = 0f;
        map[count] = 1f;
        Arrays.sort(map);
        return map;
    }

    /// Blocks of all kinds: normal, constant, zeros, denormal, huge, one large element, of one sign.
    public static float[] weights(int n, long seed) {
        float[] w = Fixtures.normal(n, 0.02, seed);
        for (int i = 0; i < n; i++) {
            switch (i / BLOCK % 8) {
                case 1 -> w[i] = -0.37f;
                case 2 -> w[i] = 0f;
                case 3 -> w[i] *= 1e-38f;
                case 4 -> w[i] *= 3e38f;
                case 5 -> w[i] = i % BLOCK == 17 ? Float.MAX_VALUE / 2 : w[i];
                case 6 -> w[i] = Math.abs(w[i]);
                case 7 -> w[i] *= Float.MIN_VALUE * 100;
                default -> { }
            }
        }
        return w;
    }

    /// What the host makes of the codes.
    public float[] dequantized(boolean doubly) {
        float[] w = new float[codes.length * 2];
        float[] scales = doubly ? nestedAbsmax() : absmax;
        for (int i = 0; i < w.length; i++) {
            int code = i % 2 == 0 ? codes[i / 2] >> 4 & 15 : codes[i / 2] & 15;
            w[i] = VALUES[code] * scales[i / BLOCK];
        }
        return w;
    }

    float[] nestedAbsmax() {
        float[] scales = new float[absmax.length];
        for (int i = 0; i < scales.length; i++) {
            float product = nested[absmaxCodes[i] & 255] * nested[OFFSET + 1 + i / NESTED_BLOCK];
            scales[i] = product + nested[OFFSET];
        }
        return scales;
    }

    /// As `dequantized`, rounded to BF16.
    public float[] rounded(boolean doubly) {
        float[] w = dequantized(doubly);
        for (int i = 0; i < w.length; i++) w[i] = Convert.fromBf16(Convert.toBf16(w[i]));
        return w;
    }

    /// The same with the halves of each byte exchanged, as a kernel would have it that reads the low half first.
    public Nf4Reference swapped() {
        byte[] swapped = new byte[codes.length];
        for (int i = 0; i < swapped.length; i++) swapped[i] = (byte) (codes[i] << 4 | codes[i] >> 4 & 15);
        return new Nf4Reference(swapped, absmax, absmaxCodes, nested);
    }

    // ---- on the device: each after GAP elements, ending where its array ends ----

    public ShortArray codesOnDevice() {
        ShortArray shorts = new ShortArray((GAP + codes.length) / 2);
        for (int i = 0; i < codes.length; i++) {
            int at = (GAP + i) / 2;
            shorts.set(at, (short) (shorts.get(at) | (codes[i] & 255) << 8 * (i % 2)));
        }
        return shorts;
    }

    IntArray absmaxCodesOnDevice() {
        IntArray ints = new IntArray(Math.ceilDiv(GAP + absmaxCodes.length, 4));
        for (int i = 0; i < absmaxCodes.length; i++) {
            int at = (GAP + i) / 4;
            ints.set(at, ints.get(at) | (absmaxCodes[i] & 255) << 8 * (i % 4));
        }
        return ints;
    }

    public static FloatArray onDevice(float[] values) {
        FloatArray floats = new FloatArray(GAP + values.length);
        floats.init(Float.NaN);
        for (int i = 0; i < values.length; i++) floats.set(GAP + i, values[i]);
        return floats;
    }
}
