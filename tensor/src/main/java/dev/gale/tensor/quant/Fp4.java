package dev.gale.tensor.quant;

/// The 4-bit floating point number of bitsandbytes: bit 3 is the sign, the others choose a magnitude in [0, 1], times the
/// largest magnitude of a block of `Nf4.BLOCK` elements. Packed as `Nf4`.
/// Source: bitsandbytes, `csrc/kernels.cu`, `dDequantizeFP4Tree`.
public final class Fp4 {
    private Fp4() {}

    /// The value of a code of 0 to 15. Selects without a branch, as kernels use it too.
    public static float value(int code) {
        int bit0 = code & 1;
        int bit1 = code & 2;
        int bit2 = code & 4;
        int bit3 = code & 8;
        float v0 = bit0 == 0 ? 0f : 0.0625f / 12;
        float v2 = bit0 == 0 ? 8f / 12 : 1f;
        float v4 = bit0 == 0 ? 4f / 12 : 6f / 12;
        float v6 = bit0 == 0 ? 2f / 12 : 3f / 12;
        float low = bit1 == 0 ? v0 : v2;
        float high = bit1 == 0 ? v4 : v6;
        float magnitude = bit2 == 0 ? low : high;
        return bit3 == 0 ? magnitude : -magnitude;
    }

    /// The code whose value is nearest to x in [-1, 1]; 0 for NaN.
    static int code(float x) {
        int sign = x < 0 ? 8 : 0;
        float m = Math.abs(x);
        if (m > 7f / 24) {
            if (m > 14f / 24) return sign + (m > 20f / 24 ? 3 : 2);
            return sign + (m > 10f / 24 ? 5 : 4);
        }
        if (m > 2.0625f / 24) return sign + (m > 5f / 24 ? 7 : 6);
        return sign + (m > 0.0625f / 24 ? 1 : 0);
    }
}
