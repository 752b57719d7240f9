package dev.gale.tensor.quant;

import java.util.Arrays;

/// The dynamic 8-bit type of optimizer states: 256 values in [-1, 1], or in [0, 1] for what is never negative, times the
/// largest magnitude of a block of `BLOCK` elements, its absmax. Seven decades have 1, 2, 4 ... 64 values each (of either
/// sign; twice as many without one), evenly spread, beside 0 and 1.
///
/// `dequantized = value(code) * absmax[element / BLOCK]`; blocks are counted through the flattened tensor.
/// Source: Dettmers et al. 2021, arXiv 2110.02861, section 2.2; bitsandbytes, `create_dynamic_map`.
public final class Dynamic8 {
    /// Elements that share an absmax.
    public static final int BLOCK = 256;
    /// Number of codes.
    public static final int CODES = 256;
    private static final int DECADES = 7;
    private static final float[] SIGNED = values(true);
    private static final float[] UNSIGNED = values(false);

    private Dynamic8() {}

    /// The value of each code, ascending; code 127 is 0.
    public static float[] signed() {
        return SIGNED.clone();
    }

    /// The value of each code, ascending; code 0 is 0.
    public static float[] unsigned() {
        return UNSIGNED.clone();
    }

    /// How many blocks n elements have.
    public static int blocks(long n) {
        return Math.toIntExact(Math.ceilDiv(n, BLOCK));
    }

    /// The code whose value is nearest to x, the lower one between two.
    public static int nearest(float[] values, float x) {
        int code = 0;
        for (int step = CODES / 2; step > 0; step /= 2) code = values[code + step] <= x ? code + step : code;
        return code < CODES - 1 && x > 0.5f * (values[code] + values[code + 1]) ? code + 1 : code;
    }

    /// As `nearest` among the signed values, but never of the other sign than x: a negative x that is nearest to 0 gets the
    /// code below.
    public static int nearestSigned(float[] values, float x) {
        int code = nearest(values, x);
        return x < 0 && values[code] >= 0 ? code - 1 : code;
    }

    private static float[] values(boolean signed) {
        float[] values = new float[CODES];
        int count = 2;                                       // 0 and 1
        values[1] = 1;
        for (int decade = 0; decade < DECADES; decade++) {
            int steps = signed ? 1 << decade : 2 << decade;
            float scale = (float) Math.pow(10, decade - DECADES + 1);
            for (int i = 0; i < steps; i++) {
                float value = (border(i, steps) + border(i + 1, steps)) / 2 * scale;
                values[count++] = value;
                if (signed) values[count++] = -value;
            }
        }
        Arrays.sort(values);
        return values;
    }

    /// Element i of `torch.linspace(0.1, 1, steps + 1)`, which counts from both ends.
    private static float border(int i, int steps) {
        float step = (1 - 0.1f) / steps;
        return i < (steps + 1) / 2 ? Math.fma(step, i, 0.1f) : Math.fma(-step, steps - i, 1f);
    }
}
