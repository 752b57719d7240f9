package dev.gale.kernels;

import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.quant.Dynamic8;
import dev.gale.tensor.testing.TensorAssert;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// `Optim8bitKernels` against ReferenceOps: all threads in three orders, codes and absmax of a state in mid-run.
class Optim8bitKernelsTest {
    private static final double ULP = Math.ulp(1f);
    private static final float[] ADAM = {1e-2f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.271f, 0.0297f};
    private static final float[] LION = {1e-2f, 0.9f, 0.99f, 0.1f};

    /// A parameter with two states, for kernel and reference.
    private static final class Operands {
        final int n;
        final float[] param;
        final float[] grad;
        final byte[][] codes = new byte[2][];
        final float[][] absmax = new float[2][];

        Operands(int n) {
            this.n = n;
            param = uniform(n, 1);
            grad = uniform(n, 2);
            if (n > 20) grad[20] = Float.NaN;
            if (n > 21) grad[21] = Float.NEGATIVE_INFINITY;
            for (int i = 0; i < 2; i++) {
                codes[i] = new byte[n];
                new Random(5 + i).nextBytes(codes[i]);
                absmax[i] = uniform(Dynamic8.blocks(n), 7 + i);
                for (int b = 0; b < absmax[i].length; b++) absmax[i][b] = Math.abs(absmax[i][b]) * (i == 0 ? 1e-2f : 1e-4f);
            }
        }
    }

    private record Result(float[] param, byte[][] codes, float[][] absmax) {}

    private static Result reference(Operands o, float[] numbers) {
        try (ReferenceOps ops = new ReferenceOps()) {
            Tensor param = f32(ops, o.param);
            Quantized8 m = state(ops, o, 0);
            Quantized8 v = state(ops, o, 1);
            Tensor hyper = f32(ops, numbers);
            Tensor factor = f32(ops, new float[] {0.5f});
            if (numbers == ADAM) ops.adamW8bit(param, f32(ops, o.grad), m, v, hyper, factor);
            else ops.lion8bit(param, f32(ops, o.grad), m, hyper, factor);
            byte[][] codes = new byte[2][o.n];
            ops.readBytes(MemorySegment.ofArray(codes[0]), m.codes());
            ops.readBytes(MemorySegment.ofArray(codes[1]), v.codes());
            return new Result(ops.toFloats(param), codes, new float[][] {ops.toFloats(m.absmax()), ops.toFloats(v.absmax())});
        }
    }

    private static Tensor f32(ReferenceOps ops, float[] values) {
        Tensor tensor = ops.allocate("t", DType.F32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    private static Quantized8 state(ReferenceOps ops, Operands o, int which) {
        Tensor codes = ops.allocate("codes", DType.U8, Shape.of(o.n));
        ops.writeBytes(codes, MemorySegment.ofArray(o.codes[which]));
        return new Quantized8(codes, f32(ops, o.absmax[which]));
    }

    private static IntArray words(byte[] codes) {
        IntArray words = new IntArray(Math.ceilDiv(codes.length, 4));
        words.init(0);
        for (int i = 0; i < codes.length; i++) words.set(i / 4, words.get(i / 4) | (codes[i] & 255) << i % 4 * 8);
        return words;
    }

    private static byte[] bytes(IntArray words, int n) {
        byte[] bytes = new byte[n];
        for (int i = 0; i < n; i++) bytes[i] = (byte) (words.get(i / 4) >> i % 4 * 8);
        return bytes;
    }

    private static float[] floats(FloatArray array) {
        float[] floats = new float[array.getSize()];
        for (int i = 0; i < floats.length; i++) floats[i] = array.get(i);
        return floats;
    }

    /// @param shift of the values' place: 0, or else the kernel is given other values
    private static Result kernel(Operands o, float[] numbers, int shift) {
        FloatArray param = FloatArray.fromArray(o.param);
        FloatArray grad = FloatArray.fromArray(o.grad);
        IntArray m = words(o.codes[0]);
        IntArray v = words(o.codes[1]);
        FloatArray mAbsmax = FloatArray.fromArray(o.absmax[0]);
        FloatArray vAbsmax = FloatArray.fromArray(o.absmax[1]);
        FloatArray hyper = FloatArray.fromArray(numbers);
        FloatArray factor = FloatArray.fromElements(0.5f);
        FloatArray values = new FloatArray(2 * Dynamic8.CODES + 1);
        values.init(1);
        for (int i = 0; i < Dynamic8.CODES; i++) {
            values.set(i, Dynamic8.signed()[i]);
            values.set(i + Dynamic8.CODES, Dynamic8.unsigned()[i]);
        }
        IntArray table = new IntArray(9);
        table.init(0);
        table.set(numbers == ADAM ? 8 : 6, shift);
        KernelEmulator emulator = KernelEmulator.grid(Math.ceilDiv(o.n, Elements.GROUP) * Elements.GROUP).group(Elements.GROUP);
        if (numbers == ADAM) {
            emulator.arrays(param, m, v, mAbsmax, vAbsmax).run(ctx -> Optim8bitKernels.adamW8bit(ctx, table, 0, param, grad, m,
                    mAbsmax, v, vAbsmax, hyper, factor, values, o.n));
        } else {
            emulator.arrays(param, m, mAbsmax).run(ctx -> Optim8bitKernels.lion8bit(ctx, table, 0, param, grad, m, mAbsmax,
                    hyper, factor, values, o.n));
        }
        return new Result(floats(param), new byte[][] {bytes(m, o.n), bytes(v, o.n)},
                new float[][] {floats(mAbsmax), floats(vAbsmax)});
    }

    private static void assertMatches(Operands o, float[] numbers, int shift) {
        Result want = reference(o, numbers);
        Result got = kernel(o, numbers, shift);
        for (int i = 0; i < 2; i++) {
            TensorAssert.assertClose("absmax " + i, want.absmax[i], got.absmax[i], 8 * ULP * 0.1);
            assertArrayEquals(want.codes[i], got.codes[i], "codes " + i);
        }
        TensorAssert.assertClose("param", want.param, got.param, 60 * ULP);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 30, 255, 256, 257, 1030})
    void adamW8bitMatches(int n) {
        assertMatches(new Operands(n), ADAM, 0);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 30, 255, 256, 257, 1030})
    void lion8bitMatches(int n) {
        assertMatches(new Operands(n), LION, 0);
    }

    /// Values one place further are not found to be right.
    @Test
    void otherValuesAreFound() {
        assertThrows(AssertionError.class, () -> assertMatches(new Operands(300), ADAM, 1));
        assertThrows(AssertionError.class, () -> assertMatches(new Operands(300), LION, 1));
    }
}
