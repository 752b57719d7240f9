package uk.ac.manchester.tornado.api.types;

/// The upper half of a float. Encoding rounds to nearest, ties to even, as the CUDA backend does; TornadoVM's
/// software encoder rounds ties away from zero.
public final class BFloat16 {
    public static final float BF16_MAX = 3.3895314e38f;

    private BFloat16() {}

    public static float bf16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static short bf16FromFloat(float value) {
        if (Float.isNaN(value)) return 0x7fc0;
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7fff + (bits >>> 16 & 1)) >>> 16);
    }
}
