package dev.gale.tensor.quant;

/// The 4-bit NormalFloat: 16 values, at quantiles of a normal distribution and scaled to [-1, 1], times the largest
/// magnitude of a block of `BLOCK` elements, its absmax.
///
/// Packed as by bitsandbytes: a matrix is taken row after row; element 2i is the high half of byte i, element 2i + 1 the low
/// half;
/// `dequantized = value(code) * absmax[element / BLOCK]`.
/// With double quantization a block's absmax is one of 256 values, times a number for `NESTED_BLOCK` blocks, plus one offset.
/// Source: Dettmers et al. 2023, arXiv 2305.14314, section 3; bitsandbytes, `csrc/kernels.cu`.
public final class Nf4 {
    /// Elements that share an absmax.
    public static final int BLOCK = 64;
    /// Blocks that share a number where absmax is quantized too.
    public static final int NESTED_BLOCK = 256;

    private static final float[] BORDERS = {-0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f,
            -0.33967943489551544f,
        -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f, 0.1202552504837513f,
        0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f, 0.5016634166240692f, 0.6427869200706482f,
        0.8614784178118011f};

    private Nf4() {}

    /// The number of borders that x in [-1, 1] is above; 0 for NaN.
    static int code(float x) {
        int code = 0;
        for (int step = 8; step > 0; step /= 2) code = x > BORDERS[code + step - 1] ? code + step : code;
        return code;
    }

    /// The value of a code of 0 to 15. Selects without a branch, as kernels use it too.
    public static float value(int code) {
        int bit0 = code & 1;
        int bit1 = code & 2;
        int bit2 = code & 4;
        int bit3 = code & 8;
        float v0 = bit0 == 0 ? -1f : -0.6961928009986877f;
        float v2 = bit0 == 0 ? -0.5250730514526367f : -0.39491748809814453f;
        float v4 = bit0 == 0 ? -0.28444138169288635f : -0.18477343022823334f;
        float v6 = bit0 == 0 ? -0.09105003625154495f : 0f;
        float v8 = bit0 == 0 ? 0.07958029955625534f : 0.16093020141124725f;
        float v10 = bit0 == 0 ? 0.24611230194568634f : 0.33791524171829224f;
        float v12 = bit0 == 0 ? 0.44070982933044434f : 0.5626170039176941f;
        float v14 = bit0 == 0 ? 0.7229568362236023f : 1f;
        float w0 = bit1 == 0 ? v0 : v2;
        float w4 = bit1 == 0 ? v4 : v6;
        float w8 = bit1 == 0 ? v8 : v10;
        float w12 = bit1 == 0 ? v12 : v14;
        float low = bit2 == 0 ? w0 : w4;
        float high = bit2 == 0 ? w8 : w12;
        return bit3 == 0 ? low : high;
    }
}
