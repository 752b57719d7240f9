package dev.gale.tensor.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ReferenceOpsTest {
    private final TensorOps ops = new ReferenceOps();

    @AfterEach
    void close() {
        ops.close();
    }

    private Tensor f32(Shape shape, float... values) {
        Tensor tensor = ops.allocate("t", DType.F32, shape);
        if (values.length == 0) ops.fill(tensor, Float.NaN);
        else ops.write(tensor, values);
        return tensor;
    }

    private Tensor ints(int... values) {
        Tensor tensor = ops.allocate("ints", DType.I32, Shape.of(values.length));
        ops.write(tensor, values);
        return tensor;
    }

    @Test
    void matmulTakesAllFourTransposes() {
        Tensor a = f32(Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
        Tensor aT = f32(Shape.of(3, 2), 1, 4, 2, 5, 3, 6);
        Tensor b = f32(Shape.of(3, 2), 7, 8, 9, 10, 11, 12);
        Tensor bT = f32(Shape.of(2, 3), 7, 9, 11, 8, 10, 12);
        Tensor c = f32(Shape.of(2, 2));
        for (int i = 0; i < 4; i++) {
            ops.matmul(c, i % 2 == 0 ? a : aT, i % 2 == 1, i < 2 ? b : bT, i >= 2, 2f, false);
            assertArrayEquals(new float[] {116, 128, 278, 308}, ops.toFloats(c));
        }
        ops.matmul(c, a, false, b, false, -1f, true);
        assertArrayEquals(new float[] {58, 64, 139, 154}, ops.toFloats(c));
    }

    @Test
    void lossOfEqualLogitsIsTheLogarithmOfTheVocabulary() {
        Tensor stats = f32(Shape.of(2), 0, 0);
        Tensor dx = f32(Shape.of(2, 1));
        Tensor w = f32(Shape.of(3, 1), 1, 1, 1);
        ops.linearCrossEntropy(stats, null, dx, null, f32(Shape.of(2, 1), 5, 5), w, ints(0, CrossEntropySpec.IGNORE),
                CrossEntropySpec.chunked(1));
        assertEquals((float) Math.log(3), ops.toFloats(stats)[0]);
        assertEquals(1f, ops.toFloats(stats)[1]);
        assertArrayEquals(new float[] {0, 0}, ops.toFloats(dx), 1e-7f);
    }

    @Test
    void attentionToOneKeyIsItsValueAndToNoneIsZero() {
        AttentionSpec spec = new AttentionSpec(2, 1, 2, 1f, 0f);
        Tensor o = f32(Shape.of(2, 4));
        Tensor lse = f32(Shape.of(2, 2));
        Tensor kv = f32(Shape.of(2, 2), 1, 2, 3, 4);
        ops.attentionForward(o, lse, f32(Shape.of(2, 4), 1, 0, 0, 1, 1, 1, 1, 1), kv, kv, ints(1, 0), ints(2, 0), spec);
        assertArrayEquals(new float[] {3, 4, 3, 4, 0, 0, 0, 0}, ops.toFloats(o));
        float none = Float.NEGATIVE_INFINITY;
        assertArrayEquals(new float[] {3, none, 4, none}, ops.toFloats(lse));
    }

    @Test
    void rmsNormOfAConstantRowIsTheWeight() {
        Tensor y = f32(Shape.of(1, 2));
        Tensor rstd = f32(Shape.of(1));
        ops.rmsNormForward(y, rstd, f32(Shape.of(1, 2), 3, -3), f32(Shape.of(2), 5, 7), 0f);
        assertArrayEquals(new float[] {5, -7}, ops.toFloats(y));
        assertEquals(1f / 3, ops.item(rstd));
    }

    @Test
    void ropeTurnsPairsAndItsTransposeTurnsBack() {
        AttentionSpec spec = new AttentionSpec(1, 1, 5, 1f, 0f);
        Tensor q = f32(Shape.of(1, 5), 1, 2, 3, 4, 5);
        Tensor cos = f32(Shape.of(2, 2), 1, 1, 0, 1);
        Tensor sin = f32(Shape.of(2, 2), 0, 0, 1, 0);
        ops.rope(q, null, cos, sin, ints(1), spec, false);
        assertArrayEquals(new float[] {-3, 2, 1, 4, 5}, ops.toFloats(q));
        ops.rope(q, null, cos, sin, ints(1), spec, true);
        assertArrayEquals(new float[] {1, 2, 3, 4, 5}, ops.toFloats(q));
    }

    @Test
    void erfMatchesPublishedValues() {
        assertEquals(0.8427007929497149, ReferenceGate.erf(1), 1e-15);
        assertEquals(-0.9953222650189527, ReferenceGate.erf(-2), 1e-15);
        assertEquals(0.9999999845827421, ReferenceGate.erf(4), 1e-15);
    }
}
