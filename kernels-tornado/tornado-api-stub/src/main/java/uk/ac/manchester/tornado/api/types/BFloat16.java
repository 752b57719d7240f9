package uk.ac.manchester.tornado.api.types;

/// The upper half of a float. Encoding rounds to nearest, ties away from zero, as the documented software encoder does.
public final class BFloat16 {
    public static final float BF16_MAX = 3.3895314e38f;

    private BFloat16() {}

    public static float bf16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static short bf16FromFloat(float value) {
        if (Float.isNaN(value)) return 0x7fc0;
        return (short) ((Float.floatToRawIntBits(value) + 0x8000) >>> 16);
    }
}
