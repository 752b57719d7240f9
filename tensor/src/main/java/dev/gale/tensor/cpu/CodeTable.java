package dev.gale.tensor.cpu;

import dev.gale.tensor.quant.Dynamic8;

/// `Dynamic8.nearest` and `nearestSigned` without a search: the upper bits of a number say its code up to one comparison,
/// because no two middles between values have their first 8 bits behind the leading one in common.
final class CodeTable {
    private static final int SHIFT = 15;                               // leaves sign, exponent, 8 bits
    private static final int LOWEST = Float.floatToRawIntBits(0x1p-24f) >>> SHIFT;     // below the first middle
    private static final int HIGHEST = Float.floatToRawIntBits(1f) >>> SHIFT;

    private final float[] middles = new float[Dynamic8.CODES];         // behind each code
    private final byte[] above = new byte[HIGHEST - LOWEST + 1];       // code of the smallest number with these bits
    private final byte[] below = new byte[HIGHEST - LOWEST + 1];       // of its negative

    CodeTable(float[] values) {
        for (int i = 0; i < Dynamic8.CODES - 1; i++) middles[i] = 0.5f * (values[i] + values[i + 1]);
        middles[Dynamic8.CODES - 1] = Float.POSITIVE_INFINITY;
        for (int i = 0; i < above.length; i++) {
            float smallest = i == 0 ? 0 : Float.intBitsToFloat(i + LOWEST << SHIFT);
            above[i] = (byte) Dynamic8.nearest(values, smallest);
            below[i] = (byte) Dynamic8.nearest(values, -smallest);
        }
    }

    private static int index(float x) {
        return Math.clamp((Float.floatToRawIntBits(x) & Integer.MAX_VALUE) >>> SHIFT, LOWEST, HIGHEST) - LOWEST;
    }

    /// x is in [0, 1].
    int nearest(float x) {
        int code = above[index(x)] & 0xff;
        return x > middles[code] ? code + 1 : code;
    }

    /// x is in [-1, 1].
    int nearestSigned(float x) {
        if (x >= 0) return nearest(x);
        int code = below[index(x)] & 0xff;
        if (code > 0 && x <= middles[code - 1]) code--;
        return Math.min(code, 126);                                    // not 0, whose sign is another
    }
}
