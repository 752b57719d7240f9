package dev.gale.tensor.quant;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class Dynamic8Test {
    private static final float[] SIGNED = Dynamic8.signed();
    private static final float[] UNSIGNED = Dynamic8.unsigned();

    private static double sum(float[] values) {
        double sum = 0;
        for (float value : values) sum += value;
        return sum;
    }

    /// Numbers by bitsandbytes' `create_dynamic_map` with torch 2.13, bit for bit.
    @Test
    void theValuesAreThoseOfBitsandbytes() {
        assertEquals(256, SIGNED.length);
        assertEquals(-0.992968738079071, SIGNED[0]);
        assertArrayEquals(new float[] {0, 5.500000384017767e-07f, 3.250000190746505e-06f, 7.749999895168003e-06f,
            2.1249998098937795e-05f}, Arrays.copyOfRange(SIGNED, 127, 132));
        assertArrayEquals(new float[] {-0.7117187976837158f, -0.6414062976837158f, -0.5710937976837158f},
                new float[] {SIGNED[20], SIGNED[25], SIGNED[30]});
        assertArrayEquals(new float[] {0.9789062738418579f, 0.992968738079071f, 1},
                Arrays.copyOfRange(SIGNED, 253, 256));
        assertEquals(1, sum(SIGNED), 1e-12);
        assertArrayEquals(new float[] {0, 3.2500003044333425e-07f, 7.750000463602191e-07f, 2.1249998098937795e-06f,
            4.374999662104528e-06f}, Arrays.copyOf(UNSIGNED, 5), 1e-13f);
        assertEquals(3.2500003044333425e-07f, UNSIGNED[1]);
        assertEquals(8.874999366526026e-06f, UNSIGNED[6]);
        assertArrayEquals(new float[] {0.9894530773162842f, 0.9964843988418579f, 1},
                Arrays.copyOfRange(UNSIGNED, 253, 256));
        assertEquals(75.1052632433869, sum(UNSIGNED), 1e-12);
    }

    @Test
    void theNearestCodeIsTheLowerOneBetweenTwo() {
        for (float[] values : new float[][] {SIGNED, UNSIGNED}) {
            for (int code = 0; code < 256; code++) {
                assertEquals(code, Dynamic8.nearest(values, values[code]));
                if (code == 255) continue;
                float middle = 0.5f * (values[code] + values[code + 1]);
                assertEquals(code, Dynamic8.nearest(values, middle), "between " + code + " and the next");
                assertEquals(code + 1, Dynamic8.nearest(values, Math.nextUp(middle)));
            }
        }
        assertEquals(0, Dynamic8.nearest(SIGNED, -1));
        assertEquals(255, Dynamic8.nearest(UNSIGNED, 1));
    }

    @Test
    void theSignIsKept() {
        assertEquals(126, Dynamic8.nearestSigned(SIGNED, -1e-9f));
        assertEquals(127, Dynamic8.nearestSigned(SIGNED, 1e-9f));
        assertEquals(127, Dynamic8.nearestSigned(SIGNED, 0));
        assertEquals(0, Dynamic8.nearestSigned(SIGNED, -1));
    }

    @Test
    void theLastBlockMayBeShort() {
        assertEquals(0, Dynamic8.blocks(0));
        assertEquals(1, Dynamic8.blocks(1));
        assertEquals(2, Dynamic8.blocks(257));
    }
}
