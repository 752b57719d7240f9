package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Rotary position embedding.
public final class RopeKernels {
    private RopeKernels() {}

    /// For the pair (i, i + halfWidth) of every head, with the angle of the row's position: `a' = a cos - b sin`,
    /// `b' = b cos + a sin`; transpose 1 flips the sign of sin. Elements from 2 * halfWidth on stay.
    /// Shapes: q `[rows, numHeads * headDim]`, k `[rows, numKvHeads * headDim]`, F32 or BF16; cos, sin F32
    /// `[P, halfWidth]`; positions I32 `[rows]` in [0, P). A side with 0 heads is absent; its views and its slot of the
    /// table are not looked at.
    /// Launch: rows work-groups of `Elements.GROUP` threads. Numerics: F32, one rounding.
    /// Writes: in place.
    /// Source: Su et al. 2021, arXiv 2104.09864, in the rotate-half layout of Llama checkpoints.
    public static void rope(KernelContext context, IntArray table, int slot,
            FloatArray q, ShortArray qHalf, int qType, FloatArray k, ShortArray kHalf, int kType,
            FloatArray cos, FloatArray sin, IntArray positions,
            int numHeads, int numKvHeads, int headDim, int halfWidth, int transpose) {
        int row = context.groupIdx;
        int angles = positions.get(table.get(slot + 4) + row) * halfWidth;
        int cosAt = table.get(slot + 2) + angles;
        int sinAt = table.get(slot + 3) + angles;
        int qAt = table.get(slot) + row * numHeads * headDim;
        for (int pair = context.localIdx; pair < numHeads * halfWidth; pair += Elements.GROUP) {
            int head = pair / halfWidth;
            int i = pair - head * halfWidth;
            float s = sin.get(sinAt + i);
            if (transpose == 1) s = -s;
            rotate(q, qHalf, qType, qAt + head * headDim + i, halfWidth, cos.get(cosAt + i), s);
        }
        int kAt = table.get(slot + 1) + row * numKvHeads * headDim;
        for (int pair = context.localIdx; pair < numKvHeads * halfWidth; pair += Elements.GROUP) {
            int head = pair / halfWidth;
            int i = pair - head * halfWidth;
            float s = sin.get(sinAt + i);
            if (transpose == 1) s = -s;
            rotate(k, kHalf, kType, kAt + head * headDim + i, halfWidth, cos.get(cosAt + i), s);
        }
    }

    private static void rotate(FloatArray x, ShortArray xHalf, int type, int at, int halfWidth, float cos, float sin) {
        float a = Elements.get(x, xHalf, type, at);
        float b = Elements.get(x, xHalf, type, at + halfWidth);
        Elements.set(x, xHalf, type, at, a * cos - b * sin);
        Elements.set(x, xHalf, type, at + halfWidth, b * cos + a * sin);
    }
}
