package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.Checks.dtype;
import static dev.gale.tensor.ops.Checks.f32Vector;
import static dev.gale.tensor.ops.Checks.sameF32;
import static dev.gale.tensor.ops.Checks.wrong;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Dynamic8;

/// What each operation of `OptimizerOps` demands of its operands; see `Checks`.
public final class OptimizerChecks {
    private OptimizerChecks() {}

    public static void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        common("lion", param, grad, hyper, 4, factor);
        sameF32("lion", "m", m, "param", param);
    }

    public static void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        common("sgd", param, grad, hyper, 3, factor);
        if (m != null) sameF32("sgd", "m", m, "param", param);
    }

    public static void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor) {
        common("scheduleFreeAdamW", y, grad, hyper, 7, factor);
        sameF32("scheduleFreeAdamW", "z", z, "y", y);
        sameF32("scheduleFreeAdamW", "v", v, "y", y);
    }

    public static void adafactor(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor) {
        common("adafactor", param, grad, hyper, 5, factor);
        if (cols == null) {
            sameF32("adafactor", "rows", rows, "param", param);
        } else {
            f32Vector("adafactor", "rows", rows, param.rows(), "param", param);
            f32Vector("adafactor", "cols", cols, param.cols(), "param", param);
        }
    }

    public static void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        common("adamW8bit", param, grad, hyper, 7, factor);
        quantized("adamW8bit", "m", m, param);
        quantized("adamW8bit", "v", v, param);
    }

    public static void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        common("lion8bit", param, grad, hyper, 4, factor);
        quantized("lion8bit", "m", m, param);
    }

    private static void common(String op, Tensor param, Tensor grad, Tensor hyper, int numbers, Tensor factor) {
        dtype(op, "param", param, DType.F32);
        sameF32(op, "grad", grad, "param", param);
        f32Vector(op, "hyper", hyper, numbers, "param", param);
        dtype(op, "factor", factor, DType.F32);
        if (factor.size() < 1) throw wrong(op, "factor must have an element", "factor", factor);
    }

    private static void quantized(String op, String label, Quantized8 state, Tensor param) {
        dtype(op, label + ".codes", state.codes(), DType.U8);
        if (state.codes().size() != param.size()) {
            throw wrong(op, "there must be one code per element", label + ".codes", state.codes(), "param", param);
        }
        f32Vector(op, label + ".absmax", state.absmax(), Dynamic8.blocks(param.size()), "param", param);
    }
}
