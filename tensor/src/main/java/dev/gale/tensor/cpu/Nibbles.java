package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;
import static dev.gale.tensor.cpu.Lanes.WIDTH;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Codec;
import dev.gale.tensor.quant.Fp4;
import dev.gale.tensor.quant.Nf4;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.IntUnaryOperator;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Elements of 4-bit weights, a vector at a time: codes move from the bytes of a word to its lanes, and choose from a table
/// that vectors hold. The bits are those of `Codec.load`, which does the rest: what fills no vector, and all where vectors
/// have 128 bits.
final class Nibbles {
    private static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int WORD = 8;                                        // codes in an int
    private static final boolean WIDE = WIDTH == 2 * WORD;
    private static final boolean FITS = WIDE || WIDTH == WORD;
    private static final IntVector SHIFTS = lanes(i -> (i % WORD) / 2 * 8 + (i % 2 == 0 ? 4 : 0));
    private static final VectorMask<Integer> SECOND = VectorMask.fromLong(I, -1L << WORD);
    private static final IntVector NF4_LOW = lanes(i -> bits(Nf4.value(i % 16)));
    private static final IntVector NF4_HIGH = lanes(i -> bits(Nf4.value(i % WORD + WORD)));
    private static final IntVector FP4_LOW = lanes(i -> bits(Fp4.value(i % 16)));
    private static final IntVector FP4_HIGH = lanes(i -> bits(Fp4.value(i % WORD + WORD)));

    private Nibbles() {}

    private static int bits(float value) {
        return Float.floatToRawIntBits(value);
    }

    private static IntVector lanes(IntUnaryOperator value) {
        int[] lanes = new int[I.length()];
        for (int i = 0; i < lanes.length; i++) lanes[i] = value.applyAsInt(i);
        return IntVector.fromArray(I, lanes, 0);
    }

    /// As `Codec.load`, of a tensor of NF4 or FP4.
    static void load(float[] to, int at, Tensor q, long index, int count) {
        int done = FITS ? (int) Math.min(count, index % 2) : count;           // bytes begin at even places
        if (done > 0) Codec.load(to, at, q, index, done);
        MemorySegment codes = q.segment();
        IntVector low = q.dtype() == DType.FP4 ? FP4_LOW : NF4_LOW;
        IntVector high = q.dtype() == DType.FP4 ? FP4_HIGH : NF4_HIGH;
        while (done < count) {
            long from = index + done;
            int some = (int) Math.min(count - done, Nf4.BLOCK - from % Nf4.BLOCK);
            float absmax = Codec.absmax(q, from / Nf4.BLOCK);
            int i = 0;
            for (; i <= some - WIDTH; i += WIDTH) {
                values(code(codes, from + i >> 1), low, high).reinterpretAsFloats().mul(absmax).intoArray(to, at + done + i);
            }
            if (i < some) Codec.load(to, at + done + i, q, from + i, some - i);
            done += some;
        }
    }

    private static IntVector code(MemorySegment codes, long at) {
        IntVector words = IntVector.broadcast(I, codes.get(INT, at));
        if (WIDE) words = words.blend(codes.get(INT, at + Integer.BYTES), SECOND);
        return words.lanewise(VectorOperators.LSHR, SHIFTS).and(15);
    }

    private static IntVector values(IntVector code, IntVector low, IntVector high) {
        if (WIDE) return code.selectFrom(low);
        IntVector half = code.and(WORD - 1);
        return half.selectFrom(low).blend(half.selectFrom(high), code.compare(VectorOperators.GE, WORD));
    }
}
