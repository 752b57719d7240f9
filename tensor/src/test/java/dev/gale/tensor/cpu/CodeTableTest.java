package dev.gale.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.quant.Dynamic8;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CodeTableTest {
    private static final float[] SIGNED = Dynamic8.signed();
    private static final float[] UNSIGNED = Dynamic8.unsigned();
    private static final CodeTable OF_SIGNED = new CodeTable(SIGNED);
    private static final CodeTable OF_UNSIGNED = new CodeTable(UNSIGNED);

    private static void check(float x) {
        assertEquals(Dynamic8.nearestSigned(SIGNED, x), OF_SIGNED.nearestSigned(x), () -> "signed " + x);
        assertEquals(Dynamic8.nearestSigned(SIGNED, -x), OF_SIGNED.nearestSigned(-x), () -> "signed -" + x);
        assertEquals(Dynamic8.nearest(UNSIGNED, x), OF_UNSIGNED.nearest(x), () -> "unsigned " + x);
    }

    @Test
    void theCodesAreThoseOfTheSearch() {
        for (float[] values : new float[][] {SIGNED, UNSIGNED}) {
            for (int i = 0; i < 255; i++) {
                float middle = Math.abs(0.5f * (values[i] + values[i + 1]));
                for (float x : new float[] {Math.nextDown(middle), middle, Math.nextUp(middle), Math.abs(values[i])}) check(x);
            }
        }
        for (float x : new float[] {0, Float.MIN_VALUE, Float.MIN_NORMAL, 0x1p-24f, Math.nextDown(0x1p-24f), 1}) check(x);
        Random random = new Random(3);
        for (int i = 0; i < 300_000; i++) check((float) Math.pow(10, -9 * random.nextDouble()));
    }

    /// Every place where the table's index changes.
    @Test
    void theTableHasNoGaps() {
        for (int bits = Float.floatToRawIntBits(0x1p-25f); bits < Float.floatToRawIntBits(1f); bits += 1 << 15) {
            check(Float.intBitsToFloat(bits));
            check(Float.intBitsToFloat(bits + (1 << 15) - 1));
        }
    }
}
