package dev.gale.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import org.junit.jupiter.api.Test;

class RandomRowsTest {
    private static float[] filled(TensorOps ops, long seed, int rows, int cols) {
        try (RandomRows random = new RandomRows(ops, seed, DType.BF16, 0.5)) {
            Tensor y = ops.allocate("y", DType.F32, Shape.of(rows, cols));
            random.fill(y);
            float[] values = ops.toFloats(y);
            ops.release(y);
            return values;
        }
    }

    /// Bounds of five standard errors for as many rows as can repeat; the table is narrow here, so that it is drawn fast.
    @Test
    void rowsAreNormalAndDependOnTheSeedAlone() {
        try (TensorOps ops = new ReferenceOps()) {
            int n = 4 * 65536;
            float[] values = filled(ops, 1, 4, 65536);
            double sum = 0;
            double squares = 0;
            for (float value : values) {
                sum += value;
                squares += (double) value * value;
            }
            assertEquals(0, sum / n, 5 * 0.5 / Math.sqrt(n));
            assertEquals(0.25, squares / n, 5 * 0.25 * Math.sqrt(2.0 / n));
            assertArrayEquals(values, filled(ops, 1, 4, 65536));
            assertTrue(values[0] != filled(ops, 2, 4, 65536)[0]);
            assertEquals(0, ops.memory().liveBytes());
        }
    }
}
