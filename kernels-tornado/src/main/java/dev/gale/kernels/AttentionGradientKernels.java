package dev.gale.kernels;

import static dev.gale.kernels.AttentionKernels.BLOCK;
import static dev.gale.kernels.AttentionKernels.STRIDE;
import static dev.gale.kernels.AttentionKernels.WEIGHT_STRIDE;
import static dev.gale.kernels.AttentionKernels.WIDE;
import static dev.gale.kernels.AttentionKernels.element;
import static dev.gale.kernels.AttentionKernels.put;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Backward of attention for any device: scores are made again, block by block.
public final class AttentionGradientKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;
    /// Pairs of a query and a head that a group of `attentionDelta` takes.
    public static final int DELTA_ROWS = 16;

    /// Queries of a head that a group of `attentionDeltaBf16` takes, 8 threads for each.
    public static final int DELTA_QUERIES = GROUP / 8;

    private static final int NARROW = 32;            // elements of a head in each of four tiles
    private static final int NARROW_STRIDE = NARROW + 1;
    private static final int TILE = BLOCK * NARROW_STRIDE;
    private static final int HALF = TILE / 2;

    private AttentionGradientKernels() {}

    /// `stats[0, h, i] = lse[h, i]`, `stats[1, h, i] = sum_c dO[i, h, c] * o[i, h, c]`: what the gradients need of a row.
    /// Shapes: stats F32 `[2, H, queries]`, dO, o `[queries, H * K]`, lse F32 `[H, queries]`. Operands in the table:
    /// stats, dO, o, lse.
    /// Launch: `ceil(queries * H / DELTA_ROWS)` groups of `GROUP` threads, 16 threads for each sum; 1 KB of local memory.
    /// Numerics: F32, a strided part a thread, then these in order. Writes: `=`.
    ///
    /// @param shape from `HeadShape.of`
    public static void attentionDelta(KernelContext context, IntArray table, int slot, FloatArray stats, FloatArray dO,
            ShortArray dOHalf, FloatArray o, ShortArray oHalf, FloatArray lse, int shape, int queries) {
        float[] parts = context.allocateFloatLocalArray(GROUP);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        int atStats = table.get(slot);
        int atLse = table.get(slot + 3);
        int type = HeadShape.type(shape);
        int dims = HeadShape.headDim(shape);
        int heads = HeadShape.numHeads(shape);
        int thread = context.localIdx;
        int pair = context.groupIdx * DELTA_ROWS + (thread >> 4);
        int pairs = queries * heads;
        float sum = pin[0];
        for (int c = thread & 15; c < dims; c += 16) {
            sum += element(dO, dOHalf, type, table.get(slot + 1), pair, pairs, dims, c, dims)
                    * element(o, oHalf, type, table.get(slot + 2), pair, pairs, dims, c, dims);
        }
        parts[thread] = sum;
        context.localBarrier();
        float delta = 0f;
        for (int i = 0; i < 16; i++) delta += parts[(thread & 240) + i];
        int query = pair / heads;
        int at = (pair - query * heads) * queries + query;
        if (pair < pairs) {
            if ((thread & 15) == 0) {
                stats.set(atStats + at, lse.get(atLse + at));
                stats.set(atStats + pairs + at, delta);
            }
        }
    }

    /// As `attentionDelta`, for BF16 heads of at most 128 elements that 4 divides, on devices that convert BF16 and have warps.
    /// Launch: `ceil(queries / DELTA_QUERIES)` by H groups of `GROUP` threads: neighbouring queries of a head, whose results
    /// lie side by side. Numerics: F32, a strided part a thread, then halves of eight threads. Writes: `=`.
    public static void attentionDeltaBf16(KernelContext context, IntArray table, int slot, FloatArray stats, LongArray dO,
            LongArray o, FloatArray lse, int shape, int queries) {
        long[] left = new long[4];
        long[] right = new long[4];
        int width = HeadShape.headDim(shape) / 4;
        int heads = HeadShape.numHeads(shape);
        int thread = context.localIdx;
        int part = thread & 7;
        int head = context.groupIdy;
        int query = context.groupIdx * DELTA_QUERIES + (thread >> 3);
        int row = (Math.min(query, queries - 1) * heads + head) * width;
        int atLeft = (table.get(slot + 1) >> 2) + row;
        int atRight = (table.get(slot + 2) >> 2) + row;
        for (int e = 0; e < 4; e++) {
            left[e] = 0L;
            right[e] = 0L;
            if (part + 8 * e < width) {
                left[e] = dO.get(atLeft + part + 8 * e);
                right[e] = o.get(atRight + part + 8 * e);
            }
        }
        int at = head * queries + query;
        float logSum = 0f;
        if (query < queries) logSum = lse.get(table.get(slot + 3) + at);
        float sum = 0f;
        for (int e = 0; e < 4; e++) {
            sum += (Halves.first(left[e]) * Halves.first(right[e]) + Halves.second(left[e]) * Halves.second(right[e]))
                    + (Halves.third(left[e]) * Halves.third(right[e]) + Halves.fourth(left[e]) * Halves.fourth(right[e]));
        }
        sum += context.simdShuffleDown(sum, 4);
        sum += context.simdShuffleDown(sum, 2);
        sum += context.simdShuffleDown(sum, 1);
        if (part == 0) {
            if (query < queries) {
                int atStats = table.get(slot) + at;
                stats.set(atStats, logSum);
                stats.set(atStats + heads * queries, sum);
            }
        }
    }

    /// One of the gradients, with `p = exp(s - lse)`, `ds = p * (dO vᵀ - delta)` times the softcap's slope:
    /// `dq = scale ds k`, `dk = scale dsᵀ q` or `dv = pᵀ dO`, the last two summed over the query heads of a key head in
    /// order.
    /// Shapes: q, dO, dq `[queries, H * K]`, k, v, dk, dv `[keys, Hkv * K]`, alike in type; stats from `attentionDelta`,
    /// ranges from `attentionRanges`. Operands in the table: out, x1, x2, y1, y2, stats, ranges, where
    /// dq has x = q, dO and y = k, v; dk and dv have x = k, v and y = q, dO.
    /// Launch: `blocks(queries)` x H groups for dq, `blocks(keys)` x Hkv for dk and dv, of `GROUP` x 1 threads; 21 KB of
    /// local memory. A thread has two rows of out's block, of which it makes every 16th weight and every 16th element.
    /// Numerics: F32, serial over heads, then queries or keys. Writes: `=`.
    /// Source: Dao et al. 2022, arXiv 2205.14135.
    ///
    /// @param shape from `HeadShape.of`, with the gradient that is asked for
    public static void attentionGradient(KernelContext context, IntArray table, int slot, FloatArray out,
            ShortArray outHalf, FloatArray x1, ShortArray x1Half, FloatArray x2, ShortArray x2Half,
            FloatArray y1, ShortArray y1Half, FloatArray y2, ShortArray y2Half, FloatArray stats, IntArray ranges,
            int shape, int queries, int keys, float scale, float softcap) {
        float[] tiles = context.allocateFloatLocalArray(4 * TILE);
        float[] weights = context.allocateFloatLocalArray(BLOCK * WEIGHT_STRIDE);
        float[] pin = new float[1];
        float[] sums = new float[32];                // 4 elements of row 0, then of row 1, for each 64 of the head
        int type = HeadShape.type(shape);
        int dims = HeadShape.headDim(shape);
        int heads = HeadShape.numHeads(shape);
        int group = HeadShape.group(shape);
        int ofQueries = HeadShape.gradient(shape) == HeadShape.DQ ? 1 : 0;
        int ofValues = HeadShape.gradient(shape) == HeadShape.DV ? 1 : 0;
        int xWidth = (ofQueries == 1 ? heads : heads / group) * dims;
        int yWidth = (ofQueries == 1 ? heads / group : heads) * dims;
        int rows = ofQueries == 1 ? queries : keys;
        int atX1 = table.get(slot + 1) + context.groupIdy * dims;
        int atX2 = table.get(slot + 2) + context.groupIdy * dims;
        int atRanges = table.get(slot + 6);
        int block = context.groupIdx + (ofQueries == 1 ? 0 : (queries + BLOCK - 1) / BLOCK);
        int first = ranges.get(atRanges + 2 * queries + 2 * block);
        int end = ranges.get(atRanges + 2 * queries + 2 * block + 1);
        int top = context.groupIdx * BLOCK;
        int thread = context.localIdx;
        int c = thread & 15;
        int r = thread >> 4;
        int e = thread & 31;
        for (int i = 0; i < 32; i++) sums[i] = 0f;
        int firstHead = ofQueries == 1 ? context.groupIdy / group : context.groupIdy * group;
        int endHead = ofQueries == 1 ? firstHead + 1 : firstHead + group;
        for (int head = firstHead; head < endHead; head++) {
            int atY1 = table.get(slot + 3) + head * dims;
            int atY2 = table.get(slot + 4) + head * dims;
            int atLse = table.get(slot + 5) + (ofQueries == 1 ? context.groupIdy : head) * queries;
            for (int j = first; j < end; j += BLOCK) {
                float s00 = 0f, s01 = 0f, s10 = 0f, s11 = 0f, t00 = 0f, t01 = 0f, t10 = 0f, t11 = 0f;
                for (int d = 0; d < dims; d += NARROW) {
                    for (int p = thread >> 5; p < BLOCK; p += 8) {
                        int cell = p * NARROW_STRIDE + e;
                        tiles[cell] = element(x1, x1Half, type, atX1, top + p, rows, xWidth, d + e, dims);
                        tiles[TILE + cell] = element(y1, y1Half, type, atY1, j + p, end, yWidth, d + e, dims);
                        if (ofValues == 0) {
                            tiles[2 * TILE + cell] = element(x2, x2Half, type, atX2, top + p, rows, xWidth, d + e, dims);
                            tiles[3 * TILE + cell] = element(y2, y2Half, type, atY2, j + p, end, yWidth, d + e, dims);
                        }
                    }
                    context.localBarrier();
                    for (int i = 0; i < NARROW; i++) {
                        int x = r * NARROW_STRIDE + i;
                        int y = TILE + c * NARROW_STRIDE + i;
                        float a0 = tiles[x], a1 = tiles[x + HALF], b0 = tiles[y], b1 = tiles[y + HALF];
                        s00 += a0 * b0; s01 += a0 * b1; s10 += a1 * b0; s11 += a1 * b1;
                        if (ofValues == 0) {
                            float e0 = tiles[2 * TILE + x], e1 = tiles[2 * TILE + x + HALF];
                            float f0 = tiles[2 * TILE + y], f1 = tiles[2 * TILE + y + HALF];
                            t00 += e0 * f0; t01 += e0 * f1; t10 += e1 * f0; t11 += e1 * f1;
                        }
                    }
                    pin[0] = s00 + t00;              // a store keeps the compiler's reads before the barrier
                    context.localBarrier();
                }
                int at = r * WEIGHT_STRIDE + c;
                int i0 = top + r;
                int j0 = j + c;
                weights[at] = weight(stats, ranges, atLse, atRanges, shape, i0, j0, queries, s00, t00, scale, softcap);
                weights[at + 16] = weight(stats, ranges, atLse, atRanges, shape, i0, j0 + 16, queries, s01, t01, scale,
                        softcap);
                weights[at + 16 * WEIGHT_STRIDE] = weight(stats, ranges, atLse, atRanges, shape, i0 + 16, j0, queries,
                        s10, t10, scale, softcap);
                weights[at + 16 * WEIGHT_STRIDE + 16] = weight(stats, ranges, atLse, atRanges, shape, i0 + 16, j0 + 16,
                        queries, s11, t11, scale, softcap);
                for (int d = 0; d < dims; d += WIDE) {
                    for (int p = thread >> 6; p < BLOCK; p += 4) {
                        int cell = p * STRIDE + (thread & 63);
                        int n = d + (thread & 63);
                        if (ofValues == 1) tiles[cell] = element(y2, y2Half, type, atY2, j + p, end, yWidth, n, dims);
                        else tiles[cell] = element(y1, y1Half, type, atY1, j + p, end, yWidth, n, dims);
                    }
                    context.localBarrier();
                    int n = d >> 3;
                    float a0 = sums[n], a1 = sums[n + 1], a2 = sums[n + 2], a3 = sums[n + 3];
                    float b0 = sums[n + 4], b1 = sums[n + 5], b2 = sums[n + 6], b3 = sums[n + 7];
                    for (int i = 0; i < BLOCK; i++) {
                        float w0 = weights[r * WEIGHT_STRIDE + i], w1 = weights[(r + 16) * WEIGHT_STRIDE + i];
                        float v0 = tiles[i * STRIDE + c], v1 = tiles[i * STRIDE + c + 16];
                        float v2 = tiles[i * STRIDE + c + 32], v3 = tiles[i * STRIDE + c + 48];
                        if (w0 != 0f) { a0 += w0 * v0; a1 += w0 * v1; a2 += w0 * v2; a3 += w0 * v3; }
                        if (w1 != 0f) { b0 += w1 * v0; b1 += w1 * v1; b2 += w1 * v2; b3 += w1 * v3; }
                    }
                    sums[n] = a0; sums[n + 1] = a1; sums[n + 2] = a2; sums[n + 3] = a3;
                    sums[n + 4] = b0; sums[n + 5] = b1; sums[n + 6] = b2; sums[n + 7] = b3;
                    context.localBarrier();
                }
            }
        }
        int atOut = table.get(slot) + context.groupIdy * dims;
        for (int n = 0; n < (dims + 15) / 16; n++) {
            int i = (n >> 2) * 8 + (n & 3);
            put(out, outHalf, type, atOut, top + r, rows, xWidth, c + 16 * n, dims, sums[i]);
            put(out, outHalf, type, atOut, top + r + 16, rows, xWidth, c + 16 * n, dims, sums[i + 4]);
        }
    }

    /// What out's row gets of y's row: `p` for dv, else `scale * slope * p * (dO·v - delta)`; 0 where the key is not seen.
    private static float weight(FloatArray stats, IntArray ranges, int atLse, int atRanges, int shape, int row, int col,
            int queries, float dot, float dotV, float scale, float softcap) {
        int query = HeadShape.gradient(shape) == HeadShape.DQ ? row : col;
        int key = HeadShape.gradient(shape) == HeadShape.DQ ? col : row;
        float value = 0f;
        if (query < queries) {
            if (key >= ranges.get(atRanges + query)) {
                if (key < ranges.get(atRanges + queries + query)) {
                    float score = AttentionKernels.capped(scale * dot, softcap);
                    value = TornadoMath.exp(score - stats.get(atLse + query));
                    if (HeadShape.gradient(shape) != HeadShape.DV) {
                        float delta = stats.get(atLse + HeadShape.numHeads(shape) * queries + query);
                        float bend = softcap > 0f ? score / softcap : 0f;
                        value = scale * (1f - bend * bend) * value * (dotV - delta);
                    }
                    value = AttentionKernels.seen(value);
                }
            }
        }
        return value;
    }
}
