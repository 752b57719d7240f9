package dev.gale.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Conversions between F32 and the 16-bit floating types, and single elements of host tensors.
/// Numerics: round to nearest even; NaN stays NaN, infinities and the sign of zero are kept.
public final class Convert {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfShort HALF = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;

    private Convert() {}

    /// The nearest BF16: the upper half of the F32 bits, rounded.
    public static short toBf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (value != value) return (short) (bits >>> 16 | 0x40);  // quiet, or a payload in the lower half would be lost
        return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }

    public static float fromBf16(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static short toF16(float value) {
        return Float.floatToFloat16(value);
    }

    public static float fromF16(short bits) {
        return Float.float16ToFloat(bits);
    }

    /// Element i, counted from the start of the segment, of a floating dtype.
    public static float get(MemorySegment segment, DType dtype, long i) {
        return switch (dtype) {
            case F32 -> segment.get(F32, i * 4);
            case BF16 -> fromBf16(segment.get(HALF, i * 2));
            case F16 -> fromF16(segment.get(HALF, i * 2));
            case I32, U8, NF4, FP4, I8 -> throw new ShapeException("arithmetic takes no " + dtype);
        };
    }

    /// Writes: element i `=` value, rounded to the dtype; I32 and U8 take the integer part.
    public static void set(MemorySegment segment, DType dtype, long i, float value) {
        switch (dtype) {
            case F32 -> segment.set(F32, i * 4, value);
            case BF16 -> segment.set(HALF, i * 2, toBf16(value));
            case F16 -> segment.set(HALF, i * 2, toF16(value));
            case I32 -> segment.set(I32, i * 4, (int) value);
            case U8 -> segment.set(ValueLayout.JAVA_BYTE, i, (byte) (int) value);
            case NF4, FP4, I8 -> throw new ShapeException("single elements of %s cannot be written".formatted(dtype));
        }
    }

    /// Writes: elements toIndex and after `=` as many from fromIndex on, rounded to toType.
    public static void copy(MemorySegment to, DType toType, long toIndex, MemorySegment from, DType fromType, long fromIndex,
                            long count) {
        if (toType == fromType) {
            MemorySegment.copy(from, fromType.bytes(fromIndex), to, toType.bytes(toIndex), toType.bytes(count));
            return;
        }
        for (long i = 0; i < count; i++) set(to, toType, toIndex + i, get(from, fromType, fromIndex + i));
    }

    /// Element i of an I32 segment.
    public static int getInt(MemorySegment segment, long i) {
        return segment.get(I32, i * 4);
    }
}
