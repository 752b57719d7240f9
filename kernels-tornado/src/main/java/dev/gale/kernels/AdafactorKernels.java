package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// Adafactor in parts: moments, the root of the mean square of the change, the change.
///
/// `g = factor[0] * grad`; hyper F32 `[5]` = lr, b, eps, clip, wd; factor F32 `[1]` or longer.
/// Matrices have moments of rows and columns, `u = g * sqrt(mean(rows) / rows[r]) / sqrt(cols[c])`; vectors have one for each
/// element, `u = g / sqrt(rows[i])`. Numerics: F32, sums in an order that shapes alone decide.
/// Source: Shazeer & Stern 2018, arXiv 1804.04235, algorithm 4; transformers.Adafactor.
public final class AdafactorKernels {
    /// Moments for each element.
    public static final int VECTOR = 0;
    /// Moments for rows and columns.
    public static final int MATRIX = 1;

    private AdafactorKernels() {}

    private static float square(float g, float eps) {
        return g * g + eps;
    }

    /// `rows[r] = b rows[r] + (1 - b) mean_c(g^2 + eps)`. Shapes: rows F32 `[R]`, grad F32 `[R, cols]`.
    /// Operands in the table: rows, grad, hyper, factor.
    /// Launch: a work-group of `Elements.GROUP` threads a row; 1 KB of local memory.
    public static void rowMoments(KernelContext context, IntArray table, int slot, FloatArray rows, FloatArray grad,
            FloatArray hyper, FloatArray factor, int cols) {
        int hyperAt = table.get(slot + 2);
        float beta = hyper.get(hyperAt + 1);
        float eps = hyper.get(hyperAt + 2);
        float scale = factor.get(table.get(slot + 3));
        int row = context.groupIdx;
        int gradAt = table.get(slot + 1) + row * cols;
        float sum = 0f;
        for (int c = context.localIdx; c < cols; c += Elements.GROUP) sum += square(scale * grad.get(gradAt + c), eps);
        float total = Reduce.sum(context, sum);
        if (context.localIdx == 0) {
            int at = table.get(slot) + row;
            rows.set(at, beta * rows.get(at) + (1f - beta) * (total / cols));
        }
    }

    /// `columns[c] = b columns[c] + (1 - b) mean_r(g^2 + eps)`. Shapes: columns F32 `[cols]`, grad F32 `[rows, cols]`.
    /// Operands in the table: columns, grad, hyper, factor.
    /// Launch: `ceil(cols / Reduce.COLUMNS)` work-groups of `Elements.GROUP` threads; 1 KB of local memory.
    public static void columnMoments(KernelContext context, IntArray table, int slot, FloatArray columns, FloatArray grad,
            FloatArray hyper, FloatArray factor, int rows, int cols) {
        int hyperAt = table.get(slot + 2);
        float beta = hyper.get(hyperAt + 1);
        float eps = hyper.get(hyperAt + 2);
        float scale = factor.get(table.get(slot + 3));
        int gradAt = table.get(slot + 1);
        int tileRow = context.localIdx / Reduce.COLUMNS;
        int col = context.groupIdx * Reduce.COLUMNS + context.localIdx - tileRow * Reduce.COLUMNS;
        float sum = 0f;
        if (col < cols) {
            for (int r = tileRow; r < rows; r += Reduce.ROWS) sum += square(scale * grad.get(gradAt + r * cols + col), eps);
        }
        float total = Reduce.columns(context, sum);
        if (tileRow == 0) {
            if (col < cols) {
                int at = table.get(slot) + col;
                columns.set(at, beta * columns.get(at) + (1f - beta) * (total / rows));
            }
        }
    }

    /// `moments = b moments + (1 - b) (g^2 + eps)`. Shapes: moments, grad F32 `[n]`.
    /// Operands in the table: moments, grad, hyper, factor. Launch: `ceil(n / 256)` work-groups of `Elements.GROUP` threads.
    public static void elementMoments(KernelContext context, IntArray table, int slot, FloatArray moments, FloatArray grad,
            FloatArray hyper, FloatArray factor, int n) {
        int hyperAt = table.get(slot + 2);
        float beta = hyper.get(hyperAt + 1);
        float eps = hyper.get(hyperAt + 2);
        float scale = factor.get(table.get(slot + 3));
        int i = context.globalIdx;
        if (i < n) {
            int at = table.get(slot) + i;
            float s = square(scale * grad.get(table.get(slot + 1) + i), eps);
            moments.set(at, beta * moments.get(at) + (1f - beta) * s);
        }
    }

