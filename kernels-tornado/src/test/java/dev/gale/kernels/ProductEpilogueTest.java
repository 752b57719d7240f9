package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.uniform;

import dev.gale.tensor.DType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// The epilogue of a product equals a double loop, with each of its parts present or not.
class ProductEpilogueTest {
    private static final float ALPHA = 0.7f;
    private static final float SIDE_SCALE = -1.5f;

    /// @param pad columns of the sums that do not count
    @ParameterizedTest(name = "m={0} n={1} pad={2} rank={3} transposed={4} {5}")
    @CsvSource({"1,4,60,0,1,F32", "70,130,62,16,1,F32", "65,33,0,3,0,F32", "40,70,58,40,0,BF16", "3,65,0,8,1,BF16",
        "64,64,0,0,0,BF16"})
    void epilogueAddsItsParts(int m, int n, int pad, int rank, int transposed, DType dtype) {
        for (boolean inPlace : new boolean[] {false, true}) {
            int stride = n + pad;
            float[] sums = uniform(m * stride, 1);
            float[] bias = uniform(n, 2);
            float[] before = uniform(m * n, 3);
            float[] low = uniform(m * Math.max(1, rank), 4);
            float[] up = uniform(n * Math.max(1, rank), 5);
            KernelOperands operands = new KernelOperands(
                    inPlace ? inout("y", dtype, before, m, n) : output("y", dtype, m, n),
                    input("sums", dtype, sums, m, stride), input("bias", DType.F32, bias, n),
                    input("residual", dtype, before, m, n), input("low", DType.F32, low, m, Math.max(1, rank)),
                    input("up", DType.F32, up, n, Math.max(1, rank)));
            IntArray table = IntArray.fromArray(operands.table.toHeapArray());
            if (inPlace) table.set(SLOT + 3, table.get(SLOT));
            sums = operands.values("sums");
            before = operands.values("residual");
            int biasType = inPlace ? ProductForm.ABSENT : Elements.F32;
            int type = operands.type(0);
            int form = ProductForm.of(type, type, Elements.F32, biasType, type, 0, transposed, rank);
            operands.run((n + 63) / 64, (m + 63) / 64, context -> ProductEpilogue.finish(context, table, SLOT,
                    operands.floats, operands.halves, operands.floats, operands.halves, operands.floats, operands.halves,
                    operands.floats, operands.halves, operands.floats, operands.floats, form, m, n, stride, ALPHA,
                    SIDE_SCALE));
            float[] want = new float[m * n];
            float[] magnitudes = new float[m * n];
            for (int i = 0; i < m * n; i++) {
                int row = i / n;
                int col = i % n;
                double side = 0;
                double sideMagnitude = 0;
                for (int l = 0; l < rank; l++) {
                    double term = (double) low[row * rank + l] * up[transposed == 1 ? col * rank + l : l * n + col];
                    side += term;
                    sideMagnitude += Math.abs(term);
                }
                double sum = (double) ALPHA * sums[row * stride + col];
                double shift = inPlace ? 0 : bias[col];
                want[i] = (float) (sum + SIDE_SCALE * side + shift + before[i]);
                magnitudes[i] = (float) (Math.abs(sum) + Math.abs(SIDE_SCALE) * sideMagnitude + Math.abs(shift)
                        + Math.abs(before[i]));
            }
            operands.within("y", want, times(rank + 6, magnitudes));
        }
    }
}
