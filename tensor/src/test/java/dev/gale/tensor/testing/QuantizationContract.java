package dev.gale.tensor.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Weights of few bits.
interface QuantizationContract extends Trials {
    /// Values of a weight `[rows, 64 * n]` in F32, as they are after quantizing.
    private static float[] dequantized(TensorOps ops, Quantization quantization, float[] values, DType dtype, int... dims) {
        Tensor w = ops.allocate("w", DType.F32, Shape.of(dims));
        Tensor q = ops.allocate("q", quantization, Shape.of(dims));
        Tensor y = ops.allocate("y", dtype, Shape.of(dims));
        ops.write(w, values);
        ops.quantize(q, w);
        ops.release(w);
        ops.dequantize(y, q);
        float[] result = ops.toFloats(y);
        ops.release(y);
        ops.release(q);
        assertEquals(0, ops.memory().liveBytes());
        return result;
    }

    private static List<float[]> weights(int n) {
        float[] outliers = Fixtures.normal(n, 0.02, 3);
        for (int i = 0; i < n; i += 97) outliers[i] *= 1000;
        float[] constant = new float[n];
        Arrays.fill(constant, -0.3f);
        float[] denormal = Fixtures.uniform(n, 5);
        for (int i = 0; i < n; i++) denormal[i] *= Float.MIN_NORMAL / 8;
        float[] huge = Fixtures.uniform(n, 6);
        for (int i = 0; i < n; i++) huge[i] *= 1e38f;
        return List.of(Fixtures.normal(n, 0.02, 1), Fixtures.uniform(n, 2), outliers, constant, new float[n], denormal, huge);
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    default void dequantizedBitsAreTheReferences(Quantization quantization) {
        int[] dims = {30, 320};
        for (float[] values : weights(9600)) {
            for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
                try (TensorOps ops = freshOps(); TensorOps reference = new ReferenceOps(Trial.CHUNK_BYTES)) {
                    assertArrayEquals(dequantized(reference, quantization, values, dtype, dims),
                            dequantized(ops, quantization, values, dtype, dims));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    default void productsTakeQuantizedWeights(Quantization quantization) {
        int m = 33;
        int in = 192;
        int out = 70;
        List<float[]> results = new ArrayList<>();
        for (boolean dense : new boolean[] {false, true}) {
            try (TensorOps ops = freshOps()) {
                Tensor values = ops.allocate("values", DType.F32, Shape.of(out, in));
                Tensor q = ops.allocate("q", quantization, Shape.of(out, in));
                ops.write(values, Fixtures.normal(out * in, 0.1, 1));
                ops.quantize(q, values);
                Tensor w = q;
                if (dense) {
                    w = ops.allocate("w", ops.activationType(), Shape.of(out, in));
                    ops.dequantize(w, q);
                }
                Tensor x = filled(ops, "x", 2, m, in);
                Tensor dy = filled(ops, "dy", 3, m, out);
                Tensor a = filled(ops, "a", 4, 8, in);
                Tensor b = filled(ops, "b", 5, out, 8);
                Tensor low = filled(ops, "low", 6, m, 8);
                Tensor y = filled(ops, "y", 7, m, out);
                Tensor dx = filled(ops, "dx", 8, m, in);
                Tensor dLow = filled(ops, "dLow", 9, m, 8);
                LowRank side = new LowRank(x, a, b, low, 0.5f);
                ops.linearForward(y, x, w, null, null, side);
                ops.linearBackward(dx, true, dy, w, side, new LowRankGrads(null, null, dLow, null));
                results.add(ops.toFloats(y));
                results.add(ops.toFloats(dx));
            }
        }
        assertArrayEquals(results.get(2), results.get(0));
        assertArrayEquals(results.get(3), results.get(1));
    }

    /// Sizes that are no multiple of a device's words among them.
    @ParameterizedTest
    @EnumSource(Quantization.class)
    default void aPlacedWeightHasItsCodesAndScales(Quantization quantization) {
        Shape shape = quantization == Quantization.INT8 ? Shape.of(7, 29) : Shape.of(150, 128);
        try (TensorOps ops = freshOps(); TensorOps host = new ReferenceOps(Trial.CHUNK_BYTES)) {
            Tensor values = filled(host, "values", 1, shape.toArray());
            Tensor q = host.allocate("q", quantization, shape);
            Tensor want = host.allocate("want", DType.F32, shape);
            host.quantize(q, values);
            host.dequantize(want, q);
            Tensor placed = ops.place(q);
            assertEquals(quantization, Quantization.of(placed));
            Tensor got = ops.allocate("got", DType.F32, shape);
            ops.dequantize(got, placed);
            assertArrayEquals(host.toFloats(want), ops.toFloats(got));
            ops.release(got);
            if (placed != q) ops.release(placed);
            assertEquals(0, ops.memory().liveBytes());
        }
    }

    private static Tensor filled(TensorOps ops, String name, int seed, int... dims) {
        Tensor tensor = ops.allocate(name, DType.F32, Shape.of(dims));
        ops.write(tensor, Fixtures.normal((int) tensor.size(), 1, seed));
        return tensor;
    }

    @Test
    default void aQuantizedWeightHasItsBytesAndNeedsWholeBlocks() {
        try (TensorOps ops = freshOps()) {
            Tensor q = ops.allocate("q", Quantization.NF4_NESTED, Shape.of(256, 1024));
            long bytes = 131072 + 4096 + (257 + 16) * 4;
            assertTrue(ops.memory().liveBytes() >= bytes && ops.memory().liveBytes() <= bytes + 192,
                    ops.memory().liveBytes() + " bytes");
            assertThrows(ShapeException.class, () -> ops.fill(q, 0f));
            assertThrows(ShapeException.class, () -> ops.copy(q, q));
            ops.release(q);
            assertEquals(0, ops.memory().liveBytes());
            assertThrows(ShapeException.class, () -> ops.allocate("q", Quantization.FP4, Shape.of(3, 32)));
        }
    }
}
