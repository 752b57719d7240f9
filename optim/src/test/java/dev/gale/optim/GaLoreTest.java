package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.Fixtures;
import java.util.List;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.simple.SimpleMatrix;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GaLoreTest {
    private static final double BETA1 = (float) 0.9;
    private static final double BETA2 = (float) 0.98;
    private static final double EPS = 1e-6;

    /// A matrix whose singular values fall by `decay` from one to the next.
    private static SimpleMatrix matrix(int rows, int cols, double decay, long seed) {
        int k = Math.min(rows, cols);
        SimpleMatrix left = random(rows, k, seed).svd(true).getU().cols(0, k);
        SimpleMatrix right = random(cols, k, seed + 1).svd(true).getU().cols(0, k);
        double[] values = new double[k];
        for (int i = 0; i < k; i++) values[i] = Math.pow(decay, i);
        return left.mult(SimpleMatrix.diag(values)).mult(right.transpose());
    }

    private static SimpleMatrix random(int rows, int cols, long seed) {
        SimpleMatrix matrix = new SimpleMatrix(rows, cols);
        float[] values = Fixtures.normal(rows * cols, 1, seed);
        for (int i = 0; i < values.length; i++) matrix.set(i, values[i]);
        return matrix;
    }

    private static Tensor tensor(TensorOps ops, SimpleMatrix matrix) {
        Tensor tensor = ops.allocate("t", DType.F32, Shape.of(matrix.getNumRows(), matrix.getNumCols()));
        float[] values = new float[matrix.getNumElements()];
        for (int i = 0; i < values.length; i++) values[i] = (float) matrix.get(i);
        ops.write(tensor, values);
        return tensor;
    }

    private static SimpleMatrix matrix(TensorOps ops, Tensor tensor) {
        DMatrixRMaj matrix = new DMatrixRMaj(tensor.rows(), tensor.cols());
        float[] values = ops.toFloats(tensor);
        for (int i = 0; i < values.length; i++) matrix.data[i] = values[i];
        return SimpleMatrix.wrap(matrix);
    }

    /// What B leaves out of a gradient is hardly more than what its first r singular vectors must leave out.
    @ParameterizedTest
    @CsvSource({"40, 300, 8, 0.9", "300, 40, 8, 0.9", "120, 150, 16, 0.9", "16, 200, 12, 0.8", "200, 16, 16, 0.8",
        "1, 9, 1, 1"})
    void directionsAreNearlyTheBest(int rows, int cols, int r, double decay) {
        try (TensorOps ops = new CpuOps(2)) {
            SimpleMatrix gradient = matrix(rows, cols, decay, 3);
            boolean wide = rows < cols;
            Tensor basis = ops.allocate("basis", DType.F32, Shape.of(Math.min(rows, cols), r));
            LeadingDirections.find(ops, basis, tensor(ops, gradient), 7);
            SimpleMatrix b = matrix(ops, basis);
            double unit = b.transpose().mult(b).minus(SimpleMatrix.identity(r)).elementMaxAbs();
            assertEquals(0, unit, 1e-6);
            SimpleMatrix small = wide ? gradient : gradient.transpose();
            double kept = b.transpose().mult(small).normF();
            double most = 0;
            for (int i = 0; i < r; i++) most += Math.pow(decay, 2 * i);
            assertEquals(Math.sqrt(most), kept, 2e-3 * Math.sqrt(most));
        }
    }

    @Test
    void equalGradientsGiveEqualBits() {
        try (TensorOps ops = new CpuOps(2)) {
            Tensor gradient = tensor(ops, matrix(60, 90, 0.97, 3));
            Tensor first = ops.allocate("b", DType.F32, Shape.of(60, 9));
            Tensor second = ops.allocate("b", DType.F32, Shape.of(60, 9));
            LeadingDirections.find(ops, first, gradient, 7);
            LeadingDirections.find(ops, second, gradient, 7);
            assertArrayEquals(ops.toFloats(first), ops.toFloats(second));
        }
    }

    /// A plan has no gradients: everything is zero.
    @Test
    void aGradientOfZerosHasDirections() {
        try (TensorOps ops = new NullOps(); TensorOps cpu = new CpuOps(1)) {
            LeadingDirections.find(ops, ops.allocate("b", DType.F32, Shape.of(40, 4)),
                    ops.allocate("g", DType.F32, Shape.of(40, 50)), 1);
            Tensor basis = cpu.allocate("b", DType.F32, Shape.of(40, 4));
            LeadingDirections.find(cpu, basis, tensor(cpu, new SimpleMatrix(40, 50)), 1);
            for (float value : cpu.toFloats(basis)) assertTrue(Float.isFinite(value));
        }
    }

    /// galore_torch's formula with singular vectors by EJML, seven steps, B found again at the fourth and the seventh.
    @ParameterizedTest
    @CsvSource({"30, 50", "50, 30", "20, 20"})
    void followsItsFormula(int rows, int cols) {
        int r = 4;
        int gap = 3;
        double scale = 0.25;
        double wd = 0.1;
        OptimizerSettings settings = new OptimizerSettings(0.9, 0.98, EPS, 0, 3,
                OptimArgs.parse("rank=4,update_proj_gap=3"), List.of("proj"));
        try (TensorOps ops = new CpuOps(2)) {
            Parameter parameter = new Parameter("layers.0.q_proj.weight", tensor(ops, random(rows, cols, 1)), true);
            Tensor factor = ops.allocate("factor", DType.F32, Shape.of(1));
            ops.fill(factor, 0.5f);
            SimpleMatrix p = matrix(ops, parameter.value());
            SimpleMatrix basis = null;
            SimpleMatrix m = null;
            SimpleMatrix v = null;
            boolean wide = rows < cols;
            List<ParamGroup> groups = ParamGroups.single(List.of(parameter), wd);
            try (Optimizer galore = Optimizer.of("galore_adamw", ops, groups, settings)) {
                for (int t = 1; t <= 7; t++) {
                    SimpleMatrix gradient = matrix(rows, cols, 0.7, 20 + t);
                    ops.copy(parameter.grad(ops), tensor(ops, gradient));
                    galore.step(1e-2, factor);
                    SimpleMatrix g = gradient.scale(0.5);
                    if ((t - 1) % gap == 0) {
                        var svd = gradient.svd(true);
                        basis = wide ? svd.getU().cols(0, r) : svd.getV().cols(0, r);
                        signed(basis);
                    }
                    SimpleMatrix low = wide ? basis.transpose().mult(g) : g.mult(basis);
                    if (m == null) {
                        m = new SimpleMatrix(low.getNumRows(), low.getNumCols());
                        v = m.copy();
                    }
                    m = m.scale(BETA1).plus(low.scale(1 - BETA1));
                    v = v.scale(BETA2).plus(low.elementMult(low).scale(1 - BETA2));
                    SimpleMatrix u = m.elementDiv(v.elementPower(0.5).plus(EPS));
                    double rate = 1e-2 * Math.sqrt(1 - Math.pow(BETA2, t)) / (1 - Math.pow(BETA1, t)) * scale;
                    SimpleMatrix full = wide ? basis.mult(u) : u.mult(basis.transpose());
                    p = p.minus(full.scale(rate)).scale(1 - 1e-2 * wd);
                    SimpleMatrix error = matrix(ops, parameter.value()).minus(p);
                    assertEquals(0, error.elementMaxAbs(), 2e-5, "step " + t);
                }
            }
        }
    }

    /// Of two opposite vectors the one whose largest element is positive, as `LeadingDirections` has it.
    private static void signed(SimpleMatrix columns) {
        for (int c = 0; c < columns.getNumCols(); c++) {
            SimpleMatrix column = columns.cols(c, c + 1);
            if (column.elementMax() < column.elementMaxAbs()) CommonOps_DDRM.scaleCol(-1, columns.getDDRM(), c);
        }
    }

    @Test
    void targetsAreNamedAsForTransformers() {
        OptimizerSettings all = OptimizerSettings.DEFAULT;
        assertTrue(all.targets("model.layers.0.self_attn.q_proj.weight") && all.targets("lm_head.weight"));
        assertFalse(all.targets("model.embed_tokens.weight"));
        OptimizerSettings some = new OptimizerSettings(0.9, 0.9, 0, 0, 0, OptimArgs.NONE,
                List.of("attn", ".*\\.1\\..*up_proj"));
        assertTrue(some.targets("model.layers.0.self_attn.q_proj.weight"));
        assertTrue(some.targets("model.layers.1.mlp.up_proj.weight"));
        assertFalse(some.targets("model.layers.0.mlp.up_proj.weight"));
        assertThrows(InputException.class, () ->
                new OptimizerSettings(0.9, 0.9, 0, 0, 0, OptimArgs.NONE, List.of("(")));
    }
}
