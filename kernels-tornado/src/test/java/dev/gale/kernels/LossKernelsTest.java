package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.ULP;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.ints;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.tensor.testing.Fixtures.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/// Rows of the cross-entropy against sums in double.
class LossKernelsTest {
    private static final float SCALE = 0.5f;

    private static KernelOperands operands(DType dtype, float[] logits, int... targets) {
        int rows = targets.length;
        return new KernelOperands(inout("logits", dtype, logits, rows, logits.length / rows), ints("targets", targets),
                output("losses", DType.F32, 2 * rows), output("tokenLoss", DType.F32, rows));
    }

    private static KernelOperands run(KernelOperands o, int rows, int vocab, float softcap, int gradients) {
        FloatArray f = o.floats;
        if (o.type(0) == Elements.F32) {
            return o.run(rows, ctx -> LossKernels.crossEntropyRows(ctx, o.table, SLOT, f, o.ints, f, f, f, rows, vocab,
                    SCALE, softcap, gradients, 1, 0));
        }
        return o.run(rows, 1, LossKernels.WIDE, ctx -> LossKernels.crossEntropyRowsBf16(ctx, o.table, SLOT, o.longs, o.ints, f,
                f, f, rows, vocab, SCALE, softcap, gradients, 1, 0));
    }

    /// A difference to the largest logit is exact to an ulp of either, and so is a probability, relatively; the sum adds one
    /// ulp a term, the cap two ulps of a logit.
    @ParameterizedTest(name = "{0}, {1} tokens, deviation {2}, softcap {3}")
    @CsvSource({"F32,5,1,0", "F32,1300,4,0", "F32,2049,30,20", "BF16,4,1,0", "BF16,68,30,0", "BF16,2052,4,0", "BF16,8192,4,0",
        "BF16,9100,30,20"})
    void lossAndGradientMatch(DType dtype, int vocab, float deviation, float softcap) {
        int[] targets = {0, vocab - 1, -100, vocab / 2};
        KernelOperands o = operands(dtype, normal(targets.length * vocab, deviation, 3), targets);
        float[] z = o.values("logits");
        float[] losses = new float[2 * targets.length];
        float[] gradient = new float[z.length];
        double[] bounds = new double[z.length];
        double[] lossBounds = new double[losses.length];
        for (int r = 0; r < targets.length; r++) {
            if (targets[r] < 0) continue;
            double largest = 0;
            double top = Double.NEGATIVE_INFINITY;
            double sum = 0;
            double[] capped = new double[vocab];
            for (int c = 0; c < vocab; c++) {
                double raw = z[r * vocab + c];
                capped[c] = softcap > 0 ? softcap * Math.tanh(raw / softcap) : raw;
                largest = Math.max(largest, Math.abs(capped[c]));
                top = Math.max(top, capped[c]);
                sum += Math.exp(capped[c]);
            }
            double relative = ULP * (vocab + 16 + 8 * largest);
            losses[r] = (float) (Math.log(sum) - capped[targets[r]]);
            losses[targets.length + r] = capped[targets[r]] == top ? 1 : 0;
            lossBounds[r] = relative + 4 * ULP * Math.log(sum);
            for (int c = 0; c < vocab; c++) {
                double p = Math.exp(capped[c]) / sum;
                double share = softcap > 0 ? capped[c] / softcap : 0;
                double d = (p - (c == targets[r] ? 1 : 0)) * SCALE;
                gradient[r * vocab + c] = (float) (d * (1 - share * share));
                bounds[r * vocab + c] = (relative * p + ULP) * SCALE * (1 - share * share) + 8 * ULP * Math.abs(d);
            }
        }
        run(o, targets.length, vocab, softcap, 1).within("losses", losses, lossBounds).within("logits", gradient, bounds);
        for (int r = 0; r < targets.length; r++) assertEquals(o.values("losses")[r], o.values("tokenLoss")[r]);
    }

    @ParameterizedTest
    @CsvSource({"F32", "BF16"})
    void onlyTheFirstLargestLogitIsRight(DType dtype) {
        int vocab = 2 * 4 * LossKernels.WIDE;
        int[] targets = new int[12];
        float[] logits = new float[targets.length * vocab];
        boolean[] right = new boolean[targets.length];
        int[] places = {0, 2, 4 * LossKernels.WIDE + 1, vocab - 1};
        for (int r = 0; r < targets.length; r++) {
            int place = places[r % 4];
            targets[r] = place;
            logits[r * vocab + place] = 3;
            int rival = r < 4 ? -1 : r < 8 ? place - 1 : place + 1;      // none, one as large before, one behind
            if (rival >= 0 && rival < vocab) logits[r * vocab + rival] = 3;
            right[r] = rival < 0 || rival > place;
        }
        float[] before = operands(dtype, logits, targets).values("logits");
        KernelOperands o = run(operands(dtype, logits, targets), targets.length, vocab, 0f, 0);
        float[] losses = o.values("losses");
        for (int r = 0; r < targets.length; r++) assertEquals(right[r] ? 1f : 0f, losses[targets.length + r], "row " + r);
        assertArrayEquals(before, o.values("logits"));
    }

    @ParameterizedTest
    @CsvSource({"F32", "BF16"})
    void rowsThatAreNotNumbersStayByThemselves(DType dtype) {
        int vocab = 4 * LossKernels.WIDE + 8;
        float[] logits = normal(4 * vocab, 2, 1);
        logits[vocab - 1] = Float.NaN;                     // row 0 is trained, row 1 is not
        logits[vocab + 5] = Float.NaN;
        logits[2 * vocab] = Float.NEGATIVE_INFINITY;
        KernelOperands o = run(operands(dtype, logits, 7, -1, 9, vocab), 4, vocab, 0f, 1);
        float[] losses = o.values("losses");
        float[] gradient = o.values("logits");
        assertTrue(Float.isNaN(losses[0]));
        assertEquals(0f, losses[4]);
        assertEquals(0f, losses[1]);
        assertTrue(Float.isFinite(losses[2]));
        assertEquals(Float.POSITIVE_INFINITY, losses[3]);
        for (int c = 0; c < vocab; c++) {
            assertTrue(Float.isNaN(gradient[c]));
            assertEquals(0f, gradient[vocab + c]);
            assertTrue(Float.isFinite(gradient[2 * vocab + c]));
            assertTrue(Float.isFinite(gradient[3 * vocab + c]));
        }
        assertEquals(0f, gradient[2 * vocab]);
    }
}
