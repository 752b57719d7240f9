package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GradClipTest {
    private final TensorOps ops = new ReferenceOps();
    private final GradClip clip = new GradClip(ops);

    @AfterEach
    void close() {
        clip.close();
        ops.close();
    }

    private Parameter withGradient(float... gradient) {
        Tensor value = ops.allocate("w", DType.F32, Shape.of(gradient.length));
        Parameter parameter = new Parameter("w", value, true);
        ops.write(parameter.grad(ops), gradient);
        return parameter;
    }

    @Test
    void clipsTheMeanGradientByItsGlobalNorm() {
        List<Parameter> parameters = List.of(withGradient(-6, 0), withGradient(8));
        float[] result = ops.toFloats(clip.factor(parameters, 2, 1.0));
        assertEquals(5f, result[1]);
        assertEquals(1 / (5 + 1e-6) / 2, result[0], 1e-7);
        assertEquals(5f, clip.norm());
        assertArrayEquals(new float[] {-6, 0}, ops.toFloats(parameters.getFirst().grad(ops)));
    }

    @Test
    void smallGradientsAndNoLimitOnlyDivideByTokens() {
        List<Parameter> parameters = List.of(withGradient(-6, 8));
        assertEquals(0.01f, ops.toFloats(clip.factor(parameters, 100, 1.0))[0]);
        assertEquals(0.5f, ops.toFloats(clip.factor(parameters, 2, 0))[0]);
        assertEquals(5f, clip.norm());
    }

    /// By a power of two: no bit of the norm, and of the factor none but its exponent.
    @Test
    void whatGradientsWereMultipliedByIsDividedOut() {
        float[] plain = ops.toFloats(clip.factor(List.of(withGradient(-0.3f, 0.7f)), 3, 0.1));
        float[] scaled = ops.toFloats(clip.factor(List.of(withGradient(-0.3f * 4096, 0.7f * 4096)), 3, 4096f, 0.1));
        assertEquals(plain[1], scaled[1]);
        assertEquals(plain[0], scaled[0] * 4096);
    }

    @Test
    void eachCallStartsFromZero() {
        List<Parameter> parameters = List.of(withGradient(3, 4));
        clip.factor(parameters, 1, 1.0);
        clip.factor(parameters, 1, 1.0);
        assertEquals(5f, clip.norm());
    }

    @Test
    void nanShowsInNormAndFactor() {
        float[] result = ops.toFloats(clip.factor(List.of(withGradient(1, Float.NaN)), 1, 1.0));
        assertTrue(Float.isNaN(result[0]) && Float.isNaN(result[1]));
    }

    @Test
    void aStepWithoutTrainedTokensIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> clip.factor(List.of(), 0, 1));
    }
}
