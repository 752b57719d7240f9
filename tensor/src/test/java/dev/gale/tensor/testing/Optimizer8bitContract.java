package dev.gale.tensor.testing;

import static dev.gale.tensor.testing.Fixtures.normal;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static dev.gale.tensor.testing.Trials.times;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Dynamic8;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `adamW8bit` and `lion8bit` against their formulas in doubles, several steps from the codes that an implementation made
/// itself: moments may lie between two codes, and either is right where rounding decides.
public interface Optimizer8bitContract extends Trials {
    double LR = 1e-2;
    double WEIGHT_DECAY = 0.1;
    double EPS = 1e-6;
    double SCALE = 0.5;

    /// One parameter with its states, on an implementation.
    final class Bench {
        final TensorOps ops;
        final Tensor param;
        final Tensor grad;
        final Quantized8 m;
        final Quantized8 v;
        final Tensor hyper;
        final Tensor factor;

        Bench(TensorOps ops, int n, int hyperSize) {
            this.ops = ops;
            param = tensor("param", DType.F32, n);
            grad = tensor("grad", DType.F32, n);
            m = new Quantized8(tensor("m", DType.U8, n), tensor("m absmax", DType.F32, Dynamic8.blocks(n)));
            v = new Quantized8(tensor("v", DType.U8, n), tensor("v absmax", DType.F32, Dynamic8.blocks(n)));
            hyper = tensor("hyper", DType.F32, hyperSize);
            factor = tensor("factor", DType.F32, 1);
            ops.write(param, uniform(n, 1));
            ops.write(factor, new float[] {(float) SCALE});
        }

        private Tensor tensor(String name, DType dtype, int n) {
            Tensor tensor = ops.allocate(name, dtype, Shape.of(n));
            ops.fill(tensor, 0f);
            return tensor;
        }

        byte[] codes(Quantized8 state) {
            byte[] codes = new byte[(int) state.codes().size()];
            ops.readBytes(MemorySegment.ofArray(codes), state.codes());
            return codes;
        }

        double[] numbers(Quantized8 state, float[] values) {
            byte[] codes = codes(state);
            float[] absmax = ops.toFloats(state.absmax());
            double[] numbers = new double[codes.length];
            for (int i = 0; i < codes.length; i++) {
                numbers[i] = (double) values[codes[i] & 0xff] * absmax[i / Dynamic8.BLOCK];
            }
            return numbers;
        }

        /// Codes and absmax are those of the numbers, which F32 arithmetic knows up to `slack` of a block's absmax.
        void assertHolds(String name, Quantized8 state, double[] numbers, float[] values, boolean signed) {
            byte[] codes = codes(state);
            float[] absmax = ops.toFloats(state.absmax());
            double slack = 16 * ULP;
            for (int i = 0; i < numbers.length; i++) {
                int block = i / Dynamic8.BLOCK;
                double largest = 0;
                int end = Math.min(numbers.length, (block + 1) * Dynamic8.BLOCK);
                for (int j = block * Dynamic8.BLOCK; j < end; j++) largest = Math.max(largest, Math.abs(numbers[j]));
                assertEquals(largest, absmax[block], slack * largest + Float.MIN_NORMAL, name + " absmax " + block);
                double share = largest == 0 ? 0 : numbers[i] / largest;
                int code = codes[i] & 0xff;
                boolean belowZero = signed && share < 0 && share > values[126];
                double nearest = Double.MAX_VALUE;
                for (float value : values) nearest = Math.min(nearest, Math.abs(value - share));
                if (belowZero) assertEquals(126, code, name + "[" + i + "] has its sign");
                else assertTrue(Math.abs(values[code] - share) <= nearest + slack * Math.abs(share) + 1e-12,
                        "%s[%d]: %s has code %d".formatted(name, i, share, code));
            }
        }
    }

    private static float[] adamHyper(int t) {
        return new float[] {(float) LR, 0.9f, 0.99f, (float) EPS, (float) WEIGHT_DECAY, (float) (1 - Math.pow(0.9f, t)),
            (float) (1 - Math.pow(0.99f, t))};
    }

