package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// What is added to the sums of a product that another kernel or a library made.
public final class ProductEpilogue {
    /// Threads of a work-group.
    public static final int GROUP = 256;
    /// Rows and columns of y that a group makes.
    public static final int TILE = 64;

    private static final int DEPTH = 16;             // ranks of a tile of the side path
    private static final int STRIDE = TILE + 2;      // keeps stores of either orientation free of bank conflicts

    private ProductEpilogue() {}

    /// `y = alpha sums + sideScale low op(up) + bias + residual`.
    /// Shapes: y and residual `[m, n]`, sums `[at least m, stride]` of which the first n columns count, bias `[n]`,
    /// low `[m, rank]`, op(up) `[rank, n]`, stored `[n, rank]` when w is transposed and `[rank, n]` else. Low and up F32, the
    /// others F32, BF16 or F16. Operands in the table: y, sums, bias, residual, low, up; anything may stand for those that are
    /// absent.
    /// Launch: `Grid.tiles(m, n, TILE, TILE, GROUP)`; 8.3 KB of local memory. A thread reads its 16 sums and residuals before
    /// it needs any: without a side path, memory is the limit, with one up to a rank of about 32.
    /// Numerics: F32; the side path is one serial sum over the rank; one rounding to y's dtype.
    /// Writes: `=`. y may be residual, which makes it `+=`.
    ///
    /// @param form from `ProductForm.of`, where x is the sums and w's type does not matter
    public static void finish(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf,
            FloatArray sums, ShortArray sumsHalf, FloatArray bias, ShortArray biasHalf, FloatArray residual,
            ShortArray residualHalf, FloatArray low, FloatArray up, int form, int m, int n, int stride, float alpha,
            float sideScale) {
        float[] left = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] right = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] values = new float[16];
        float[] sides = new float[16];
        int thread = context.localIdx;
        int r = thread >> 4 & 15;
        int c = thread & 15;
        int top = context.groupIdy * TILE;
        int first = context.groupIdx * TILE;
        int atSums = table.get(slot + 1);
        int atResidual = table.get(slot + 3);
        for (int i = 0; i < 16; i++) {
            int row = top + r + 16 * (i >> 2);
            int col = first + c + 16 * (i & 3);
            values[i] = read(sums, sumsHalf, ProductForm.xType(form), atSums, row, col, m, n, stride);
        }
        for (int i = 0; i < 16; i++) {
            int row = top + r + 16 * (i >> 2);
            int col = first + c + 16 * (i & 3);
            float before = read(residual, residualHalf, ProductForm.residualType(form), atResidual, row, col, m, n, n);
            values[i] = alpha * values[i] + before;
        }
        int rank = ProductForm.rank(form);
        int atLow = table.get(slot + 4);
        int atUp = table.get(slot + 5);
        int byRank = 1 - ProductForm.transposeW(form);
        int upRow = byRank == 1 ? thread & 63 : r;   // neighbouring threads read neighbouring elements
        int upRank = byRank == 1 ? thread >> 6 & 3 : c;
        int rowStep = byRank == 1 ? 0 : 16;
        int rankStep = byRank == 1 ? 4 : 0;
        float s00 = 0f, s01 = 0f, s02 = 0f, s03 = 0f;
        float s10 = 0f, s11 = 0f, s12 = 0f, s13 = 0f;
        float s20 = 0f, s21 = 0f, s22 = 0f, s23 = 0f;
        float s30 = 0f, s31 = 0f, s32 = 0f, s33 = 0f;
        for (int l = 0; l < rank; l += DEPTH) {
            for (int p = 0; p < 4; p++) {
                left[c * STRIDE + r + 16 * p] = MatmulKernels.element(low, yHalf, Elements.F32, atLow, 0, top + r + 16 * p,
                        l + c, m, rank);
                right[(upRank + p * rankStep) * STRIDE + upRow + p * rowStep] = MatmulKernels.element(up, yHalf, Elements.F32,
                        atUp, byRank, first + upRow + p * rowStep, l + upRank + p * rankStep, n, rank);
            }
            context.localBarrier();
            for (int i = 0; i < DEPTH * STRIDE; i += STRIDE) {
                float a0 = left[i + r], a1 = left[i + r + 16], a2 = left[i + r + 32], a3 = left[i + r + 48];
                float b0 = right[i + c], b1 = right[i + c + 16], b2 = right[i + c + 32], b3 = right[i + c + 48];
                s00 += a0 * b0; s01 += a0 * b1; s02 += a0 * b2; s03 += a0 * b3;
                s10 += a1 * b0; s11 += a1 * b1; s12 += a1 * b2; s13 += a1 * b3;
                s20 += a2 * b0; s21 += a2 * b1; s22 += a2 * b2; s23 += a2 * b3;
                s30 += a3 * b0; s31 += a3 * b1; s32 += a3 * b2; s33 += a3 * b3;
            }
            sides[0] = s00;                          // a store keeps the compiler's reads of the tiles before the barrier
            context.localBarrier();
        }
        sides[0] = s00; sides[1] = s01; sides[2] = s02; sides[3] = s03;
        sides[4] = s10; sides[5] = s11; sides[6] = s12; sides[7] = s13;
        sides[8] = s20; sides[9] = s21; sides[10] = s22; sides[11] = s23;
        sides[12] = s30; sides[13] = s31; sides[14] = s32; sides[15] = s33;
        int atY = table.get(slot);
        int atBias = table.get(slot + 2);
        for (int i = 0; i < 16; i++) {
            int row = top + r + 16 * (i >> 2);
            int col = first + c + 16 * (i & 3);
            if (row < m) {
                if (col < n) {
                    float value = values[i] + read(bias, biasHalf, ProductForm.biasType(form), atBias, 0, col, 1, n, n);
                    if (rank > 0) value += sideScale * sides[i];
                    Elements.set(y, yHalf, ProductForm.yType(form), atY + row * n + col, value);
                }
            }
        }
    }

    /// Rows and columns of y that a group of `finishBf16` makes.
    public static final int BF16_ROWS = 64;
    public static final int BF16_COLS = 128;

    private static final int UP_STRIDE = BF16_COLS + 1;

    /// As `finish`, for BF16 alone: y, sums and residual are read and written four elements at a time.
    /// Shapes: as `finish`; n and stride are multiples of 4. Operands in the table: y, sums, bias, residual, low, up.
    /// Launch: `Grid.tiles(m, n, BF16_ROWS, BF16_COLS, GROUP)`; 12.4 KB of local memory. A thread has four columns of eight
    /// rows.
    /// Numerics, Writes: as `finish`; y may be sums or residual.
    public static void finishBf16(KernelContext context, IntArray table, int slot, LongArray y, LongArray sums, FloatArray bias,
            ShortArray biasHalf, LongArray residual, FloatArray low, FloatArray up, int form, int m, int n, int stride,
            float alpha, float sideScale) {
        float[] left = context.allocateFloatLocalArray(BF16_ROWS * DEPTH);
        float[] right = context.allocateFloatLocalArray(DEPTH * UP_STRIDE);
        float[] sides = new float[32];
        long[] values = new long[8];
        long[] before = new long[8];
        int thread = context.localIdx;
        int zero = Halves.zero(thread);
        int c = thread & 31;
        int r = thread >> 5 & 7;
        int top = context.groupIdy * BF16_ROWS;
        int first = context.groupIdx * BF16_COLS;
        int atSums = table.get(slot + 1) / 4;
        int atResidual = table.get(slot + 3) / 4;
        int rank = ProductForm.rank(form);
        int column = Math.min(first / 4 + c, n / 4 - 1);
        for (int p = 0; p < 8; p++) values[p] = sums.get(atSums + Math.min(top + r + 8 * p, m - 1) * (stride / 4) + column);
        if (ProductForm.residualType(form) != ProductForm.ABSENT) {
            for (int p = 0; p < 8; p++) {
                before[p] = residual.get(atResidual + Math.min(top + r + 8 * p, m - 1) * (n / 4) + column);
            }
        }
        for (int i = 0; i < 32; i++) sides[i] = 0f;
        int atLow = table.get(slot + 4);
        int atUp = table.get(slot + 5);
        int byRank = 1 - ProductForm.transposeW(form);
        for (int l = 0; l < rank; l += DEPTH) {
            for (int i = thread; i < BF16_ROWS * DEPTH; i += GROUP) {
                left[i] = MatmulKernels.element(low, biasHalf, Elements.F32, atLow, 0, top + (i >> 4), l + (i & 15), m, rank);
            }
            for (int i = thread; i < BF16_COLS * DEPTH; i += GROUP) {
                int col = byRank == 1 ? i & 127 : i >> 4;
                int d = byRank == 1 ? i >> 7 : i & 15;
                right[d * UP_STRIDE + (col & 3) * 32 + (col >> 2)] = MatmulKernels.element(up, biasHalf, Elements.F32, atUp,
                        byRank, first + col, l + d, n, rank);
            }
            context.localBarrier();
            for (int d = 0; d < DEPTH; d++) {
                int at = d * UP_STRIDE + c;
                float b0 = right[at], b1 = right[at + 32], b2 = right[at + 64], b3 = right[at + 96];
                for (int p = 0; p < 8; p++) {
                    float a = left[(r + 8 * p) * DEPTH + d];
                    sides[4 * p] += a * b0;
                    sides[4 * p + 1] += a * b1;
                    sides[4 * p + 2] += a * b2;
                    sides[4 * p + 3] += a * b3;
                }
            }
            context.localBarrier();
        }
        int atY = table.get(slot) / 4;
        int atBias = table.get(slot + 2);
        int biasType = ProductForm.biasType(form);
        float bias0 = read(bias, biasHalf, biasType, atBias, 0, first + 4 * c, 1, n, n);
        float bias1 = read(bias, biasHalf, biasType, atBias, 0, first + 4 * c + 1, 1, n, n);
        float bias2 = read(bias, biasHalf, biasType, atBias, 0, first + 4 * c + 2, 1, n, n);
        float bias3 = read(bias, biasHalf, biasType, atBias, 0, first + 4 * c + 3, 1, n, n);
        for (int p = 0; p < 8; p++) {
            float y0 = alpha * Halves.first(values[p]) + bias0;
            float y1 = alpha * Halves.second(values[p]) + bias1;
            float y2 = alpha * Halves.third(values[p]) + bias2;
            float y3 = alpha * Halves.fourth(values[p]) + bias3;
            if (ProductForm.residualType(form) != ProductForm.ABSENT) {
                y0 += Halves.first(before[p]);
                y1 += Halves.second(before[p]);
                y2 += Halves.third(before[p]);
                y3 += Halves.fourth(before[p]);
            }
            if (rank > 0) {
                y0 += sideScale * sides[4 * p];
                y1 += sideScale * sides[4 * p + 1];
                y2 += sideScale * sides[4 * p + 2];
                y3 += sideScale * sides[4 * p + 3];
            }
            if (top + r + 8 * p < m) {
                if (first + 4 * c < n) {
                    y.set(atY + (top + r + 8 * p) * (n / 4) + first / 4 + c, Halves.four(y0, y1, y2, y3, zero));
                }
            }
        }
    }

    /// An element of an `[m, stride]` operand of which n columns count; 0 outside and when there is none.
    private static float read(FloatArray floats, ShortArray halves, int type, int at, int row, int col, int m, int n,
            int stride) {
        float value = 0f;
        if (type != ProductForm.ABSENT) {
            if (row < m) {
                if (col < n) value = Elements.get(floats, halves, type, at + row * stride + col);
            }
        }
        return value;
    }
}
