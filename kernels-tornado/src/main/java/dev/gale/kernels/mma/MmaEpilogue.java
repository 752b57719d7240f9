package dev.gale.kernels.mma;

import dev.gale.kernels.Elements;
import dev.gale.kernels.Halves;
import dev.gale.kernels.ProductForm;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// How the sums of the matrix unit become elements of y, in the kernel that made them.
///
/// A thread sees the elements of a fragment only in local memory: a warp puts 16 rows of 32 columns there at a time, and its
/// threads take four elements of a row each, eight threads a row.
public final class MmaEpilogue {
    /// Columns of such a part.
    static final int COLS = 32;
    /// Floats from one of its rows to the next: four rows, eight bytes a thread, lie in different banks.
    static final int STRIDE = COLS + 8;
    /// Floats of a part.
    static final int PART = 16 * STRIDE;
    /// Rows from one of a thread's elements to the next.
    static final int ROWS = 4;

    /// Where m and n are multiples of this, no tile reaches beyond them.
    private static final int TILE = 128;

    private MmaEpilogue() {}

    /// Four elements of a BF16 residual that is read so, 0 else: to be asked for before they are needed.
    ///
    /// @param at of the residual's first element
    public static long before(LongArray residual, int at, int form, int row, int column, int m, int n) {
        long four = 0;
        if (n % 4 == 0) {
            if (ProductForm.residualType(form) == Elements.BF16) {
                int first = MmaTiles.clamp(row, m, TILE) * (n / 4) + MmaTiles.clamp(column / 4, n / 4, TILE / 4);
                four = residual.get(at / 4 + first);
            }
        }
        return four;
    }

    /// `y = alpha sum + bias + residual` for four elements of a row, as many of them as there are; y, bias and residual F32 or
    /// BF16: more in one method TornadoVM refuses to inline.
    ///
    /// @param at     of y's first element, as atBias and atResidual
    /// @param zero   `localIdx >> 10`
    /// @param before from `before`
    public static void put(LongArray y, FloatArray yFloats, ShortArray yHalves, int at, FloatArray bias, ShortArray biasHalves,
            int atBias, FloatArray residual, ShortArray residualHalves, int atResidual, int form, int row, int column, int m,
            int n, float alpha, int zero, long before, float sum0, float sum1, float sum2, float sum3) {
        if (MmaTiles.keep(row, m, TILE) != 0) {
            if (MmaTiles.keep(column, n, TILE) != 0) {
                int first = row * n + column;
                if (n % 4 == 0) {
                    float y0 = alpha * sum0;
                    float y1 = alpha * sum1;
                    float y2 = alpha * sum2;
                    float y3 = alpha * sum3;
                    if (ProductForm.biasType(form) != ProductForm.ABSENT) {
                        y0 += get(bias, biasHalves, ProductForm.biasType(form), atBias + column);
                        y1 += get(bias, biasHalves, ProductForm.biasType(form), atBias + column + 1);
                        y2 += get(bias, biasHalves, ProductForm.biasType(form), atBias + column + 2);
                        y3 += get(bias, biasHalves, ProductForm.biasType(form), atBias + column + 3);
                    }
                    if (ProductForm.residualType(form) == Elements.BF16) {
                        y0 += Halves.first(before);
                        y1 += Halves.second(before);
                        y2 += Halves.third(before);
                        y3 += Halves.fourth(before);
                    } else if (ProductForm.residualType(form) == Elements.F32) {
                        y0 += residual.get(atResidual + first);
                        y1 += residual.get(atResidual + first + 1);
                        y2 += residual.get(atResidual + first + 2);
                        y3 += residual.get(atResidual + first + 3);
                    }
                    if (ProductForm.yType(form) == Elements.BF16) {
                        y.set(at / 4 + first / 4, Halves.four(y0, y1, y2, y3, zero));
                    } else {
                        yFloats.set(at + first, y0);
                        yFloats.set(at + first + 1, y1);
                        yFloats.set(at + first + 2, y2);
                        yFloats.set(at + first + 3, y3);
                    }
                } else {
                    for (int i = 0; i < 4; i++) {
                        if (column + i < n) {
                            float sum = i == 0 ? sum0 : i == 1 ? sum1 : i == 2 ? sum2 : sum3;
                            float value = alpha * sum;
                            if (ProductForm.biasType(form) != ProductForm.ABSENT) {
                                value += get(bias, biasHalves, ProductForm.biasType(form), atBias + column + i);
                            }
                            if (ProductForm.residualType(form) != ProductForm.ABSENT) {
                                value += get(residual, residualHalves, ProductForm.residualType(form),
                                        atResidual + first + i);
                            }
                            set(yFloats, yHalves, ProductForm.yType(form), at + first + i, value);
                        }
                    }
                }
            }
        }
    }

    private static float get(FloatArray floats, ShortArray halves, int type, int i) {
        float value;
        if (type == Elements.F32) value = floats.get(i);
        else value = Halves.fromBf16(halves.get(i));
        return value;
    }

    private static void set(FloatArray floats, ShortArray halves, int type, int i, float value) {
        if (type == Elements.F32) floats.set(i, value);
        else halves.set(i, Halves.toBf16(value));
    }
}
