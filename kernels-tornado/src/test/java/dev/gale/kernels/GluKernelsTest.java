package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.output;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.ops.Activation;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// `GluKernels` against ReferenceOps. Bounds as in the contract: exponential, division, polynomial and products each
/// keep a few ulps of their result; SILU is a product, GELU's `1 + erf` cancels for negative gates.
class GluKernelsTest {
    private static final int TERMS = 16;

    /// Both signs, zero, where functions saturate, and where exponentials leave the range of F32.
    private static float[] gates(int n) {
        float[] edges = {0f, -0f, 1f, -1f, 5f, -5f, 9f, -9f, 17f, -17f, 40f, -40f, 88.5f, -88.5f, 104f, -104f, 1e4f,
                -1e4f, 1e-6f, -1e-6f, 1e-30f};
        float[] values = normal(n, 2, 1);
        for (int i = 0; i < Math.min(n / 2, edges.length); i++) values[i] = edges[i];
        return values;
    }

    private static double[] bounds(Activation activation, float[] gate, float[] factor, float[] want) {
        float[] magnitudes = want.clone();
        if (activation != Activation.SILU && activation != Activation.SIGMOID) magnitudes = product(gate, factor);
        return times(TERMS, magnitudes);
    }

    private static float[] product(float[] a, float[] b) {
        float[] product = new float[a.length];
        for (int i = 0; i < a.length; i++) product[i] = a[i] * b[i];
        return product;
    }

    @ParameterizedTest
    @CsvSource({"SILU,1,F32,F32", "SILU,2500,BF16,BF16", "GELU,1025,F32,BF16", "GELU,777,BF16,BF16",
        "GELU_TANH,1000,F32,F32", "GELU_TANH,2049,BF16,F32", "SILU,1300,F32,F32", "GELU,2048,F32,F32",
        "SIGMOID,1100,F32,BF16", "SIGMOID,4096,BF16,BF16", "SILU,5000,BF16,BF16", "GELU,4,BF16,BF16",
        "GELU_TANH,4096,BF16,BF16"})
    void matchesBothWays(Activation activation, int n, DType result, DType operand) {
        int act = activation.ordinal();
        KernelOperands o = new KernelOperands(output("dGate", result, n), output("dUp", result, n),
                input("dy", operand, uniform(n, 3), n), input("gate", operand, gates(n), n),
                input("up", operand, uniform(n, 2), n), output("y", result, n));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = o.table;
        IntArray slots = IntArray.fromElements(t.get(SLOT + 5), t.get(SLOT + 3), t.get(SLOT + 4));
        int to = o.type(0);
        int from = o.type(2);
        if (result == DType.BF16 && operand == DType.BF16 && n % 4 == 0) {
            LongArray l = o.longs;
            int blocks = Math.ceilDiv(n, Elements.BLOCK_OF_FOURS);
            o.run(blocks, ctx -> GluKernels.gluForwardBf16(ctx, slots, 0, l, l, l, n, act));
            o.run(blocks, ctx -> GluKernels.gluBackwardBf16(ctx, t, SLOT, l, l, l, l, l, n, act));
        } else {
            int blocks = Math.ceilDiv(n, Elements.BLOCK);
            o.run(blocks, ctx -> GluKernels.gluForward(ctx, slots, 0, f, h, to, f, h, from, f, h, from, n, act));
            o.run(blocks, ctx -> GluKernels.gluBackward(ctx, t, SLOT, f, h, to, f, h, to, f, h, from, f, h, from, f, h,
                    from, n, act));
        }
        Map<String, float[]> want = o.reference((ops, at) -> {
            ops.gluForward(at.get("y"), at.get("gate"), at.get("up"), activation);
            ops.gluBackward(at.get("dGate"), at.get("dUp"), at.get("dy"), at.get("gate"), at.get("up"), activation);
        });
        float[] gate = o.values("gate");
        o.within("y", want.get("y"), bounds(activation, gate, o.values("up"), want.get("y")))
                .within("dUp", want.get("dUp"), bounds(activation, gate, o.values("dy"), want.get("dUp")))
                .within("dGate", want.get("dGate"), times(2 * TERMS, product(o.values("dy"), o.values("up"))));
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void backwardMayBeInPlace(Activation activation) {
        int n = 1300;
        int act = activation.ordinal();
        KernelOperands o = new KernelOperands(output("dGate", DType.F32, n), output("dUp", DType.F32, n),
                inout("dy", DType.F32, uniform(n, 3), n), inout("gate", DType.F32, gates(n), n),
                input("up", DType.F32, uniform(n, 2), n));
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        IntArray t = o.table;
        IntArray alias = IntArray.fromElements(t.get(SLOT + 3), t.get(SLOT + 2), t.get(SLOT + 2), t.get(SLOT + 3),
                t.get(SLOT + 4));
        o.run(2, ctx -> GluKernels.gluBackward(ctx, t, SLOT, f, h, 0, f, h, 0, f, h, 0, f, h, 0, f, h, 0, n, act));
        o.run(2, ctx -> GluKernels.gluBackward(ctx, alias, 0, f, h, 0, f, h, 0, f, h, 0, f, h, 0, f, h, 0, n, act));
        assertArrayEquals(o.values("dGate"), o.values("gate"));
        assertArrayEquals(o.values("dUp"), o.values("dy"));
    }

    @Test
    void backwardOfBf16MayBeInPlace() {
        int n = 1300;
        KernelOperands o = new KernelOperands(output("dGate", DType.BF16, n), output("dUp", DType.BF16, n),
                inout("dy", DType.BF16, uniform(n, 3), n), inout("gate", DType.BF16, gates(n), n),
                input("up", DType.BF16, uniform(n, 2), n));
        LongArray l = o.longs;
        IntArray t = o.table;
        IntArray alias = IntArray.fromElements(t.get(SLOT + 3), t.get(SLOT + 2), t.get(SLOT + 2), t.get(SLOT + 3),
                t.get(SLOT + 4));
        o.run(1, ctx -> GluKernels.gluBackwardBf16(ctx, t, SLOT, l, l, l, l, l, n, Gates.SILU));
        o.run(1, ctx -> GluKernels.gluBackwardBf16(ctx, alias, 0, l, l, l, l, l, n, Gates.SILU));
        assertArrayEquals(o.values("dGate"), o.values("gate"));
        assertArrayEquals(o.values("dUp"), o.values("dy"));
    }

    @Test
    void gatesSpreadNaN() {
        for (Activation activation : Activation.values()) {
            assertEquals(Float.NaN, Gates.value(activation.ordinal(), Float.NaN));
            assertEquals(Float.NaN, Gates.slope(activation.ordinal(), Float.NaN));
        }
    }
}
