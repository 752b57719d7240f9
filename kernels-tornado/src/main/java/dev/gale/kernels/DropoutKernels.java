package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Inverted dropout with counter-based random numbers.
public final class DropoutKernels {
    private static final long LOW = 0xFFFFFFFFL;

    private DropoutKernels() {}

    /// `y = u(i) >= p ? x / (1 - p) : 0`, u(i) = the upper 24 bits of word `i % 4` of Philox4x32-10 with key
    /// (rng[0], rng[1]) and counter (i / 4, stream, rng[2], rng[3]), over 2^24.
    /// Shapes: y, x `[n]`, F32, BF16 or F16; rng I32 `[4]`.
    /// Launch: `ceil(n / Elements.BLOCK)` work-groups of `Elements.GROUP` threads; a thread makes one block of random
    /// words for four neighbouring elements. n is at least 1.
    /// Numerics: the mask is that of `dev.gale.tensor.random.Philox` bit for bit. A dropped NaN is dropped.
    /// Writes: `=` or, with accumulate 1, `+=`; y may be x.
    /// Source: Salmon et al., SC 2011, section 3.3.
    public static void dropout(KernelContext context, IntArray table, int slot,
            FloatArray y, ShortArray yHalf, int yType,
            FloatArray x, ShortArray xHalf, int xType, IntArray rng,
            int n, float p, int stream, int accumulate) {
        int yAt = table.get(slot);
        int xAt = table.get(slot + 1);
        int rngAt = table.get(slot + 2);
        int key0 = rng.get(rngAt);
        int key1 = rng.get(rngAt + 1);
        int c0 = context.globalIdx;
        int c1 = stream;
        int c2 = rng.get(rngAt + 2);
        int c3 = rng.get(rngAt + 3);
        for (int round = 0; round < 10; round++) {
            long p0 = (c0 & LOW) * 0xD2511F53L;
            long p1 = (c2 & LOW) * 0xCD9E8D57L;
            c0 = (int) (p1 >> 32) ^ c1 ^ key0;
            c2 = (int) (p0 >> 32) ^ c3 ^ key1;
            c1 = (int) p1;
            c3 = (int) p0;
            key0 = key0 + 0x9E3779B9;
            key1 = key1 + 0xBB67AE85;
        }
        float[] factors = new float[4];
        factors[0] = factor(c0, p);
        factors[1] = factor(c1, p);
        factors[2] = factor(c2, p);
        factors[3] = factor(c3, p);
        for (int e = 0; e < 4; e++) {
            int i = context.globalIdx * 4 + e;
            if (i < n) {
                float value = 0f;
                if (factors[e] > 0f) value = factors[e] * Elements.get(x, xHalf, xType, xAt + i);
                if (accumulate == 1) value = value + Elements.get(y, yHalf, yType, yAt + i);
                Elements.set(y, yHalf, yType, yAt + i, value);
            }
        }
    }

    /// What an element is multiplied by: 0 or 1 / (1 - p). The mask after the shift is needed: compiled kernels shift
    /// signs in.
    private static float factor(int word, float p) {
        int bits = (word >> 8) & 0xFFFFFF;
        float factor = 0f;
        if (bits * 0x1p-24f >= p) factor = 1f / (1f - p);
        return factor;
    }
}
