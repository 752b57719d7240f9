package dev.gale.kernels;

import uk.ac.manchester.tornado.api.math.TornadoMath;

/// The gate functions of gated MLPs and their derivatives; NaN gives NaN.
public final class Gates {
    /// `Activation.ordinal()` of each.
    public static final int SILU = 0;
    public static final int GELU = 1;
    public static final int GELU_TANH = 2;
    public static final int SIGMOID = 3;

    private static final float SQRT_HALF = 0.70710678f;
    private static final float SQRT_2_PI = 0.79788456f;                // sqrt(2 / pi)
    private static final float DENSITY_AT_ZERO = 0.39894228f;          // 1 / sqrt(2 pi)
    private static final float CUBIC = 0.044715f;

    private Gates() {}

    /// `x * weight(x)`, of SIGMOID `weight(x)`.
    public static float value(int activation, float x) {
        float value = weight(activation, x);
        if (activation != SIGMOID) value = x * value;
        return value;
    }

    /// `d value / dx = weight + x * d weight / dx`.
    public static float slope(int activation, float x) {
        float weight = weight(activation, x);
        float slope;
        if (activation == SIGMOID) slope = weight * sigmoid(-x);
        else if (activation == GELU) slope = weight + x * (TornadoMath.exp(-0.5f * x * x) * DENSITY_AT_ZERO);
        else if (activation == SILU) slope = weight * (1f + x * (1f - weight));
        else slope = weight + x * (weight * (1f - weight)) * (2f * SQRT_2_PI * (1f + 3f * CUBIC * x * x));
        return slope;
    }

    /// SILU and SIGMOID: sigmoid(x). GELU: the normal distribution's P(X <= x). GELU_TANH: `(1 + tanh(t)) / 2 = sigmoid(2 t)`,
    /// which does not cancel.
    private static float weight(int activation, float x) {
        float weight;
        if (activation == SIGMOID) weight = sigmoid(x);
        else if (activation == GELU) weight = normalCdf(x);
        else if (activation == SILU) weight = sigmoidByRoot(x);
        else weight = sigmoid(2f * SQRT_2_PI * (x + CUBIC * x * x * x));
        return weight;
    }

    private static float sigmoid(float x) {
        return 1f / (1f + TornadoMath.exp(-x));
    }

    /// As `sigmoid`, a few ulps less exact, which the slope of GELU_TANH, with its small differences to 1, would not bear.
    /// Devices have an instruction for the reciprocal of a root; a division takes a dozen and a branch.
    private static float sigmoidByRoot(float x) {
        float root = 1f / TornadoMath.sqrt(1f + TornadoMath.exp(-x));
        return root * root;
    }

    /// `(1 + erf(x / sqrt(2))) / 2`, absolute error below 3e-7. `erfc(z) = t exp(-z² + P(t))`, `t = 1 / (1 + z / 2)`,
    /// z >= 0. Source: the polynomial of `dev.gale.tensor.cpu.Maths`.
    private static float normalCdf(float x) {
        float z = TornadoMath.abs(x) * SQRT_HALF;
        float t = 1f / (1f + 0.5f * z);
        float p = 0.14493021f;
        p = p * t - 0.6808272f;
        p = p * t + 1.1567337f;
        p = p * t - 0.69625193f;
        p = p * t - 0.08028043f;
        p = p * t + 0.0012675846f;
        p = p * t + 0.034602802f;
        p = p * t + 0.3866404f;
        p = p * t + 0.99863279f;
        p = p * t - 1.265448f;
        float tail = TornadoMath.exp(p - z * z) * t * 0.5f;
        float cdf = tail;
        if (x > 0f) cdf = 1f - tail;
        return cdf;
    }
}
