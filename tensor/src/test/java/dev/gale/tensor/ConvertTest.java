package dev.gale.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ConvertTest {

    @Test
    void everyHalfPrecisionNumberComesBack() {
        for (int i = 0; i < 1 << 16; i++) {
            short bits = (short) i;
            float bf16 = Convert.fromBf16(bits);
            if (Float.isNaN(bf16)) assertTrue(Float.isNaN(Convert.fromBf16(Convert.toBf16(bf16))));
            else assertEquals(bits, Convert.toBf16(bf16));
            float f16 = Convert.fromF16(bits);
            if (Float.isNaN(f16)) assertTrue(Float.isNaN(Convert.fromF16(Convert.toF16(f16))));
            else assertEquals(bits, Convert.toF16(f16));
        }
    }

    @Test
    void roundsToTheNearestAndTiesToEven() {
        assertEquals(1f, Convert.fromBf16(Convert.toBf16(1 + 0x1p-8f)));  // between 1 and 1 + 2^-7: even is 1
        assertEquals(1 + 0x1p-6f, Convert.fromBf16(Convert.toBf16(1 + 0x1.8p-7f)));      // even is the upper one
        assertEquals(1 + 0x1p-7f, Convert.fromBf16(Convert.toBf16(Math.nextUp(1 + 0x1p-8f))));
        assertEquals(Float.POSITIVE_INFINITY, Convert.fromBf16(Convert.toBf16(Float.MAX_VALUE)));
        assertEquals(Float.NEGATIVE_INFINITY, Convert.fromBf16(Convert.toBf16(Float.NEGATIVE_INFINITY)));
        assertEquals(0x8000, Convert.toBf16(-0f) & 0xFFFF);
    }

    @Test
    void aNaNWithItsPayloadInTheLowBitsStaysNaN() {
        for (int bits : new int[] {0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000}) {
            assertTrue(Float.isNaN(Convert.fromBf16(Convert.toBf16(Float.intBitsToFloat(bits)))),
                    Integer.toHexString(bits));
        }
    }
}
