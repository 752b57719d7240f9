package dev.gale.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.Convert;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Conversions by arithmetic against those of the JVM.
class HalvesTest {
    private static void assertSame(float want, float got, String what) {
        assertEquals(Float.floatToIntBits(want), Float.floatToIntBits(got), () -> what + ": " + want + " and " + got);
    }

    @Test
    void everyPatternIsDecoded() {
        for (int bits = 0; bits < 1 << 16; bits++) {
            assertSame(Convert.fromBf16((short) bits), Halves.decodeBf16((short) bits), "BF16 " + bits);
            assertSame(Float.float16ToFloat((short) bits), Halves.fromF16((short) bits), "F16 " + bits);
        }
    }

    @Test
    void everyPatternAndItsNeighboursAreEncoded() {
        Random random = new Random(1);
        for (int bits = 0; bits < 1 << 16; bits++) {
            float half = Float.float16ToFloat((short) bits);
            float brain = Convert.fromBf16((short) bits);
            for (float value : new float[] {half, Math.nextUp(half), brain, Math.nextDown(brain),
                    Float.intBitsToFloat(bits << 16 | 0x8000), Float.intBitsToFloat(bits << 16 | 0x7fff),
                    Float.intBitsToFloat(bits << 16 | 0x8001), Float.intBitsToFloat(random.nextInt())}) {
                assertSame(Convert.fromBf16(Convert.toBf16(value)), Convert.fromBf16((short) Halves.encodeBf16(value)),
                        "to BF16 " + value);
                short want = Float.floatToFloat16(value);
                assertSame(Float.float16ToFloat(want), Float.float16ToFloat((short) Halves.toF16(value)), "to F16 " + value);
            }
        }
    }
}