    /// Many sizes in one block, and a block of zeros.
    private static float[] gradients(int n, int t) {
        float[] values = normal(n, 1, 10 + t);
        Random random = new Random(t);
        for (int i = 0; i < n; i++) {
            values[i] *= (float) Math.pow(10, -6 * random.nextDouble());
            if (i / Dynamic8.BLOCK == 1) values[i] = 0;
        }
        return values;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7, 255, 256, 257, 1000, 4096, 70_001})
    default void adamW8bitFollowsItsFormula(int n) {
        float[] signed = Dynamic8.signed();
        float[] unsigned = Dynamic8.unsigned();
        try (TensorOps ops = freshOps()) {
            Bench bench = new Bench(ops, n, 7);
            for (int t = 1; t <= 3; t++) {
                double[] m = bench.numbers(bench.m, signed);
                double[] v = bench.numbers(bench.v, unsigned);
                float[] p = ops.toFloats(bench.param);
                float[] grad = gradients(n, t);
                float[] h = adamHyper(t);
                ops.write(bench.hyper, h);
                ops.write(bench.grad, grad);
                ops.adamW8bit(bench.param, bench.grad, bench.m, bench.v, bench.hyper, bench.factor);
                double root = Math.sqrt(h[6]);
                double[] bounds = new double[n];
                for (int i = 0; i < n; i++) {
                    double g = SCALE * grad[i];
                    double magnitude = 0.9 * Math.abs(m[i]) + 0.1 * Math.abs(g);
                    m[i] = h[1] * m[i] + (1 - (double) h[1]) * g;
                    v[i] = h[2] * v[i] + (1 - (double) h[2]) * g * g;
                    double step = h[0] * root / h[5] / (Math.sqrt(v[i]) + root * h[3]);
                    double want = (p[i] - step * m[i]) * (1 - (double) h[0] * h[4]);
                    bounds[i] = 3 * ULP * Math.abs(p[i]) + 20 * ULP * step * magnitude;
                    p[i] = (float) want;
                }
                TensorAssert.assertClose("param", p, ops.toFloats(bench.param), bounds);
                bench.assertHolds("m", bench.m, m, signed, true);
                bench.assertHolds("v", bench.v, v, unsigned, false);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7, 255, 256, 257, 1000, 4096, 70_001})
    default void lion8bitFollowsItsFormula(int n) {
        float[] signed = Dynamic8.signed();
        float[] h = {(float) LR, 0.9f, 0.99f, (float) WEIGHT_DECAY};
        try (TensorOps ops = freshOps()) {
            Bench bench = new Bench(ops, n, 4);
            ops.write(bench.hyper, h);
            for (int t = 1; t <= 3; t++) {
                double[] m = bench.numbers(bench.m, signed);
                float[] p = ops.toFloats(bench.param);
                float[] grad = gradients(n, t);
                ops.write(bench.grad, grad);
                ops.lion8bit(bench.param, bench.grad, bench.m, bench.hyper, bench.factor);
                for (int i = 0; i < n; i++) {
                    double g = SCALE * grad[i];
                    double sign = Math.signum(h[1] * m[i] + (1 - (double) h[1]) * g);
                    p[i] = (float) (p[i] * (1 - (double) h[0] * h[3]) - h[0] * sign);
                    m[i] = h[2] * m[i] + (1 - (double) h[2]) * g;
                }
                double[] bounds = times(3 * ULP, p);
                for (int i = 0; i < n; i++) bounds[i] += 3 * ULP * LR;
                TensorAssert.assertClose("param", p, ops.toFloats(bench.param), bounds);
                bench.assertHolds("m", bench.m, m, signed, true);
            }
        }
    }

    /// bitsandbytes: the state of such an element becomes 0, the parameter stays; the rest of its block goes on.
    @Test
    default void gradientsThatAreNotFiniteMoveNothing() {
        float[] bad = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY};
        try (TensorOps ops = freshOps()) {
            Bench adam = new Bench(ops, 300, 7);
            Bench lion = new Bench(ops, 300, 4);
            ops.write(lion.hyper, new float[] {(float) LR, 0.9f, 0.99f, (float) WEIGHT_DECAY});
            for (int t = 1; t <= 2; t++) {
                float[] gradient = uniform(300, t);
                if (t == 2) for (int i = 0; i < bad.length; i++) gradient[100 + i] = bad[i];
                float[] before = ops.toFloats(adam.param);
                float[] lionBefore = ops.toFloats(lion.param);
                ops.write(adam.hyper, adamHyper(t));
                ops.write(adam.grad, gradient);
                ops.write(lion.grad, gradient);
                ops.adamW8bit(adam.param, adam.grad, adam.m, adam.v, adam.hyper, adam.factor);
                ops.lion8bit(lion.param, lion.grad, lion.m, lion.hyper, lion.factor);
                if (t == 1) continue;
                float[] after = ops.toFloats(adam.param);
                float[] lionAfter = ops.toFloats(lion.param);
                for (int i = 0; i < 300; i++) {
                    boolean stays = i >= 100 && i < 103;
                    assertEquals(stays, before[i] == after[i], "adamW8bit param " + i);
                    assertEquals(stays, lionBefore[i] == lionAfter[i], "lion8bit param " + i);
                }
                for (int i = 100; i < 103; i++) {
                    assertEquals(127, adam.codes(adam.m)[i], "m " + i);
                    assertEquals(0, adam.codes(adam.v)[i], "v " + i);
                    assertEquals(127, lion.codes(lion.m)[i], "lion m " + i);
                }
                assertTrue(Float.isFinite(ops.toFloats(adam.m.absmax())[0]));
            }
        }
    }

    /// A negative number that is nearest to 0 keeps its sign; a positive one becomes 0.
    @Test
    default void momentsKeepTheirSign() {
        float[] gradient = new float[256];
        gradient[0] = 1;
        gradient[1] = 1e-9f;
        gradient[2] = -1e-9f;
        try (TensorOps ops = freshOps()) {
            Bench bench = new Bench(ops, 256, 7);
            ops.write(bench.hyper, adamHyper(1));
            ops.write(bench.grad, gradient);
            ops.adamW8bit(bench.param, bench.grad, bench.m, bench.v, bench.hyper, bench.factor);
            byte[] codes = bench.codes(bench.m);
            assertArrayEquals(new byte[] {(byte) 255, 127, 126, 127}, Arrays.copyOf(codes, 4));
        }
    }

    @Test
    default void bytesComeBackAsTheyWent() {
        try (TensorOps ops = freshOps()) {
            for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16, DType.I32, DType.U8)) {
                Tensor tensor = ops.allocate("t", dtype, Shape.of(7, 3));
                byte[] bytes = new byte[(int) tensor.byteSize()];
                new Random(4).nextBytes(bytes);
                ops.writeBytes(tensor, MemorySegment.ofArray(bytes));
                byte[] back = new byte[bytes.length];
                ops.readBytes(MemorySegment.ofArray(back), tensor);
                assertArrayEquals(bytes, back, dtype.name());
                ops.fill(tensor, 3f);
                ops.readBytes(MemorySegment.ofArray(back), tensor);
                if (dtype == DType.U8) for (byte each : back) assertEquals(3, each);
            }
        }
    }
}
