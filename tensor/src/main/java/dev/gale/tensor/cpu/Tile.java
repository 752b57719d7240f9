package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;
import static dev.gale.tensor.cpu.Lanes.WIDTH;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// The innermost product: 5 rows times 2 vectors of columns, held in registers along k, and the layouts it reads.
///
/// Left operand: rows at a fixed distance of `DEPTH` floats. Right operand: panels of `COLS` columns, row k of a panel
/// directly behind row k - 1. Ten accumulators is what the compiler keeps in the 16 registers of AVX2 without
/// spilling, and a loop it cannot count is one that it does not unroll into spilling either.
final class Tile {
    static final int ROWS = 5;
    static final int COLS = 2 * WIDTH;
    /// Most steps of k in one go.
    static final int DEPTH = 320;

    private Tile() {}

    static int paddedRows(int rows) {
        return (rows + ROWS - 1) / ROWS * ROWS;
    }

    static int paddedCols(int cols) {
        return (cols + COLS - 1) / COLS * COLS;
    }

    /// `c[r, j] = sum_k a[r, k] b[k, j]` or, with add, `+=`; each element is one chain of fused multiply-adds in order
    /// of k.
    /// Precondition: 1 <= depth <= DEPTH.
    static void multiply(float[] a, int fromA, float[] b, int fromB, int depth, float[] c, int fromC, int strideC,
                         boolean add) {
        FloatVector zero = FloatVector.zero(F);
        FloatVector c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero;
        FloatVector c21 = zero, c30 = zero, c31 = zero, c40 = zero, c41 = zero;
        int end = fromB + depth * COLS;
        while (fromB != end) {
            FloatVector b0 = FloatVector.fromArray(F, b, fromB);
            FloatVector b1 = FloatVector.fromArray(F, b, fromB + WIDTH);
            FloatVector left = FloatVector.broadcast(F, a[fromA]);
            c00 = left.fma(b0, c00);
            c01 = left.fma(b1, c01);
            left = FloatVector.broadcast(F, a[fromA + DEPTH]);
            c10 = left.fma(b0, c10);
            c11 = left.fma(b1, c11);
            left = FloatVector.broadcast(F, a[fromA + 2 * DEPTH]);
            c20 = left.fma(b0, c20);
            c21 = left.fma(b1, c21);
            left = FloatVector.broadcast(F, a[fromA + 3 * DEPTH]);
            c30 = left.fma(b0, c30);
            c31 = left.fma(b1, c31);
            left = FloatVector.broadcast(F, a[fromA + 4 * DEPTH]);
            c40 = left.fma(b0, c40);
            c41 = left.fma(b1, c41);
            fromB += COLS;
            fromA++;
        }
        store(c00, c01, c, fromC, add);
        store(c10, c11, c, fromC + strideC, add);
        store(c20, c21, c, fromC + 2 * strideC, add);
        store(c30, c31, c, fromC + 3 * strideC, add);
        store(c40, c41, c, fromC + 4 * strideC, add);
    }

    private static void store(FloatVector first, FloatVector second, float[] c, int at, boolean add) {
        if (add) {
            first.add(FloatVector.fromArray(F, c, at)).intoArray(c, at);
            second.add(FloatVector.fromArray(F, c, at + WIDTH)).intoArray(c, at + WIDTH);
        } else {
            first.intoArray(c, at);
            second.intoArray(c, at + WIDTH);
        }
    }

    /// `out = left * right` or, with add, `+=`, for whole blocks in scratch memory.
    /// Layouts: depth is cut into slices of `DEPTH`; left holds for each slice `paddedRows(rows)` rows, right for each
    /// slice its panels; out has room for padded rows and columns.
    static void multiplyBlock(float[] out, int stride, boolean add, float[] left, int rows, float[] right, int depth,
                              int cols) {
        int paddedRows = paddedRows(rows);
        int paddedCols = paddedCols(cols);
        for (int k = 0; k < depth; k += DEPTH) {
            int slice = Math.min(DEPTH, depth - k);
            for (int j = 0; j < paddedCols; j += COLS) {
                for (int i = 0; i < paddedRows; i += ROWS) {
                    multiply(left, k * paddedRows + i * DEPTH, right, k * paddedCols + j * slice, slice,
                            out, i * stride + j, stride, add || k > 0);
                }
            }
        }
    }

    /// Size of the left operand of `multiplyBlock`.
    static int leftSize(int rows, int depth) {
        return (depth + DEPTH - 1) / DEPTH * DEPTH * paddedRows(rows);
    }

    /// Writes rows of `src` as the left operand of `multiplyBlock`; padding rows become zero.
    static void packLeft(float[] left, float[] src, int stride, int rows, int depth) {
        int padded = paddedRows(rows);
        for (int k = 0; k < depth; k += DEPTH) {
            int slice = Math.min(DEPTH, depth - k);
            for (int r = 0; r < padded; r++) {
                int to = k * padded + r * DEPTH;
                if (r < rows) System.arraycopy(src, r * stride + k, left, to, slice);
                else Arrays.fill(left, to, to + slice, 0f);
            }
        }
    }

    /// Writes `src [cols, depth]`, transposed, as the right operand of `multiplyBlock`.
    static void packRightTransposed(float[] right, float[] src, int stride, int cols, int depth) {
        int padded = paddedCols(cols);
        for (int k = 0; k < depth; k += DEPTH) {
            int slice = Math.min(DEPTH, depth - k);
            for (int j = 0; j < cols; j += COLS) {
                panelTransposed(right, k * padded + j * slice, src, j * stride + k, stride,
                        Math.min(COLS, cols - j), slice);
            }
        }
    }

    /// Writes `src [depth, cols]` as the right operand of `multiplyBlock`. Reads whole vectors: src rows need padded
    /// columns.
    static void packRight(float[] right, float[] src, int stride, int cols, int depth) {
        int padded = paddedCols(cols);
        for (int k = 0; k < depth; k++) {
            int slice = Math.min(DEPTH, depth - k / DEPTH * DEPTH);
            spread(right, k / DEPTH * DEPTH * padded + k % DEPTH * COLS, slice * COLS, src, k * stride, cols);
        }
    }

    /// One row of the right operand: `COLS` elements into each panel. Past cols, zeros.
    static void spread(float[] right, int to, int panelSize, float[] row, int from, int cols) {
        int j = 0;
        for (; j <= cols - COLS; j += COLS, to += panelSize) {
            FloatVector.fromArray(F, row, from + j).intoArray(right, to);
            FloatVector.fromArray(F, row, from + j + WIDTH).intoArray(right, to + WIDTH);
        }
        if (j == cols) return;
        System.arraycopy(row, from + j, right, to, cols - j);
        Arrays.fill(right, to + cols - j, to + COLS, 0f);
    }

    /// One panel from `cols <= COLS` rows of the transposed operand: `right[k, j] = src[j, k]`. Past cols, zeros.
    static void panelTransposed(float[] right, int to, float[] src, int from, int stride, int cols, int depth) {
        int whole = Transpose.AVAILABLE && cols == COLS ? depth / Transpose.BLOCK * Transpose.BLOCK : 0;
        if (whole > 0) {
            for (int j = 0; j < COLS; j += Transpose.BLOCK) {
                Transpose.columns(right, to + j, src, from + j * stride, stride, whole);
            }
        }
        for (int j = 0; j < COLS; j++) {
            for (int k = whole; k < depth; k++) right[to + k * COLS + j] = j < cols ? src[from + j * stride + k] : 0f;
        }
    }
}
