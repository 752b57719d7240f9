package dev.gale.nn.safetensors;

import dev.gale.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Elements of a floating tensor in host memory as F32, one at a time.
@FunctionalInterface
interface HostFloats {
    ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    ValueLayout.OfShort B16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    float get(long i);

    static HostFloats of(float[] values) {
        return i -> values[(int) i];
    }

    static HostFloats of(Tensor tensor) {
        MemorySegment bytes = tensor.segment();
        return switch (tensor.dtype()) {
            case F32 -> i -> bytes.get(F32, i * 4);
            case F16 -> i -> Float.float16ToFloat(bytes.get(B16, i * 2));
            case BF16 -> i -> Float.intBitsToFloat(bytes.get(B16, i * 2) << 16);
            case I32, U8 -> throw new IllegalArgumentException(tensor + " holds no floating numbers");
        };
    }

    /// Rounds to the nearest BF16, ties to even; NaN stays NaN.
    static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) return (short) (bits >>> 16 | 0x40);
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }
}
