package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Matrix products for any device: tiles in local memory, a 4 x 4 block of sums in the registers of each thread.
public final class MatmulKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;
    /// Rows and columns of y that a group makes.
    public static final int TILE = 64;

    private static final int DEPTH = 16;             // of a tile along k
    private static final int STRIDE = TILE + 2;      // keeps stores of either orientation free of bank conflicts

    private MatmulKernels() {}

    /// `y = alpha op(x) op(w) + bias + residual` or, with a side path,
    /// `y = op(x) op(w) + alpha low op(up) + bias + residual`.
    /// One kernel for `matmul` (`+=` is a residual that is y), `linearForward` (w and up transposed, alpha the side's
    /// scale) and the dx of `linearBackward` (x is dy, low is dLow, up is a, alpha 1).
    /// Shapes: op(x) `[m, k]`, op(w) `[k, n]`, bias `[n]`, y and residual `[m, n]`, low `[m, rank]`, op(up) `[rank, n]`,
    /// up stored as w is. F32, BF16 or F16 as `ProductForm` says; low and up F32. Operands in the table: y, x, w, bias,
    /// residual, low, up; anything may stand for those that are absent.
    /// An NF4 w: wHalf sees its codes and w its F32 absmax, which follows in the table; as it is stored, it is whole blocks.
    /// Launch: `Grid.tiles(m, n, TILE, TILE, GROUP)`; 8.3 KB of local memory.
    /// Numerics: F32; every element is one serial sum over the side path, then k, so its order depends on rank and k
    /// alone.
    /// Writes: `=`. y may be residual, which makes it `+=`.
    ///
    /// @param form from `ProductForm.of` or `ProductForm.matmul`
    public static void product(KernelContext context, IntArray table, int slot, FloatArray y, ShortArray yHalf,
            FloatArray x, ShortArray xHalf, FloatArray w, ShortArray wHalf, FloatArray bias,
            ShortArray biasHalf, FloatArray residual, ShortArray residualHalf, FloatArray low, FloatArray up,
            int form, int m, int n, int k, float alpha) {
        float[] left = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] right = context.allocateFloatLocalArray(DEPTH * STRIDE);
        float[] sums = new float[16];
        int thread = context.localIdx;
        int top = context.groupIdy * TILE;
        int first = context.groupIdx * TILE;
        int atX = table.get(slot + 1);
        int atW = table.get(slot + 2);
        int atLow = table.get(slot + 5);
        int atUp = table.get(slot + 6);
        int atAbsmax = 0;
        if (ProductForm.wType(form) == ProductForm.NF4) atAbsmax = table.get(slot + 7);
        // Neighbouring threads read neighbouring elements: along rows of the tile when the operand is stored by depth.
        int byDepthX = ProductForm.transposeX(form);
        int byDepthW = 1 - ProductForm.transposeW(form);
        int xRow = byDepthX == 1 ? thread & 63 : thread >> 4;
        int xDepth = byDepthX == 1 ? thread >> 6 : thread & 15;
        int wRow = byDepthW == 1 ? thread & 63 : thread >> 4;
        int wDepth = byDepthW == 1 ? thread >> 6 : thread & 15;
        int dx = byDepthX == 1 ? 0 : 16;             // a thread's four elements: so many rows or depths apart
        int lx = byDepthX == 1 ? 4 : 0;
        int dw = byDepthW == 1 ? 0 : 16;
        int lw = byDepthW == 1 ? 4 : 0;
        int r = thread >> 4;
        int c = thread & 15;
        float s00 = 0f, s01 = 0f, s02 = 0f, s03 = 0f;
        float s10 = 0f, s11 = 0f, s12 = 0f, s13 = 0f;
        float s20 = 0f, s21 = 0f, s22 = 0f, s23 = 0f;
        float s30 = 0f, s31 = 0f, s32 = 0f, s33 = 0f;
        int depth = sideDepth(form) + k;
        for (int l = 0; l < depth; l += DEPTH) {
            float x0 = left(x, xHalf, low, atX, atLow, form, top + xRow, l + xDepth, m, k, alpha);
            float x1 = left(x, xHalf, low, atX, atLow, form, top + xRow + dx, l + xDepth + lx, m, k, alpha);
            float x2 = left(x, xHalf, low, atX, atLow, form, top + xRow + 2 * dx, l + xDepth + 2 * lx, m, k, alpha);
            float x3 = left(x, xHalf, low, atX, atLow, form, top + xRow + 3 * dx, l + xDepth + 3 * lx, m, k, alpha);
            float w0 = right(w, wHalf, up, atW, atUp, atAbsmax, form, first + wRow, l + wDepth, n, k);
            float w1 = right(w, wHalf, up, atW, atUp, atAbsmax, form, first + wRow + dw, l + wDepth + lw, n, k);
            float w2 = right(w, wHalf, up, atW, atUp, atAbsmax, form, first + wRow + 2 * dw, l + wDepth + 2 * lw, n, k);
            float w3 = right(w, wHalf, up, atW, atUp, atAbsmax, form, first + wRow + 3 * dw, l + wDepth + 3 * lw, n, k);
            left[xDepth * STRIDE + xRow] = x0;
            left[(xDepth + lx) * STRIDE + xRow + dx] = x1;
            left[(xDepth + 2 * lx) * STRIDE + xRow + 2 * dx] = x2;
            left[(xDepth + 3 * lx) * STRIDE + xRow + 3 * dx] = x3;
            right[wDepth * STRIDE + wRow] = w0;
            right[(wDepth + lw) * STRIDE + wRow + dw] = w1;
            right[(wDepth + 2 * lw) * STRIDE + wRow + 2 * dw] = w2;
            right[(wDepth + 3 * lw) * STRIDE + wRow + 3 * dw] = w3;
            context.localBarrier();
            for (int i = 0; i < DEPTH * STRIDE; i += STRIDE) {
                float a0 = left[i + r], a1 = left[i + r + 16], a2 = left[i + r + 32], a3 = left[i + r + 48];
                float b0 = right[i + c], b1 = right[i + c + 16], b2 = right[i + c + 32], b3 = right[i + c + 48];
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
        int atY = table.get(slot);
        int atBias = table.get(slot + 3);
        int atResidual = table.get(slot + 4);
        float factor = ProductForm.rank(form) == 0 ? alpha : 1f;
        for (int i = 0; i < 16; i++) {
            finish(y, yHalf, bias, biasHalf, residual, residualHalf, atY, atBias, atResidual, form,
                    top + r + 16 * (i >> 2), first + c + 16 * (i & 3), m, n, factor * sums[i]);
        }
    }

    /// The rank, rounded up to whole tiles: how deep the sums are before x and w begin.
    private static int sideDepth(int form) {
        return (ProductForm.rank(form) + DEPTH - 1) / DEPTH * DEPTH;
    }

    /// Element (row, l) of `[alpha low | op(x)]`, 0 outside.
    private static float left(FloatArray x, ShortArray xHalf, FloatArray low, int atX, int atLow, int form, int row,
            int l, int m, int k, float alpha) {
        int rank = ProductForm.rank(form);
        int side = sideDepth(form);
        float value;
        if (l < side) value = alpha * element(low, xHalf, Elements.F32, atLow, 0, row, l, m, rank);
        else value = element(x, xHalf, ProductForm.xType(form), atX, ProductForm.transposeX(form), row, l - side, m, k);
        return value;
    }

    /// Element (l, col) of `op(up)` above `op(w)`, 0 outside.
    private static float right(FloatArray w, ShortArray wHalf, FloatArray up, int atW, int atUp, int atAbsmax, int form,
            int col, int l, int n, int k) {
        int rank = ProductForm.rank(form);
        int side = sideDepth(form);
        int byDepth = 1 - ProductForm.transposeW(form);
        float value;
        if (l < side) value = element(up, wHalf, Elements.F32, atUp, byDepth, col, l, n, rank);
        else if (ProductForm.wType(form) == ProductForm.NF4) value = nf4(w, wHalf, atAbsmax, atW, byDepth, col, l - side, n, k);
        else value = element(w, wHalf, ProductForm.wType(form), atW, byDepth, col, l - side, n, k);
        return value;
    }

    /// As `element`, of an NF4 operand.
    private static float nf4(FloatArray absmax, ShortArray codes, int atAbsmax, int atCodes, int byDepth, int row, int l,
            int rows, int depth) {
        float value = 0f;
        if (row < rows) {
            if (l < depth) {
                int i = byDepth == 1 ? l * rows + row : row * depth + l;
                value = Nf4Kernels.element(absmax, codes, atAbsmax, atCodes, i);
            }
        }
        return value;
    }

    /// Element (row, l) of an operand that is stored `[rows, depth]` or, by depth, `[depth, rows]`; 0 outside.
    static float element(FloatArray floats, ShortArray halves, int type, int at, int byDepth, int row, int l,
            int rows, int depth) {
        float value = 0f;
        if (row < rows) {
            if (l < depth) {
                int i = byDepth == 1 ? l * rows + row : row * depth + l;
                value = Elements.get(floats, halves, type, at + i);
            }
        }
        return value;
    }

    /// Adds bias and residual to a sum and writes it, if it lies inside y.
    private static void finish(FloatArray y, ShortArray yHalf, FloatArray bias, ShortArray biasHalf,
            FloatArray residual, ShortArray residualHalf, int atY, int atBias, int atResidual, int form, int row,
            int col, int m, int n, float sum) {
        if (row < m) {
            if (col < n) {
                float value = sum;
                int biasType = ProductForm.biasType(form);
                int residualType = ProductForm.residualType(form);
                int i = row * n + col;
                if (biasType != ProductForm.ABSENT) value += Elements.get(bias, biasHalf, biasType, atBias + col);
                if (residualType != ProductForm.ABSENT) {
                    value += Elements.get(residual, residualHalf, residualType, atResidual + i);
                }
                Elements.set(y, yHalf, ProductForm.yType(form), atY + i, value);
            }
        }
    }
}
