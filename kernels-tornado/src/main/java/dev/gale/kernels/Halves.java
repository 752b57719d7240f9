package dev.gale.kernels;

import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.BFloat16;

/// 16-bit floating point numbers in kernels. TornadoVM does not reinterpret bits, so what a device has no instruction for is
/// computed from sign, exponent and mantissa. Rounds to nearest even.
public final class Halves {
    /// System property that says whether the device converts BF16 itself; the CUDA backend does. It must be set before the
    /// first kernel is loaded, as the answer is compiled in.
    public static final String PROPERTY = "gale.kernels.bf16";

    private static final boolean CONVERTS_BF16 = !"false".equals(System.getProperty(PROPERTY));
    private static final float LARGE = 3e38f;

    private Halves() {}

    public static float fromBf16(short bits) {
        float value;
        if (CONVERTS_BF16) value = BFloat16.bf16ToFloat(bits);
        else value = decodeBf16(bits);
        return value;
    }

    public static short toBf16(float value) {
        short bits;
        if (CONVERTS_BF16) bits = BFloat16.bf16FromFloat(value);
        else bits = (short) encodeBf16(value);
        return bits;
    }

    /// Four times the BF16 of minus infinity, in a long.
    static final long FOUR_TIMES_MINUS_INFINITY = 0xff80ff80ff80ff80L;

    /// Four times a BF16 that is not a number.
    static final long FOUR_TIMES_NAN = 0x7fc07fc07fc07fc0L;

    /// 0, of which TornadoVM's compiler does not know that it is and the device's does: what `four` and `bits` want.
    static int zero(int thread) {
        return TornadoMath.min(TornadoMath.max(thread, 0), 0);
    }

    /// The elements of four BF16 in a long, in the order in which they stand in memory. For devices that convert BF16.
    public static float first(long four) {
        return BFloat16.bf16ToFloat((short) four);
    }

    public static float second(long four) {
        return BFloat16.bf16ToFloat((short) ((int) four >> 16));
    }

    public static float third(long four) {
        return BFloat16.bf16ToFloat((short) (four >>> 32));
    }

    public static float fourth(long four) {
        return BFloat16.bf16ToFloat((short) ((int) (four >>> 32) >> 16));
    }

    /// Four BF16 in a long. The CUDA backend takes the kind of the first operand for that of a sum or a difference, and a BF16
    /// for a short: two zeros that its compiler does not know for zeros, of which `zero` makes the second, bring it to int.
    ///
    /// @param zero from `zero`; `localIdx >> 10` does too, for one instruction more an element
    public static long four(float first, float second, float third, float fourth, int zero) {
        int other = zero >> 1;
        int low = (other - (zero - BFloat16.bf16FromFloat(first))) & 0xffff
                | (other - (zero - BFloat16.bf16FromFloat(second))) << 16;
        int high = (other - (zero - BFloat16.bf16FromFloat(third))) & 0xffff
                | (other - (zero - BFloat16.bf16FromFloat(fourth))) << 16;
        return (long) high << 32 | low & 0xffffffffL;
    }

    /// A BF16 in the lower half of an int; as for `four`.
    public static int bits(float value, int zero) {
        int other = zero >> 1;
        return (other - (zero - BFloat16.bf16FromFloat(value))) & 0xffff;
    }

    /// Sign, 8 bits of exponent, 7 of mantissa.
    static float decodeBf16(int bits) {
        int unsigned = bits < 0 ? bits + 65536 : bits;
        int sign = unsigned / 32768;
        int exponent = unsigned / 128 - 256 * sign;
        int mantissa = unsigned - unsigned / 128 * 128;
        float value = mantissa;
        int power = -133;                            // mantissas count units of two to the exponent minus 134
        if (exponent > 0) {
            value += 128;
            power = exponent - 134;
        }
        for (; power >= 16; power -= 16) value *= 65536f;
        for (; power > 0; power--) value *= 2f;
        for (; power <= -16; power += 16) value *= 0x1p-16f;
        for (; power < 0; power++) value *= 0.5f;
        if (exponent == 255) value = mantissa == 0 ? LARGE * exponent : TornadoMath.sqrt(-1f * mantissa);
        return sign == 1 ? -value : value;
    }

    /// Sign, 5 bits of exponent, 10 of mantissa. Every power of two that it takes is an int.
    static float fromF16(int bits) {
        int exponent = bits >> 10 & 31;
        int mantissa = bits & 1023;
        float units = exponent > 0 ? mantissa + 1024 : mantissa;
        float spacing = 1 << TornadoMath.min(TornadoMath.max(exponent, 1), 30);
        float value = units * spacing * 0x1p-25f;
        if (exponent == 31) value = mantissa == 0 ? LARGE * exponent : TornadoMath.sqrt(-1f * mantissa);
        return (bits & 32768) == 0 ? value : -value;
    }

    static int encodeBf16(float value) {
        float magnitude = TornadoMath.abs(value);
        float units = magnitude;                     // in multiples of the spacing at the exponent where rounding begins
        int exponent = 0;
        int doublings = 133;
        if (magnitude >= 0x1p-62f) {
            exponent = 64;
            doublings = 69;
        }
        if (magnitude >= 4f) {
            exponent = 128;
            doublings = 5;
        }
        if (magnitude >= 0x1p66f) {
            exponent = 192;
            units = magnitude * 0x1p-59f;
            doublings = 0;
        }
        for (; doublings > 0; doublings--) units *= 2f;
        int bits = rounded(units, exponent, 128);
        if (magnitude >= 3.3961775e38f) bits = 32640;
        if (magnitude != magnitude) bits = 32704;
        return signed(bits, value);
    }

    static int toF16(float value) {
        float magnitude = TornadoMath.abs(value);
        float units = magnitude * 0x1p24f;
        int exponent = 0;
        if (units >= 0x1p26f) {
            units *= 0x1p-16f;
            exponent = 16;
        }
        if (units >= 0x1p18f) {
            units *= 0x1p-8f;
            exponent += 8;
        }
        if (units >= 0x1p14f) {
            units *= 0x1p-4f;
            exponent += 4;
        }
        if (units >= 0x1p12f) {
            units *= 0x1p-2f;
            exponent += 2;
        }
        if (units >= 0x1p11f) {
            units *= 0.5f;
            exponent++;
        }
        int bits = nearest(units) + exponent * 1024;
        if (magnitude >= 65520f) bits = 31744;
        if (magnitude != magnitude) bits = 32256;
        return signed(bits, value);
    }

    /// Exponent and mantissa of a magnitude, as one number: a carry out of the mantissa raises the exponent, as it should.
    ///
    /// @param units    the magnitude in multiples of the spacing that `exponent` has
    /// @param one      what the leading bit of a mantissa counts; units is at least that unless exponent is 0
    private static int rounded(float units, int exponent, int one) {
        float left = units;
        int power = exponent;
        for (int step = 0; step < 72; step++) {
            if (left >= 2 * one) {
                left *= 0.5f;
                power++;
            }
        }
        return nearest(left) + power * one;
    }

    /// The nearest whole number, the even one of two.
    private static int nearest(float units) {
        int whole = (int) units;
        float rest = units - whole;
        int odd = whole - whole / 2 * 2;
        if (rest > 0.5f) whole++;
        else if (rest == 0.5f) whole += odd;
        return whole;
    }

    private static int signed(int bits, float value) {
        int result = bits;
        if (value < 0f) result = bits - 32768;
        else if (1f / value < 0f) result = bits - 32768;       // -0
        return result;
    }
}
