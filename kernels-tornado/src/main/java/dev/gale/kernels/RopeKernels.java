package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Rotary position embedding.
public final class RopeKernels {
    /// Heads that a work-group of `ropeBf16` rotates side by side.
    public static final int HEADS = 8;
    /// Largest halfWidth that it takes: registers do for 512 threads.
    public static final int MOST_HALF = 256;

    private static final int EACH = 5;               // heads that a thread reads before it needs the first: 32 + 8 in one go

    private RopeKernels() {}

    /// For the pair (i, i + halfWidth) of every head, or (2i, 2i + 1) with neighbours 1, with the angle of the row's position:
    /// `a' = a cos - b sin`, `b' = b cos + a sin`; transpose 1 flips the sign of sin. Elements from 2 * halfWidth on stay.
    /// Shapes: q `[rows, numHeads * headDim]`, k `[rows, numKvHeads * headDim]`, F32, BF16 or F16; cos, sin F32
    /// `[P, halfWidth]`; positions I32 `[rows]` in [0, P). A side with 0 heads is absent; its views and its slot of the
    /// table are not looked at.
    /// Launch: rows work-groups of `Elements.GROUP` threads. Numerics: F32, one rounding.
    /// Writes: in place.
    /// Source: Su et al. 2021, arXiv 2104.09864, in the rotate-half layout of Llama checkpoints.
    public static void rope(KernelContext context, IntArray table, int slot,
            FloatArray q, ShortArray qHalf, int qType, FloatArray k, ShortArray kHalf, int kType,
            FloatArray cos, FloatArray sin, IntArray positions,
            int numHeads, int numKvHeads, int headDim, int halfWidth, int transpose, int neighbours) {
        int row = context.groupIdx;
        int each = neighbours == 1 ? 2 : 1;
        int apart = neighbours == 1 ? 1 : halfWidth;
        int angles = positions.get(table.get(slot + 4) + row) * halfWidth;
        int cosAt = table.get(slot + 2) + angles;
        int sinAt = table.get(slot + 3) + angles;
        int qAt = table.get(slot) + row * numHeads * headDim;
        for (int pair = context.localIdx; pair < numHeads * halfWidth; pair += Elements.GROUP) {
            int head = pair / halfWidth;
            int i = pair - head * halfWidth;
            float s = sin.get(sinAt + i);
            if (transpose == 1) s = -s;
            rotate(q, qHalf, qType, qAt + head * headDim + i * each, apart, cos.get(cosAt + i), s);
        }
        int kAt = table.get(slot + 1) + row * numKvHeads * headDim;
        for (int pair = context.localIdx; pair < numKvHeads * halfWidth; pair += Elements.GROUP) {
            int head = pair / halfWidth;
            int i = pair - head * halfWidth;
            float s = sin.get(sinAt + i);
            if (transpose == 1) s = -s;
            rotate(k, kHalf, kType, kAt + head * headDim + i * each, apart, cos.get(cosAt + i), s);
        }
    }

    /// As `rope`, for BF16 q and k whose headDim and halfWidth 4 divides, on devices that convert BF16.
    /// Launch: rows work-groups of `HEADS * halfWidth / 4` threads, each with four pairs of every eighth head, so that it reads
    /// its angles once. Numerics, Writes: as `rope`.
    public static void ropeBf16(KernelContext context, IntArray table, int slot, LongArray q, LongArray k, FloatArray cos,
            FloatArray sin, IntArray positions, int numHeads, int numKvHeads, int headDim, int halfWidth, int transpose) {
        long[] left = new long[EACH];
        long[] right = new long[EACH];
        int quarter = halfWidth / 4;
        int width = headDim / 4;
        int thread = context.localIdx;
        int zero = Halves.zero(thread);
        int row = context.groupIdx;
        int first = thread / quarter;
        int i = thread - first * quarter;
        int angles = positions.get(table.get(slot + 4) + row) * halfWidth + 4 * i;
        int cosAt = table.get(slot + 2) + angles;
        int sinAt = table.get(slot + 3) + angles;
        int qAt = (table.get(slot) >> 2) + row * numHeads * width + i;
        int kAt = (table.get(slot + 1) >> 2) + (row * numKvHeads - numHeads) * width + i;      // heads of k are counted on
        int heads = numHeads + numKvHeads;
        float c0 = cos.get(cosAt), c1 = cos.get(cosAt + 1), c2 = cos.get(cosAt + 2), c3 = cos.get(cosAt + 3);
        float s0 = sin.get(sinAt), s1 = sin.get(sinAt + 1), s2 = sin.get(sinAt + 2), s3 = sin.get(sinAt + 3);
        if (transpose == 1) {
            s0 = -s0;
            s1 = -s1;
            s2 = -s2;
            s3 = -s3;
        }
        for (int next = first; next < heads; next += EACH * HEADS) {
            for (int e = 0; e < EACH; e++) {
                int head = next + e * HEADS;
                if (head < numHeads) {
                    left[e] = q.get(qAt + head * width);
                    right[e] = q.get(qAt + head * width + quarter);
                } else if (head < heads) {
                    left[e] = k.get(kAt + head * width);
                    right[e] = k.get(kAt + head * width + quarter);
                }
            }
            for (int e = 0; e < EACH; e++) {
                int head = next + e * HEADS;
                float a0 = Halves.first(left[e]), a1 = Halves.second(left[e]);
                float a2 = Halves.third(left[e]), a3 = Halves.fourth(left[e]);
                float b0 = Halves.first(right[e]), b1 = Halves.second(right[e]);
                float b2 = Halves.third(right[e]), b3 = Halves.fourth(right[e]);
                long a = Halves.four(a0 * c0 - b0 * s0, a1 * c1 - b1 * s1, a2 * c2 - b2 * s2, a3 * c3 - b3 * s3, zero);
                long b = Halves.four(b0 * c0 + a0 * s0, b1 * c1 + a1 * s1, b2 * c2 + a2 * s2, b3 * c3 + a3 * s3, zero);
                if (head < numHeads) {
                    q.set(qAt + head * width, a);
                    q.set(qAt + head * width + quarter, b);
                } else if (head < heads) {
                    k.set(kAt + head * width, a);
                    k.set(kAt + head * width + quarter, b);
                }
            }
        }
    }

    private static void rotate(FloatArray x, ShortArray xHalf, int type, int at, int apart, float cos, float sin) {
        float a = Elements.get(x, xHalf, type, at);
        float b = Elements.get(x, xHalf, type, at + apart);
        Elements.set(x, xHalf, type, at, a * cos - b * sin);
        Elements.set(x, xHalf, type, at + apart, b * cos + a * sin);
    }
}
