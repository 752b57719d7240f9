package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import java.util.List;
import org.junit.jupiter.api.Test;

class EightBitTest {
    private static final int ROWS = 64;
    private static final int COLS = 80;
    private static final int SAMPLES = 200;

    private static Parameter parameter(TensorOps ops, String name, int rows, int cols) {
        Tensor value = ops.allocate(name, DType.F32, Shape.of(rows, cols));
        ops.fill(value, 0f);
        return new Parameter(name, value, true);
    }

    /// Losses of 200 steps of least squares, whose gradients are noisy: 20 of 200 samples a step.
    private static double[] losses(String optim, double lr) {
        float[] x = Fixtures.normal(SAMPLES * COLS, 1, 1);
        float[] teacher = Fixtures.normal(ROWS * COLS, 0.1, 2);
        float[] noise = Fixtures.normal(SAMPLES * ROWS, 0.5, 3);
        double[] losses = new double[200];
        try (TensorOps ops = new CpuOps(2)) {
            Parameter w = parameter(ops, "w.weight", ROWS, COLS);
            Tensor factor = ops.allocate("factor", DType.F32, Shape.of(1));
            ops.fill(factor, 1f);
            List<ParamGroup> groups = ParamGroups.single(List.of(w), 0.01);
            try (Optimizer optimizer = Optimizer.of(optim, ops, groups, OptimizerSettings.DEFAULT)) {
                for (int step = 0; step < losses.length; step++) {
                    float[] p = ops.toFloats(w.value());
                    float[] gradient = new float[p.length];
                    for (int s = 0; s < SAMPLES; s++) {
                        for (int r = 0; r < ROWS; r++) {
                            double error = -noise[s * ROWS + r];
                            for (int c = 0; c < COLS; c++) error += (p[r * COLS + c] - teacher[r * COLS + c]) * x[s * COLS + c];
                            losses[step] += error * error / SAMPLES / ROWS;
                            if (s % 10 != step % 10) continue;
                            for (int c = 0; c < COLS; c++) gradient[r * COLS + c] += (float) (error * x[s * COLS + c] / 20);
                        }
                    }
                    ops.write(w.grad(ops), gradient);
                    optimizer.step(lr, factor);
                }
            }
        }
        return losses;
    }

    @Test
    void adamWLearnsAsWithMomentsOfF32() {
        double[] want = losses("adamw_torch", 1e-2);
        double[] got = losses("adamw_8bit", 1e-2);
        assertTrue(want[199] < 0.3 * want[0], want[0] + " -> " + want[199]);
        for (int i = 0; i < want.length; i++) assertEquals(want[i], got[i], 0.02 * want[i], "step " + i);
    }

    @Test
    void embeddingsAndWhatIsSmallKeepF32() {
        try (TensorOps ops = new CpuOps(1)) {
            assertTrue(EightBit.suits(parameter(ops, "model.layers.0.mlp.up_proj.weight", 64, 64)));
            assertFalse(EightBit.suits(parameter(ops, "model.layers.0.mlp.up_proj.weight", 63, 65)));
            assertFalse(EightBit.suits(parameter(ops, "model.embed_tokens.weight", 64, 64)));
            assertFalse(EightBit.suits(parameter(ops, "base_model.model.model.embed_tokens.modules_to_save.weight", 64, 64)));
            assertTrue(EightBit.suits(parameter(ops, "base_model.model.model.embed_tokens.lora_embedding_A", 64, 64)));
        }
    }
}
