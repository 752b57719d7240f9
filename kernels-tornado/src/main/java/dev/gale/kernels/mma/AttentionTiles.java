package dev.gale.kernels.mma;

import dev.gale.kernels.Halves;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// What the attention kernels of the matrix unit share.
///
/// A fragment cannot be scaled once it is summed, so weights are relative to a number per row that is known before: 0 where
/// `|scale| |q_i| max_j |k_j|`, which no score exceeds, is at most `SAFE`, and else the row's largest score, for which the
/// keys are read once more.
public final class AttentionTiles {
    /// Threads of a work-group.
    public static final int THREADS = 128;
    /// Keys of which one norm is kept.
    public static final int NORM_KEYS = 64;
    /// Threads of a work-group of `keyNorms`.
    public static final int NORM_GROUP = 256;
    /// Scores up to this, of either sign, need no shift: their exponentials, and sums of many, are normal numbers.
    public static final float SAFE = 64f;
    /// A product that stands for one that is not seen; its weight is 0.
    public static final float UNSEEN = -1e38f;
    /// Where scores begin that no key has.
    public static final float LEAST = -3e38f;

    private static final float NEARLY_UNSEEN = -9e37f;

    private AttentionTiles() {}

    /// How many norms a key head has.
    public static int norms(int keys) {
        return (keys + NORM_KEYS - 1) / NORM_KEYS;
    }

    /// `norms[h, b] = max_j |k_j|` over block b of `NORM_KEYS` keys of head h; NaN does not count.
    /// Shapes: k BF16 `[keys, numKvHeads * headDim]`, seen as longs of four elements, headDim 64 or 128; norms F32
    /// `[numKvHeads, norms(keys)]`. Operands in the table: norms, k.
    /// Launch: `norms(keys)` x numKvHeads groups of `NORM_GROUP` x 1 threads; 32 bytes of local memory. Writes: `=`.
    public static void keyNorms(KernelContext context, IntArray table, int slot, FloatArray norms, LongArray k, int numKvHeads,
            int headDim, int keys) {
        float[] largest = context.allocateFloatLocalArray(8);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        int thread = context.localIdx;
        int block = context.groupIdx;
        int head = context.groupIdy;
        int longs = headDim / 4;
        int at = table.get(slot + 1) / 4 + head * longs + thread % longs;
        float most = 0f;
        for (int i = thread / longs; i < NORM_KEYS; i += NORM_GROUP / longs) {
            int key = Math.min(block * NORM_KEYS + i, keys - 1);
            float square = rowSum(context, squares(k.get(at + key * numKvHeads * longs)), longs);
            if (thread % longs == 0) {
                if (square > most) most = square;
            }
        }
        for (int lanes = 16; lanes > 0; lanes = lanes / 2) most = larger(most, context.simdShuffleDown(most, lanes));
        if (thread % 32 == 0) largest[thread / 32] = most;
        context.localBarrier();
        pin[0] = 0f;
        for (int i = 0; i < 8; i++) pin[0] = larger(pin[0], largest[i]);
        if (thread == 0) {
            int blocks = (keys + NORM_KEYS - 1) / NORM_KEYS;
            norms.set(table.get(slot) + head * blocks + block, TornadoMath.sqrt(pin[0]));
        }
    }

    /// The larger one; NaN does not count.
    public static float larger(float a, float b) {
        return b > a ? b : a;
    }

    /// Sum over lanes side by side, in the first of them.
    public static float rowSum(KernelContext context, float value, int lanes) {
        float sum = value;
        if (lanes > 16) sum += context.simdShuffleDown(sum, 16);
        sum += context.simdShuffleDown(sum, 8);
        sum += context.simdShuffleDown(sum, 4);
        sum += context.simdShuffleDown(sum, 2);
        sum += context.simdShuffleDown(sum, 1);
        return sum;
    }

    /// Sum of squares of four BF16 elements.
    public static float squares(long four) {
        float a = element(four, 0);
        float b = element(four, 1);
        float c = element(four, 2);
        float d = element(four, 3);
        return a * a + b * b + (c * c + d * d);
    }

    private static float element(long four, int i) {
        return Halves.fromBf16((short) ((int) (four >> 16 * i) & 0xffff));
    }

    /// Whether a row needs its exact maximum; NaN does.
    public static int isLoose(float squareOfQ, float keyNorm, float scale, float softcap) {
        float bound = TornadoMath.abs(scale) * TornadoMath.sqrt(squareOfQ) * keyNorm;
        int loose = bound <= SAFE ? 0 : 1;
        if (softcap > 0f) {
            if (softcap <= SAFE) loose = 0;
        }
        return loose;
    }

    /// A product as it is, if its key is seen.
    public static float seen(float product, int key, int start, int stop) {
        float value = UNSEEN;
        if (key >= start) {
            if (key < stop) value = product;
        }
        return value;
    }

    /// The score of a product.
    public static float score(float product, float scale, float softcap) {
        float score = product * scale;
        if (softcap > 0f) {
            score = product < NEARLY_UNSEEN ? UNSEEN : softcap * TornadoMath.tanh(score / softcap);
        }
        return score;
    }

    /// The larger of a maximum and the score of a product that is seen.
    public static float largest(float most, float product, float scale, float softcap) {
        float score = score(product, scale, softcap);
        float counted = product > NEARLY_UNSEEN ? score : LEAST;
        return counted > most ? counted : most;
    }

    /// Two numbers as BF16, the first in the lower half. TornadoVM takes what is computed from the 16 bits alone for 16 bits,
    /// but not a difference that begins with an int.
    public static int pair(float first, float second) {
        int low = 65535 - Halves.toBf16(first) & 0xffff;
        int high = 65535 - Halves.toBf16(second);
        return ~(low | high << 16);
    }

    /// Four BF16 elements, of which those that are no finite numbers become 0.
    public static long finite(long four) {
        return four & ~infinite(four);
    }

    /// All bits of the elements that are no finite numbers.
    public static long infinite(long four) {
        long carried = (four & 0x7f807f807f807f80L) + 0x0080008000800080L;
        long top = carried >> 15 & 0x0001000100010001L;
        return (top << 16) - top;
    }

    /// Adds to four elements of a row of o those of the values it sees that are no finite numbers.
    /// @param at     of the first value's long
    /// @param stride longs from one value to the next
    public static long withInfinite(long four, LongArray v, int at, int stride, int start, int stop) {
        float a = element(four, 0);
        float b = element(four, 1);
        float c = element(four, 2);
        float d = element(four, 3);
        for (int j = start; j < stop; j++) {
            long value = v.get(at + j * stride);
            if (infinite(value) != 0) {
                a = plusInfinite(a, element(value, 0));
                b = plusInfinite(b, element(value, 1));
                c = plusInfinite(c, element(value, 2));
                d = plusInfinite(d, element(value, 3));
            }
        }
        return four(pair(a, b), pair(c, d));
    }

    private static float plusInfinite(float sum, float value) {
        return value - value == 0f ? sum : sum + value;
    }

    /// Four elements of two each.
    public static long four(int first, int second) {
        return first & 0xffffffffL | (long) second << 32;
    }
}
