package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Codec;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// Vectors of the machine's preferred width, and the way between tensors and `float[]`.
///
/// All arithmetic of the CPU implementation runs on `float[]`: the compiler makes better code for arrays than for
/// memory segments, and the three floating dtypes need one kernel instead of three.
final class Lanes {
    static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED.vectorBitSize() < 128
            ? FloatVector.SPECIES_128 : FloatVector.SPECIES_PREFERRED;
    /// Elements in a vector.
    static final int WIDTH = F.length();
    private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
    private static final VectorSpecies<Short> HALF = VectorSpecies.of(short.class,
            VectorShape.forBitSize(F.vectorBitSize() / 2));
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

    private Lanes() {}

    /// The next multiple of the vector width.
    static int roundUp(int n) {
        return (n + WIDTH - 1) / WIDTH * WIDTH;
    }

    /// `to[at + i] = tensor[index + i]` for count elements of the flattened tensor, widened to F32.
    static void load(float[] to, int at, Tensor tensor, long index, int count) {
        MemorySegment from = tensor.segment();
        switch (tensor.dtype()) {
            case F32 -> MemorySegment.copy(from, FLOAT, index * 4, to, at, count);
            case BF16 -> widenBf16(to, at, from, index * 2, count);
            case F16 -> widenF16(to, at, from, index * 2, count);
            case NF4, FP4 -> Nibbles.load(to, at, tensor, index, count);
            case I8 -> Codec.load(to, at, tensor, index, count);
            case I32, U8 -> throw new ShapeException("arithmetic takes no " + tensor);
        }
    }

    private static void widenBf16(float[] to, int at, MemorySegment from, long offset, int count) {
        int i = 0;
        for (; i <= count - WIDTH; i += WIDTH) {
            IntVector bits = (IntVector) ShortVector.fromMemorySegment(HALF, from, offset + 2L * i, ORDER)
                    .convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
            bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, at + i);
        }
        for (; i < count; i++) to[at + i] = Convert.fromBf16(from.get(SHORT, offset + 2L * i));
    }

    private static void widenF16(float[] to, int at, MemorySegment from, long offset, int count) {
        for (int i = 0; i < count; i++) to[at + i] = Float.float16ToFloat(from.get(SHORT, offset + 2L * i));
    }

    /// `tensor[index + i] = from[at + i]`, rounded to the tensor's dtype.
    static void store(Tensor tensor, long index, float[] from, int at, int count) {
        MemorySegment to = tensor.segment();
        if (tensor.dtype() == DType.F32) {
            MemorySegment.copy(from, at, to, FLOAT, index * 4, count);
        } else {
            for (int i = 0; i < count; i++) Convert.set(to, tensor.dtype(), index + i, from[at + i]);
        }
    }

    static FloatVector at(float[] values, int i) {
        return FloatVector.fromArray(F, values, i);
    }

    /// Sum of the lanes, pairwise: the order is the same in interpreted and in compiled code, unlike that of
    /// `reduceLanes`.
    static float sum(FloatVector v) {
        float[] lanes = v.toArray();
        for (int half = lanes.length / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
        }
        return lanes[0];
    }

    /// Sum of `values[from .. from + count)`, count a multiple of the vector width.
    static float sum(float[] values, int from, int count) {
        FloatVector total = FloatVector.zero(F);
        for (int i = from; i < from + count; i += WIDTH) total = total.add(at(values, i));
        return sum(total);
    }

    /// `sum_i a[i] * b[i]` over a multiple of the vector width.
    static float dot(float[] a, int fromA, float[] b, int fromB, int count) {
        FloatVector total = FloatVector.zero(F);
        for (int i = 0; i < count; i += WIDTH) total = at(a, fromA + i).fma(at(b, fromB + i), total);
        return sum(total);
    }

    /// Largest of `values[from .. from + count)`, count a multiple of the vector width; NaN is passed over.
    static float max(float[] values, int from, int count) {
        FloatVector largest = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        for (int i = from; i < from + count; i += WIDTH) {
            FloatVector v = at(values, i);
            largest = largest.blend(v, v.compare(VectorOperators.GT, largest));
        }
        float[] lanes = largest.toArray();
        for (int i = 1; i < WIDTH; i++) lanes[0] = Math.max(lanes[0], lanes[i]);
        return lanes[0];
    }

    /// Whether `values[from .. from + count)` has neither NaN nor infinity, count a multiple of the vector width.
    static boolean finite(float[] values, int from, int count) {
        FloatVector zero = FloatVector.zero(F);
        FloatVector sum = zero;
        for (int i = from; i < from + count; i += WIDTH) sum = at(values, i).fma(zero, sum);
        return sum(sum) == 0;
    }

    /// `y[i] += s * x[i]` over a multiple of the vector width.
    static void addScaled(float[] y, int fromY, float s, float[] x, int fromX, int count) {
        FloatVector factor = FloatVector.broadcast(F, s);
        for (int i = 0; i < count; i += WIDTH) {
            factor.fma(at(x, fromX + i), at(y, fromY + i)).intoArray(y, fromY + i);
        }
    }

    /// `y[i] *= s` over a multiple of the vector width.
    static void scale(float[] y, int from, float s, int count) {
        for (int i = from; i < from + count; i += WIDTH) at(y, i).mul(s).intoArray(y, i);
    }
}