    /// `sums[0] = mean(rows)`. Shapes: sums F32 `[2]`, rows F32 `[n]`.
    /// Launch: one work-group of `Elements.GROUP` threads; 1 KB of local memory.
    public static void rowsMean(KernelContext context, IntArray table, int slot, FloatArray sums, FloatArray rows, int n) {
        int rowsAt = table.get(slot + 1);
        float sum = 0f;
        for (int r = context.localIdx; r < n; r += Elements.GROUP) sum += rows.get(rowsAt + r);
        float total = Reduce.sum(context, sum);
        if (context.localIdx == 0) sums.set(table.get(slot), total / n);
    }

    /// `partial[g] = sum of u_i^2` over the share of work-group g, which is every `groups * 256`-th run of 256 elements.
    /// Shapes: partial F32 `[groups]`, sums F32 `[2]` with the mean of rows, grad F32 `[n]`, columns F32 `[cols]`, rows F32
    /// `[n / cols]`; for `VECTOR` rows F32 `[n]`, and anything may stand for columns.
    /// Operands in the table: partial, sums, grad, rows, columns, factor. Launch: as `OptimKernels.partialSquares`.
    public static void partialChanges(KernelContext context, IntArray table, int slot, FloatArray partial, FloatArray sums,
            FloatArray grad, FloatArray rows, FloatArray columns, FloatArray factor, int form, int n, int cols,
            int groups) {
        float mean = sums.get(table.get(slot + 1));
        int gradAt = table.get(slot + 2);
        int rowsAt = table.get(slot + 3);
        int columnsAt = table.get(slot + 4);
        float scale = factor.get(table.get(slot + 5));
        float squares = 0f;
        for (int i = context.globalIdx; i < n; i += groups * Elements.GROUP) {
            float change = change(scale * grad.get(gradAt + i), mean, rows, rowsAt, columns, columnsAt, form, i, cols);
            squares += change * change;
        }
        float total = Reduce.sum(context, squares);
        if (context.localIdx == 0) partial.set(table.get(slot) + context.groupIdx, total);
    }

    /// `p *= 1 - lr * wd; p -= lr * u / max(1, sqrt(sums[1] / n) / clip)`, sums[1] the sum of all u_i^2.
    /// Shapes: param F32 `[n]`, the others as `partialChanges`.
    /// Operands in the table: param, sums, grad, rows, columns, factor, hyper.
    /// Launch: `ceil(n / 256)` work-groups of `Elements.GROUP` threads. Writes: in place.
    public static void adafactor(KernelContext context, IntArray table, int slot, FloatArray param, FloatArray sums,
            FloatArray grad, FloatArray rows, FloatArray columns, FloatArray factor, FloatArray hyper, int form, int n,
            int cols) {
        int sumsAt = table.get(slot + 1);
        float mean = sums.get(sumsAt);
        float excess = TornadoMath.sqrt(sums.get(sumsAt + 1) / n) / hyper.get(table.get(slot + 6) + 3);
        float lr = hyper.get(table.get(slot + 6));
        float keep = 1f - lr * hyper.get(table.get(slot + 6) + 4);
        if (excess < 1f) excess = 1f;                // NaN stays
        float rate = lr / excess;
        float scale = factor.get(table.get(slot + 5));
        int i = context.globalIdx;
        if (i < n) {
            int at = table.get(slot) + i;
            float change = change(scale * grad.get(table.get(slot + 2) + i), mean, rows, table.get(slot + 3), columns,
                    table.get(slot + 4), form, i, cols);
            param.set(at, param.get(at) * keep - rate * change);
        }
    }

    private static float change(float g, float mean, FloatArray rows, int rowsAt, FloatArray columns, int columnsAt,
            int form, int i, int cols) {
        float change;
        if (form == MATRIX) {
            int row = i / cols;
            change = g * TornadoMath.sqrt(mean / rows.get(rowsAt + row))
                    / TornadoMath.sqrt(columns.get(columnsAt + i - row * cols));
        } else {
            change = g / TornadoMath.sqrt(rows.get(rowsAt + i));
        }
        return change;
    }
}
