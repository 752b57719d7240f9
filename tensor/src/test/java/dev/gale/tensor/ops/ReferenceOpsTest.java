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

    @Test
    void gatesMatchPublishedValuesAndTheirSlopesTheirDifferences() {
        assertEquals(0.7310585786300049, ReferenceGate.value(Activation.SILU, 1), 1e-15);
        assertEquals(0.8413447460685429, ReferenceGate.value(Activation.GELU, 1), 1e-15);
        assertEquals(0.8411919906082768, ReferenceGate.value(Activation.GELU_TANH, 1), 1e-15);
        double h = 1e-3;
        for (Activation gate : Activation.values()) {
            for (double x = -6; x <= 6; x += 0.37) {
                double near = ReferenceGate.value(gate, x + h) - ReferenceGate.value(gate, x - h);
                double far = ReferenceGate.value(gate, x + 2 * h) - ReferenceGate.value(gate, x - 2 * h);
                assertEquals((8 * near - far) / (12 * h), ReferenceGate.slope(gate, x), 1e-11, gate + " at " + x);
            }
        }
    }

    @Test
    void gluBackwardOfSiluAtZeroIsHalfTheProduct() {
        Tensor dGate = f32(Shape.of(1));
        Tensor dUp = f32(Shape.of(1));
        ops.gluBackward(dGate, dUp, f32(Shape.of(1), 3), f32(Shape.of(1), 0), f32(Shape.of(1), 4), Activation.SILU);
        assertEquals(6f, ops.item(dGate));
        assertEquals(0f, ops.item(dUp));
    }

    @Test
    void aSidePathIsTheSameAsAMergedWeight() {
        Tensor x = f32(Shape.of(2, 2), 1, 2, 3, 4);
        Tensor y = f32(Shape.of(2, 3));
        LowRank side = new LowRank(x, f32(Shape.of(1, 2), 1, -1), f32(Shape.of(3, 1), 1, 2, 3), f32(Shape.of(2, 1)),
                0.5f);
        ops.linearForward(y, x, f32(Shape.of(3, 2), 1, 0, 0, 1, 1, 1), f32(Shape.of(3), 10, 20, 30),
                f32(Shape.of(2, 3), 100, 100, 100, 200, 200, 200), side);
        assertArrayEquals(new float[] {110.5f, 121, 131.5f, 212.5f, 223, 235.5f}, ops.toFloats(y));
        assertArrayEquals(new float[] {-1, -1}, ops.toFloats(side.low()));
    }

    @Test
    void gradientOfTheLossIsSoftmaxMinusTarget() {
        float log2 = (float) Math.log(2);
        Tensor stats = f32(Shape.of(2), 0, 0);
        Tensor dx = f32(Shape.of(1, 3));
        Tensor dw = f32(Shape.of(3, 3), new float[9]);
        Tensor loss = f32(Shape.of(1));
        ops.linearCrossEntropy(stats, loss, dx, dw, f32(Shape.of(1, 3), log2, 0, 0),
                f32(Shape.of(3, 3), 1, 0, 0, 0, 1, 0, 0, 0, 1), ints(1), CrossEntropySpec.chunked(1));
        assertEquals((float) Math.log(4), ops.item(loss), 1e-7f);          // exp of the logits is 2, 1, 1
        assertArrayEquals(new float[] {0.5f, -0.75f, 0.25f}, ops.toFloats(dx), 1e-7f);
        assertArrayEquals(new float[] {0.5f * log2, 0, 0, -0.75f * log2, 0, 0, 0.25f * log2, 0, 0}, ops.toFloats(dw),
                1e-7f);
        assertEquals(0f, ops.toFloats(stats)[1]);
    }

    @Test
    void attentionToEqualScoresIsTheMeanAndItsValueGradientTheShare() {
        AttentionSpec spec = new AttentionSpec(1, 1, 1, 1f, 0f);
        Tensor q = f32(Shape.of(1, 1), 0);
        Tensor kv = f32(Shape.of(4, 1), 1, 2, 3, 6);
        Tensor o = f32(Shape.of(1, 1));
        Tensor lse = f32(Shape.of(1, 1));
        Tensor dq = f32(Shape.of(1, 1));
        Tensor dk = f32(Shape.of(4, 1));
        Tensor dv = f32(Shape.of(4, 1));
        ops.attentionForward(o, lse, q, kv, kv, ints(0), ints(4), spec);
        assertEquals(3f, ops.item(o));
        assertEquals((float) Math.log(4), ops.item(lse));
        ops.attentionBackward(dq, dk, dv, f32(Shape.of(1, 1), 8), q, kv, kv, o, lse, ints(0), ints(4), spec);
        assertArrayEquals(new float[] {2, 2, 2, 2}, ops.toFloats(dv), 1e-6f);
        assertEquals(8 * 3.5f, ops.item(dq), 1e-5f);                       // 8 times the variance of 1, 2, 3, 6
        assertArrayEquals(new float[4], ops.toFloats(dk));
    }

    @Test
    void rmsNormGradientIsOrthogonalToItsInput() {
        Tensor x = f32(Shape.of(1, 3), 1, 2, -2);
        Tensor w = f32(Shape.of(3), 1, 1, 1);
        Tensor y = f32(Shape.of(1, 3));
        Tensor rstd = f32(Shape.of(1));
        Tensor dx = f32(Shape.of(1, 3));
        Tensor dw = f32(Shape.of(3), 0, 0, 0);
        ops.rmsNormForward(y, rstd, x, w, 0f);
        ops.rmsNormBackward(dx, false, dw, f32(Shape.of(1, 3), 1, 0, 0), x, w, rstd);
        float r = (float) Math.sqrt(1 / 3.0);                              // the mean square is 3
        assertArrayEquals(new float[] {r * 8 / 9, -r * 2 / 9, r * 2 / 9}, ops.toFloats(dx), 1e-7f);
        assertArrayEquals(new float[] {r, 0, 0}, ops.toFloats(dw), 1e-7f);
    }

    @Test
    void adamWFirstStepMovesByTheLearningRateAndDecays() {
        Tensor p = f32(Shape.of(2), 1, 1);
        Tensor m = f32(Shape.of(2), 0, 0);
        Tensor v = f32(Shape.of(2), 0, 0);
        Tensor hyper = f32(Shape.of(7), 0.25f, 0.5f, 0.75f, 0, 0.5f, 0.5f, 0.25f);
        ops.adamW(p, f32(Shape.of(2), 8, -8), m, v, hyper, f32(Shape.of(1), 0.5f));
        assertArrayEquals(new float[] {0.625f, 1.125f}, ops.toFloats(p));   // 1 * (1 - 1/8) -+ 1/4
        assertArrayEquals(new float[] {2, -2}, ops.toFloats(m));
        assertArrayEquals(new float[] {4, 4}, ops.toFloats(v));
    }

    @Test
    void clippingScalesTheMeanGradientToTheMaximum() {
        Tensor out = f32(Shape.of(2));
        ops.clipFactor(out, f32(Shape.of(1), 400), f32(Shape.of(1), 2), 1f);
        assertArrayEquals(new float[] {0.05f, 10}, ops.toFloats(out), 1e-7f);
        ops.clipFactor(out, f32(Shape.of(1), 400), f32(Shape.of(1), 2), 0f);
        assertArrayEquals(new float[] {0.5f, 10}, ops.toFloats(out));
    }
}
