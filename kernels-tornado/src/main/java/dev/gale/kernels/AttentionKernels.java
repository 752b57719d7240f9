package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Softmax attention forward for any device, keys streamed in blocks, and what forward and backward share.
public final class AttentionKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;
    /// Queries and keys of a block.
    public static final int BLOCK = 32;

    static final int WIDE = 64;                      // elements of a head in a tile
    static final int STRIDE = WIDE + 1;              // of tiles in local memory, free of bank conflicts
    static final int WEIGHT_STRIDE = BLOCK + 1;

    private static final int TILE = BLOCK * STRIDE;
    private static final int LANES = 16;             // threads that share a row
    private static final int LANE_STRIDE = LANES + 1;
    /// A weight that a visible key has at least: a weight of 0 says that its key is not seen, whatever its value, so
    /// that NaN spreads to those who see it and to nobody else.
    private static final float LEAST_WEIGHT = Float.MIN_NORMAL;

    private AttentionKernels() {}

    /// Length of the I32 scratch that `attentionRanges` fills.
    public static int rangesLength(int queries, int keys) {
        return 2 * queries + 2 * (blocks(queries) + blocks(keys));
    }

    public static int blocks(int rows) {
        return Math.ceilDiv(rows, BLOCK);
    }

    /// What each query sees, then what each block of queries sees, then what sees each block of keys:
    /// `start[queries], stop[queries], {first, end}[blocks(queries)], {first, end}[blocks(keys)]`, first a multiple of
    /// `BLOCK`.
    /// Shapes: start, stop I32 `[queries]`, ranges I32 `[rangesLength]`. Operands in the table: ranges, start, stop.
    /// Launch: `blocks(queries) + blocks(keys)` groups of `GROUP` threads; 2 KB of local memory. Writes: `=`.
    public static void attentionRanges(KernelContext context, IntArray table, int slot, IntArray ranges, IntArray start,
            IntArray stop, int queries, int keys) {
        int[] least = context.allocateIntLocalArray(GROUP);
        int[] most = context.allocateIntLocalArray(GROUP);
        int[] pin = new int[1];                      // keeps reads where they stand: see Reduce
        pin[0] = 0;
        int at = table.get(slot);
        int atStart = table.get(slot + 1);
        int atStop = table.get(slot + 2);
        int thread = context.localIdx;
        int block = context.groupIdx;
        int queryBlocks = (queries + BLOCK - 1) / BLOCK;
        int ofQueries = block < queryBlocks ? 1 : 0;
        int firstKey = ofQueries == 1 ? 0 : (block - queryBlocks) * BLOCK;
        int endKey = ofQueries == 1 ? keys : firstKey + BLOCK;
        int from = ofQueries == 1 ? block * BLOCK : 0;
        int to = ofQueries == 1 ? TornadoMath.min(from + BLOCK, queries) : queries;
        int low = Integer.MAX_VALUE;
        int high = pin[0];
        for (int i = from + thread; i < to; i += GROUP) {
            int a = TornadoMath.max(start.get(atStart + i), 0);
            int b = TornadoMath.min(stop.get(atStop + i), keys);
            int seen = TornadoMath.min(b, endKey) > TornadoMath.max(a, firstKey) ? 1 : 0;
            int lowest = ofQueries == 1 ? a : i;
            int highest = ofQueries == 1 ? b : i + 1;
            low = seen == 1 ? TornadoMath.min(low, lowest) : low;
            high = seen == 1 ? TornadoMath.max(high, highest) : high;
            if (ofQueries == 1) {
                ranges.set(at + i, a);
                ranges.set(at + queries + i, b);
            }
        }
        least[thread] = low;
        most[thread] = high;
        context.localBarrier();
        for (int half = GROUP / 2; half > 0; half >>= 1) {
            if (thread < half) {
                least[thread] = TornadoMath.min(least[thread], least[thread + half]);
                most[thread] = TornadoMath.max(most[thread], most[thread + half]);
            }
            context.localBarrier();
        }
        if (thread == 0) {
            ranges.set(at + 2 * queries + 2 * block, most[0] == 0 ? 0 : least[0] / BLOCK * BLOCK);
            ranges.set(at + 2 * queries + 2 * block + 1, most[0]);
        }
    }

    /// `s_ij = softcap(scale * q_i·k_j)` for the keys that i sees, `lse[h,i] = log sum_j exp(s_ij)`,
    /// `o_i = sum_j exp(s_ij - lse) v_j`; without keys, o = 0 and lse = -inf.
    /// Shapes: o, q `[queries, H * K]`, k, v `[keys, Hkv * K]`, alike in type; lse F32 `[H, queries]`; ranges from
    /// `attentionRanges`. Operands in the table: o, lse, q, k, v, ranges.
    /// Launch: `blocks(queries)` x H groups of `GROUP` x 1 threads; 23 KB of local memory. A thread has two rows of the
    /// block, of which it makes every 16th score and every 16th element of o.
    /// Numerics: F32, scores relative to the largest so far; each row's order depends on its own range alone.
    /// Writes: `=`.
    /// Source: Dao et al. 2022, arXiv 2205.14135.
    public static void attentionForward(KernelContext context, IntArray table, int slot, FloatArray o,
            ShortArray oHalf, FloatArray lse, FloatArray q, ShortArray qHalf, FloatArray k, ShortArray kHalf,
            FloatArray v, ShortArray vHalf, IntArray ranges, int shape, int queries, float scale, float softcap) {
        float[] tiles = context.allocateFloatLocalArray(2 * TILE);
        float[] weights = context.allocateFloatLocalArray(BLOCK * WEIGHT_STRIDE);
        float[] lanes = context.allocateFloatLocalArray(BLOCK * LANE_STRIDE);
        float[] pin = new float[1];
        float[] sums = new float[32];                // 4 elements of row 0, then of row 1, for each 64 of the head
        int type = HeadShape.type(shape);
        int dims = HeadShape.headDim(shape);
        int qWidth = HeadShape.numHeads(shape) * dims;
        int kWidth = HeadShape.numKvHeads(shape) * dims;
        int head = context.groupIdy;
        int kvHead = head / HeadShape.group(shape);
        int atQ = table.get(slot + 2) + head * dims;
        int atK = table.get(slot + 3) + kvHead * dims;
        int atV = table.get(slot + 4) + kvHead * dims;
        int atRanges = table.get(slot + 5);
        int thread = context.localIdx;
        int row = thread >> 6;
        int e = thread & 63;
        int c = thread & 15;
        int r0 = thread >> 4;
        int r1 = r0 + 16;
        int top = context.groupIdx * BLOCK;
        int start0 = bound(ranges, atRanges, top + r0, queries);
        int start1 = bound(ranges, atRanges, top + r1, queries);
        int stop0 = bound(ranges, atRanges + queries, top + r0, queries);
        int stop1 = bound(ranges, atRanges + queries, top + r1, queries);
        int first = ranges.get(atRanges + 2 * queries + 2 * context.groupIdx);
        int end = ranges.get(atRanges + 2 * queries + 2 * context.groupIdx + 1);
        float max0 = Float.NEGATIVE_INFINITY, max1 = Float.NEGATIVE_INFINITY, total0 = 0f, total1 = 0f;
        for (int i = 0; i < 32; i++) sums[i] = 0f;
        for (int j = first; j < end; j += BLOCK) {
            float s00 = 0f, s01 = 0f, s10 = 0f, s11 = 0f;
            for (int d = 0; d < dims; d += WIDE) {
                for (int p = row; p < BLOCK; p += 4) {
                    tiles[p * STRIDE + e] = element(q, qHalf, type, atQ, top + p, queries, qWidth, d + e, dims);
                    tiles[TILE + p * STRIDE + e] = element(k, kHalf, type, atK, j + p, end, kWidth, d + e, dims);
                }
                context.localBarrier();
                for (int i = 0; i < WIDE; i++) {
                    float q0 = tiles[r0 * STRIDE + i], q1 = tiles[r1 * STRIDE + i];
                    float k0 = tiles[TILE + c * STRIDE + i], k1 = tiles[TILE + (c + 16) * STRIDE + i];
                    s00 += q0 * k0; s01 += q0 * k1; s10 += q1 * k0; s11 += q1 * k1;
                }
                pin[0] = s00;                        // a store keeps the compiler's reads before the barrier
                context.localBarrier();
            }
            s00 = score(s00, j + c, start0, stop0, scale, softcap);
            s01 = score(s01, j + c + 16, start0, stop0, scale, softcap);
            s10 = score(s10, j + c, start1, stop1, scale, softcap);
            s11 = score(s11, j + c + 16, start1, stop1, scale, softcap);
            lanes[r0 * LANE_STRIDE + c] = s00 > s01 ? s00 : s01;
            lanes[r1 * LANE_STRIDE + c] = s10 > s11 ? s10 : s11;
            context.localBarrier();
            float last0 = max0, last1 = max1;
            for (int i = 0; i < LANES; i++) {
                max0 = lanes[r0 * LANE_STRIDE + i] > max0 ? lanes[r0 * LANE_STRIDE + i] : max0;
                max1 = lanes[r1 * LANE_STRIDE + i] > max1 ? lanes[r1 * LANE_STRIDE + i] : max1;
            }
            s00 = weight(s00, max0, j + c, start0, stop0);
            s01 = weight(s01, max0, j + c + 16, start0, stop0);
            s10 = weight(s10, max1, j + c, start1, stop1);
            s11 = weight(s11, max1, j + c + 16, start1, stop1);
            float fade0 = fade(last0, max0), fade1 = fade(last1, max1);
            total0 = total0 * fade0 + (s00 + s01);
            total1 = total1 * fade1 + (s10 + s11);
            weights[r0 * WEIGHT_STRIDE + c] = s00;
            weights[r0 * WEIGHT_STRIDE + c + 16] = s01;
            weights[r1 * WEIGHT_STRIDE + c] = s10;
            weights[r1 * WEIGHT_STRIDE + c + 16] = s11;
            for (int d = 0; d < dims; d += WIDE) {
                for (int p = row; p < BLOCK; p += 4) {
                    tiles[p * STRIDE + e] = element(v, vHalf, type, atV, j + p, end, kWidth, d + e, dims);
                }
                context.localBarrier();
                int n = d >> 3;
                float a0 = sums[n] * fade0, a1 = sums[n + 1] * fade0, a2 = sums[n + 2] * fade0, a3 = sums[n + 3] * fade0;
                float b0 = sums[n + 4] * fade1, b1 = sums[n + 5] * fade1, b2 = sums[n + 6] * fade1;
                float b3 = sums[n + 7] * fade1;
                for (int i = 0; i < BLOCK; i++) {
                    float w0 = weights[r0 * WEIGHT_STRIDE + i], w1 = weights[r1 * WEIGHT_STRIDE + i];
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
        lanes[r0 * LANE_STRIDE + c] = total0;
        lanes[r1 * LANE_STRIDE + c] = total1;
        context.localBarrier();
        total0 = 0f;
        total1 = 0f;
        for (int i = 0; i < LANES; i++) {
            total0 += lanes[r0 * LANE_STRIDE + i];
            total1 += lanes[r1 * LANE_STRIDE + i];
        }
        int atLse = table.get(slot + 1) + head * queries;
        int atO = table.get(slot) + head * dims;
        put(lse, oHalf, Elements.F32, atLse, top + r0, queries, 1, c, 1, max0 + TornadoMath.log(total0));
        put(lse, oHalf, Elements.F32, atLse, top + r1, queries, 1, c, 1, max1 + TornadoMath.log(total1));
        for (int n = 0; n < (dims + 15) / 16; n++) {
            int i = (n >> 2) * 8 + (n & 3);
            float o0 = start0 < stop0 ? sums[i] / total0 : 0f;
            float o1 = start1 < stop1 ? sums[i + 4] / total1 : 0f;
            put(o, oHalf, type, atO, top + r0, queries, qWidth, c + 16 * n, dims, o0);
            put(o, oHalf, type, atO, top + r1, queries, qWidth, c + 16 * n, dims, o1);
        }
    }

    private static int bound(IntArray ranges, int at, int i, int queries) {
        int value = 0;
        if (i < queries) value = ranges.get(at + i);
        return value;
    }

    /// Element e of a head in a row, 0 outside. At is the head's first element in row 0.
    static float element(FloatArray floats, ShortArray halves, int type, int at, int row, int rows, int width, int e,
            int dims) {
        float value = 0f;
        if (row < rows) {
            if (e < dims) value = Elements.get(floats, halves, type, at + row * width + e);
        }
        return value;
    }

    /// Writes element e of a head in a row, if there is one.
    static void put(FloatArray floats, ShortArray halves, int type, int at, int row, int rows, int width, int e,
            int dims, float value) {
        if (row < rows) {
            if (e < dims) Elements.set(floats, halves, type, at + row * width + e, value);
        }
    }

    static float capped(float score, float softcap) {
        return softcap > 0f ? softcap * TornadoMath.tanh(score / softcap) : score;
    }

    /// The score of key j, -inf when it is not seen.
    private static float score(float dot, int j, int start, int stop, float scale, float softcap) {
        float value = Float.NEGATIVE_INFINITY;
        if (j >= start) {
            if (j < stop) value = capped(scale * dot, softcap);
        }
        return value;
    }

    private static float weight(float score, float max, int j, int start, int stop) {
        float value = 0f;
        if (j >= start) {
            if (j < stop) value = seen(TornadoMath.exp(score - max));
        }
        return value;
    }

    /// The weight of a pair that takes part: never 0.
    static float seen(float weight) {
        return weight == 0f ? LEAST_WEIGHT : weight;
    }

    /// What sums relative to an earlier maximum are multiplied by.
    private static float fade(float last, float max) {
        return max > Float.NEGATIVE_INFINITY ? TornadoMath.exp(last - max) : 1f;
    }
}
