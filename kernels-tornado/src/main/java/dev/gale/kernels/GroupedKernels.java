package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Products of the rows of several experts, each with its own matrix, in one launch: tiles in local memory, a 4 x 4 block of
/// sums in the registers of each thread. The matrices lie at equal distances in one chunk. How many rows an expert has is known
/// on the device alone, so a work-group finds its expert in the offsets; there are a few groups more than tiles.
public final class GroupedKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;
    /// Rows and columns of the result that a group makes.
    public static final int TILE = 64;

    private static final int DEPTH = 16;             // of a tile along the sum
    private static final int STRIDE = TILE + 2;      // keeps stores of either orientation free of bank conflicts

    private GroupedKernels() {}

    /// Work-groups along the rows, for `rows` rows of `count` experts.
    public static int rowTiles(int rows, int count) {
        return rows / TILE + count;
    }

    /// For each row j of expert e, `c[j] = alpha * a[j] op(w[e])`.
    /// Shapes: a `[N, k]`, c `[N, n]`, op(w[e]) `[k, n]`, offsets I32. F32, BF16 or F16, w F16 too. Operands in the table: c,
    /// a, w of the first expert, offsets.
    /// Launch: `ceil(n / TILE)` x `rowTiles(N, count)` groups of `GROUP` x 1 threads; 8.3 KB of local memory.
    /// Numerics: F32, one serial sum over k. Writes: `=` or, with bit 1 of form, `+=`.
    ///
    /// @param first  number of the first expert of this launch, and count how many there are
    /// @param stride elements from the matrix of an expert to that of the next
    /// @param form   bit 0: w is stored `[n, k]`, bit 1: accumulate
    public static void groupedProduct(KernelContext context, IntArray table, int slot, FloatArray c, ShortArray cHalf,
            int cType, FloatArray a, ShortArray aHalf, int aType, FloatArray w, ShortArray wHalf, int wType, IntArray offsets,
            int first, int count, int stride, int n, int k, int form, float alpha) {
        float[] left = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] right = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] sums = new float[16];
        int thread = context.localIdx;
        int tile = context.groupIdy;
        int atOffsets = table.get(slot + 3) + first;
        int expert = 0;
        int top = 0;
        int end = 0;
        int passed = 0;
        for (int e = 0; e < count; e++) {
            int begin = offsets.get(atOffsets + e);
            int stop = offsets.get(atOffsets + e + 1);
            int tiles = (stop - begin + TILE - 1) / TILE;
            int mine = tile - passed;
            if (mine >= 0) {
                if (mine < tiles) {
                    expert = e;
                    top = begin + mine * TILE;
                    end = stop;
                }
            }
            passed += tiles;
        }
        int col = context.groupIdx * TILE;
        int atA = table.get(slot + 1);
        int atW = table.get(slot + 2) + expert * stride;
        int byDepth = 1 - (form & 1);
        int wRow = byDepth == 1 ? thread & 63 : thread >> 4;
        int wDepth = byDepth == 1 ? thread >> 6 : thread & 15;
        int dw = byDepth == 1 ? 0 : 16;              // a thread's four elements: so many columns or depths apart
        int lw = byDepth == 1 ? 4 : 0;
        int r = thread >> 4;
        int s = thread & 15;
        float s00 = 0f, s01 = 0f, s02 = 0f, s03 = 0f;
        float s10 = 0f, s11 = 0f, s12 = 0f, s13 = 0f;
        float s20 = 0f, s21 = 0f, s22 = 0f, s23 = 0f;
        float s30 = 0f, s31 = 0f, s32 = 0f, s33 = 0f;
        int depth = end > top ? k : 0;
        for (int l = 0; l < depth; l += DEPTH) {
            for (int e = 0; e < 4; e++) {
                int row = r + 16 * e;
                left[s * STRIDE + row] = MatmulKernels.element(a, aHalf, aType, atA, 0, top + row, l + s, end, k);
                right[(wDepth + e * lw) * STRIDE + wRow + e * dw] = MatmulKernels.element(w, wHalf, wType, atW, byDepth,
                        col + wRow + e * dw, l + wDepth + e * lw, n, k);
            }
            context.localBarrier();
            for (int i = 0; i < DEPTH * STRIDE; i += STRIDE) {
                float a0 = left[i + r], a1 = left[i + r + 16], a2 = left[i + r + 32], a3 = left[i + r + 48];
                float b0 = right[i + s], b1 = right[i + s + 16], b2 = right[i + s + 32], b3 = right[i + s + 48];
                s00 += a0 * b0; s01 += a0 * b1; s02 += a0 * b2; s03 += a0 * b3;
                s10 += a1 * b0; s11 += a1 * b1; s12 += a1 * b2; s13 += a1 * b3;
                s20 += a2 * b0; s21 += a2 * b1; s22 += a2 * b2; s23 += a2 * b3;
                s30 += a3 * b0; s31 += a3 * b1; s32 += a3 * b2; s33 += a3 * b3;
            }
            sums[0] = s00;                           // a store keeps the compiler's reads of the tiles before the barrier
            context.localBarrier();
        }
        sums[0] = s00; sums[1] = s01; sums[2] = s02; sums[3] = s03;
        sums[4] = s10; sums[5] = s11; sums[6] = s12; sums[7] = s13;
        sums[8] = s20; sums[9] = s21; sums[10] = s22; sums[11] = s23;
        sums[12] = s30; sums[13] = s31; sums[14] = s32; sums[15] = s33;
        int atC = table.get(slot);
        for (int i = 0; i < 16; i++) {
            int row = top + r + 16 * (i >> 2);
            int column = col + s + 16 * (i & 3);
            if (row < end) {
                if (column < n) {
                    float value = alpha * sums[i];
                    if ((form & 2) != 0) value += Elements.get(c, cHalf, cType, atC + row * n + column);
                    Elements.set(c, cHalf, cType, atC + row * n + column, value);
                }
            }
        }
    }

    /// `dw[e] += alpha * sum_j a[j]ᵀ b[j]` over the rows j of expert e.
    /// Shapes: a `[N, m]`, b `[N, n]`, F32, BF16 or F16; dw[e] F32 `[m, n]`; offsets I32. Operands in the table: dw of the
    /// first expert, a, b, offsets.
    /// Launch: `ceil(n / TILE)` x `count * ceil(m / TILE)` groups of `GROUP` x 1 threads; 8.3 KB of local memory.
    /// Numerics: F32, one serial sum over the rows, then what was there. Writes: `+=`.
    ///
    /// @param first  number of the first expert of this launch
    /// @param stride elements from the gradient of an expert to that of the next
    public static void groupedGradient(KernelContext context, IntArray table, int slot, FloatArray dw, FloatArray a,
            ShortArray aHalf, int aType, FloatArray b, ShortArray bHalf, int bType, IntArray offsets, int first, int stride,
            int m, int n, float alpha) {
        float[] left = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] right = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] sums = new float[16];
        int thread = context.localIdx;
        int tiles = (m + TILE - 1) / TILE;
        int expert = context.groupIdy / tiles;
        int top = (context.groupIdy - expert * tiles) * TILE;
        int col = context.groupIdx * TILE;
        int begin = offsets.get(table.get(slot + 3) + first + expert);
        int rows = offsets.get(table.get(slot + 3) + first + expert + 1) - begin;
        int atA = table.get(slot + 1) + begin * m;
        int atB = table.get(slot + 2) + begin * n;
        int lane = thread & 63;
        int line = thread >> 6;
        int r = thread >> 4;
        int s = thread & 15;
        float s00 = 0f, s01 = 0f, s02 = 0f, s03 = 0f;
        float s10 = 0f, s11 = 0f, s12 = 0f, s13 = 0f;
        float s20 = 0f, s21 = 0f, s22 = 0f, s23 = 0f;
        float s30 = 0f, s31 = 0f, s32 = 0f, s33 = 0f;
        for (int l = 0; l < rows; l += DEPTH) {
            for (int e = 0; e < 4; e++) {
                int at = line + 4 * e;
                left[at * STRIDE + lane] = MatmulKernels.element(a, aHalf, aType, atA, 1, top + lane, l + at, m, rows);
                right[at * STRIDE + lane] = MatmulKernels.element(b, bHalf, bType, atB, 1, col + lane, l + at, n, rows);
            }
            context.localBarrier();
            for (int i = 0; i < DEPTH * STRIDE; i += STRIDE) {
                float a0 = left[i + r], a1 = left[i + r + 16], a2 = left[i + r + 32], a3 = left[i + r + 48];
                float b0 = right[i + s], b1 = right[i + s + 16], b2 = right[i + s + 32], b3 = right[i + s + 48];
                s00 += a0 * b0; s01 += a0 * b1; s02 += a0 * b2; s03 += a0 * b3;
                s10 += a1 * b0; s11 += a1 * b1; s12 += a1 * b2; s13 += a1 * b3;
                s20 += a2 * b0; s21 += a2 * b1; s22 += a2 * b2; s23 += a2 * b3;
                s30 += a3 * b0; s31 += a3 * b1; s32 += a3 * b2; s33 += a3 * b3;
            }
            sums[0] = s00;                           // a store keeps the compiler's reads of the tiles before the barrier
            context.localBarrier();
        }
        sums[0] = s00; sums[1] = s01; sums[2] = s02; sums[3] = s03;
        sums[4] = s10; sums[5] = s11; sums[6] = s12; sums[7] = s13;
        sums[8] = s20; sums[9] = s21; sums[10] = s22; sums[11] = s23;
        sums[12] = s30; sums[13] = s31; sums[14] = s32; sums[15] = s33;
        int at = table.get(slot) + expert * stride;
        for (int i = 0; i < 16; i++) {
            int row = top + r + 16 * (i >> 2);
            int column = col + s + 16 * (i & 3);
            if (row < m) {
                if (column < n) dw.set(at + row * n + column, dw.get(at + row * n + column) + alpha * sums[i]);
            }
        }
    }
}
