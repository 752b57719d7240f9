package dev.gale.peft;

import dev.gale.tensor.quant.Nf4;

/// What NF4 makes of a matrix: quantized and back, without double quantization.
/// Source: bitsandbytes, `csrc/kernels.cu`, `dQuantizeNF4`.
final class Nf4RoundTrip {
    private Nf4RoundTrip() {}

    /// Writes: each block of `Nf4.BLOCK` elements of `to` `=` its own of `from`, divided by the largest magnitude, rounded
    /// to the nearest code's value, and multiplied again.
    static void run(float[] from, float[] to) {
        for (int first = 0; first < from.length; first += Nf4.BLOCK) {
            int end = Math.min(first + Nf4.BLOCK, from.length);
            float absmax = 0f;
            for (int i = first; i < end; i++) absmax = Math.max(absmax, Math.abs(from[i]));
            float inverse = absmax == 0 ? 0 : 1 / absmax;
            for (int i = first; i < end; i++) to[i] = Nf4.value(code(from[i] * inverse)) * absmax;
        }
    }

    /// The code of a number in [-1, 1]; the lower one in the middle between two.
    private static int code(float x) {
        int low = 0;
        int high = 15;
        while (low < high) {
            int middle = (low + high) / 2;
            boolean above = x > (Nf4.value(middle) + Nf4.value(middle + 1)) / 2;
            if (above) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
