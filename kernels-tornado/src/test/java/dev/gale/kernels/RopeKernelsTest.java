package dev.gale.kernels;

import static dev.gale.kernels.KernelOperands.SLOT;
import static dev.gale.kernels.KernelOperands.inout;
import static dev.gale.kernels.KernelOperands.input;
import static dev.gale.kernels.KernelOperands.ints;
import static dev.gale.kernels.KernelOperands.times;
import static dev.gale.tensor.testing.Fixtures.ids;
import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.TensorOps;
import java.util.Map;
import java.util.function.BiConsumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// `RopeKernels` against ReferenceOps.
class RopeKernelsTest {
    private static KernelOperands operands(int rows, int heads, int kvHeads, int headDim, int half, DType q, DType k) {
        int positions = 2 * rows + 1;
        return new KernelOperands(
                inout("q", q, uniform(rows * heads * headDim, 1), rows, heads * headDim),
                inout("k", k, uniform(rows * kvHeads * headDim, 2), rows, kvHeads * headDim),
                input("cos", DType.F32, uniform(positions * half, 3), positions, half),
                input("sin", DType.F32, uniform(positions * half, 4), positions, half),
                ints("positions", ids(rows, positions, 5)));
    }

    private static KernelOperands rotate(KernelOperands o, int rows, int heads, int kvHeads, int headDim, int half,
            int transpose) {
        FloatArray f = o.floats;
        ShortArray h = o.halves;
        if (o.type(0) == Elements.BF16 && o.type(1) == Elements.BF16 && headDim % 4 == 0) {
            return o.run(rows, 1, RopeKernels.HEADS * half / 4, ctx -> RopeKernels.ropeBf16(ctx, o.table, SLOT,
                    o.longs, o.longs, f, f, o.ints, heads, kvHeads, headDim, half, transpose));
        }
        return o.run(rows, ctx -> RopeKernels.rope(ctx, o.table, SLOT, f, h, o.type(0), f, h, o.type(1), f, f, o.ints,
                heads, kvHeads, headDim, half, transpose, 0));
    }

    @ParameterizedTest(name = "{0} rows, {1}/{2} heads of {3}, half {4}, transpose {5}, {6} {7}")
    @CsvSource({"1,1,1,2,1,0,F32,F32", "5,3,1,6,3,1,BF16,F32", "9,12,2,64,32,0,BF16,BF16", "7,2,2,80,16,0,F32,F32",
        "7,2,1,5,2,1,F32,BF16", "3,9,3,128,64,1,BF16,BF16",
        "5,36,9,16,8,0,BF16,BF16", "2,6,2,80,20,1,BF16,BF16", "2,3,1,6,3,0,BF16,BF16"})
    void rotatesPairsInPlace(int rows, int heads, int kvHeads, int headDim, int half, int transpose, DType q, DType k) {
        KernelOperands o = rotate(operands(rows, heads, kvHeads, headDim, half, q, k), rows, heads, kvHeads, headDim,
                half, transpose);
        AttentionSpec spec = new AttentionSpec(heads, kvHeads, headDim, 1f, 0f);
        Map<String, float[]> want = o.reference(reference(spec, transpose == 1));
        Map<String, float[]> turned = o.magnitudes(reference(spec, false));
        Map<String, float[]> turnedBack = o.magnitudes(reference(spec, true));
        for (String name : new String[] {"q", "k"}) {
            double[] one = times(3, turned.get(name));        // one half of each pair has |a cos| + |b sin| here,
            double[] other = times(3, turnedBack.get(name));  // the other half there
            for (int i = 0; i < one.length; i++) one[i] = Math.max(one[i], other[i]);
            o.within(name, want.get(name), one);
        }
    }

    private static BiConsumer<TensorOps, Map<String, Tensor>> reference(AttentionSpec spec, boolean transpose) {
        return (ops, at) -> ops.rope(at.get("q"), at.get("k"), at.get("cos"), at.get("sin"), at.get("positions"), spec,
                transpose);
    }

    @ParameterizedTest
    @CsvSource({"true,F32", "false,F32", "true,BF16", "false,BF16"})
    void eitherSideMayBeAbsent(boolean queries, DType dtype) {
        String present = queries ? "q" : "k";
        String absent = queries ? "k" : "q";
        KernelOperands both = rotate(operands(6, 2, 1, 8, 4, dtype, dtype), 6, 2, 1, 8, 4, 0);
        KernelOperands untouched = operands(6, 2, 1, 8, 4, dtype, dtype);
        KernelOperands one = rotate(operands(6, 2, 1, 8, 4, dtype, dtype), 6, queries ? 2 : 0, queries ? 0 : 1, 8, 4, 0);
        assertArrayEquals(both.values(present), one.values(present));
        assertArrayEquals(untouched.values(absent), one.values(absent));
    }
}
