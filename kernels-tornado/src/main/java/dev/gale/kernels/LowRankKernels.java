package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// What stands between the products of a low-rank path on the matrix unit: sums of parts, and operands in BF16 with zeros up to
/// whole tiles.
public final class LowRankKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;

    private LowRankKernels() {}

    /// `copy = src` in BF16, and 0 beyond src.
    /// Shapes: src F32 `[rows, cols]`, copy BF16 `[copyRows, copyCols]`, seen as ints of two elements, copyCols even; of
    /// several matrices the copies lie one behind the other. Operands in the table: copy, src, the first of each.
    /// Launch: `Grid.threads(copyRows * copyCols / 2, GROUP)`, that for each matrix. Writes: `=`.
    ///
    /// @param distance elements from one src to the next
    public static void padded(KernelContext context, IntArray table, int slot, IntArray copy, FloatArray src, int rows,
            int cols, int copyRows, int copyCols, int distance) {
        int i = context.globalIdx;
        int zero = context.localIdx >> 10;
        if (i < copyRows * (copyCols / 2)) {
            int row = i / (copyCols / 2);
            int col = i % (copyCols / 2) * 2;
            int at = table.get(slot + 1) + context.groupIdy * distance;
            float first = 0f;
            float second = 0f;
            if (row < rows) {
                if (col < cols) first = src.get(at + row * cols + col);
                if (col + 1 < cols) second = src.get(at + row * cols + col + 1);
            }
            int atCopy = table.get(slot) / 2 + context.groupIdy * (copyRows * (copyCols / 2));
            copy.set(atCopy + i, Halves.bits(first, zero) | Halves.bits(second, zero) << 16);
        }
    }

    /// `low[i, j] = alpha * sum_p parts[p, i, j]`, and `copy = copyAlpha * sum_p ..` in BF16 with columns of zeros.
    /// Shapes: low F32 `[rows, cols]`, copy BF16 `[rows, copyCols]`, seen as ints of two elements, copyCols even and at least
    /// cols; parts F32, `partLength` each, rows of `stride`. Operands in the table: low, copy, parts.
    /// Launch: `Grid.threads(rows * copyCols / 2, GROUP)`. Numerics: serial F32 sums. Writes: `=`.
    public static void addLow(KernelContext context, IntArray table, int slot, FloatArray low, IntArray copy, FloatArray parts,
            int rows, int cols, int copyCols, int count, int partLength, int stride, float alpha, float copyAlpha) {
        int i = context.globalIdx;
        int zero = context.localIdx >> 10;
        if (i < rows * (copyCols / 2)) {
            int row = i / (copyCols / 2);
            int col = i % (copyCols / 2) * 2;
            int atLow = table.get(slot) + row * cols + col;
            int at = table.get(slot + 2) + row * stride + col;
            float first = 0f;
            float second = 0f;
            if (col < cols) {
                for (int p = 0; p < count; p++) first += parts.get(at + p * partLength);
                low.set(atLow, alpha * first);
            }
            if (col + 1 < cols) {
                for (int p = 0; p < count; p++) second += parts.get(at + p * partLength + 1);
                low.set(atLow + 1, alpha * second);
            }
            int half = Halves.bits(copyAlpha * second, zero);
            copy.set(table.get(slot + 1) / 2 + i, Halves.bits(copyAlpha * first, zero) | half << 16);
        }
    }

    /// `sum[i, j] += alpha * sum_p parts[p, i, j]` or, transposed, `sum[j, i] += ..`.
    /// Shapes: parts F32, `partLength` each, rows of `stride`, of which rows and cols count; sum F32 `[rows, cols]` or
    /// `[cols, rows]`. Operands in the table: sum, parts, the first of each.
    /// Launch: `Grid.threads(rows * cols, GROUP)`, that for each sum: neighbours read side by side. Numerics: serial F32 sums.
    /// Writes: `+=`.
    ///
    /// @param distance      elements from one of several sums to the next
    /// @param partsDistance floats from the first part of one to that of the next
    public static void addGradient(KernelContext context, IntArray table, int slot, FloatArray sum, FloatArray parts,
            int transposed, int rows, int cols, int count, int partLength, int stride, float alpha, int distance,
            int partsDistance) {
        int i = context.globalIdx;
        if (i < rows * cols) {
            int row = i / cols;
            int col = i % cols;
            int atSum = table.get(slot) + context.groupIdy * distance + (transposed == 1 ? col * rows + row : i);
            int at = table.get(slot + 1) + context.groupIdy * partsDistance + row * stride + col;
            float value = 0f;
            for (int p = 0; p < count; p++) value += parts.get(at + p * partLength);
            sum.set(atSum, sum.get(atSum) + alpha * value);
        }
    }
}
