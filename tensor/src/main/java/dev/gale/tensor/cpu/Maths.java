package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/// Elementary functions on vectors, from multiplications and fused multiply-adds alone: unlike the library's, they give
/// the same bits interpreted, compiled and on every machine. NaN gives NaN.
/// Source: own least-squares polynomials on the reduced ranges.
final class Maths {
    private static final float LOG2_E = 1.44269504f;
    private static final float LN2_HIGH = 0.693359375f;                // short enough that n * LN2_HIGH is exact
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float ROUND = 0x1.8p23f;                      // adding it leaves an integer in the lowest bits
    private static final float EXP_MAX = 88.72284f;
    private static final float EXP_MIN = -87.33654f;                   // below, the result would be subnormal
    private static final float TANH_SMALL = 0.625f;
    private static final float SQRT_HALF = 0.70710678f;
    private static final float SQRT_2_PI = 0.79788456f;                // sqrt(2 / pi)
    private static final float DENSITY_AT_ZERO = 0.39894228f;          // 1 / sqrt(2 pi)

    private Maths() {}

    /// `exp(x)`, relative error below 1.5e-7; results below the smallest normal number become 0.
    static FloatVector exp(FloatVector x) {
        FloatVector rounded = x.fma(FloatVector.broadcast(F, LOG2_E), FloatVector.broadcast(F, ROUND));
        FloatVector n = rounded.sub(ROUND);
        FloatVector r = n.fma(FloatVector.broadcast(F, -LN2_HIGH), x);
        r = n.fma(FloatVector.broadcast(F, -LN2_LOW), r);
        FloatVector p = FloatVector.broadcast(F, 0.0013946446f);
        p = p.fma(r, FloatVector.broadcast(F, 0.0083691515f));
        p = p.fma(r, FloatVector.broadcast(F, 0.041666262f));
        p = p.fma(r, FloatVector.broadcast(F, 0.16666517f));
        p = p.fma(r, FloatVector.broadcast(F, 0.5f));
        p = p.mul(r).fma(r, r).add(1f);
        IntVector exponent = rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
        FloatVector result = p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
        result = result.blend(0f, x.compare(VectorOperators.LT, EXP_MIN));
        return result.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, EXP_MAX));
    }

    /// The same bits as a lane of the vector function.
    static float exp(float x) {
        if (x < EXP_MIN) return 0f;
        if (x > EXP_MAX) return Float.POSITIVE_INFINITY;
        float rounded = Math.fma(x, LOG2_E, ROUND);
        float n = rounded - ROUND;
        float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, x));
        float p = Math.fma(0.0013946446f, r, 0.0083691515f);
        p = Math.fma(p, r, 0.041666262f);
        p = Math.fma(p, r, 0.16666517f);
        p = Math.fma(p, r, 0.5f);
        p = Math.fma(p * r, r, r) + 1f;
        return Float.intBitsToFloat(Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(rounded) << 23));
    }

    /// `1 / (1 + exp(-x))`.
    static FloatVector sigmoid(FloatVector x) {
        return FloatVector.broadcast(F, 1f).div(exp(x.neg()).add(1f));
    }

    /// `tanh(x)`, relative error below 3e-7.
    static FloatVector tanh(FloatVector x) {
        FloatVector square = x.mul(x);
        FloatVector p = FloatVector.broadcast(F, -0.005704043f);
        p = p.fma(square, FloatVector.broadcast(F, 0.020637862f));
        p = p.fma(square, FloatVector.broadcast(F, -0.053739157f));
        p = p.fma(square, FloatVector.broadcast(F, 0.13331431f));
        p = p.fma(square, FloatVector.broadcast(F, -0.3333328f));
        FloatVector small = p.mul(square).fma(x, x);
        FloatVector size = x.abs();
        FloatVector part = FloatVector.broadcast(F, 2f).div(exp(size.add(size)).add(1f));
        FloatVector large = FloatVector.broadcast(F, 1f).sub(part);
        large = large.blend(large.neg(), x.compare(VectorOperators.LT, 0f));
        return small.blend(large, size.compare(VectorOperators.GT, TANH_SMALL));
    }

    /// `cap * tanh(x / cap)`, or x when cap is 0.
    static FloatVector softcap(FloatVector x, float cap) {
        return cap > 0 ? tanh(x.div(cap)).mul(cap) : x;
    }

    /// The normal distribution's `P(X <= x) = (1 + erf(x / sqrt(2))) / 2`, absolute error below 3e-7.
    /// `erfc(z) = t exp(-z² + P(t))`, `t = 1 / (1 + z / 2)`, z >= 0.
    static FloatVector normalCdf(FloatVector x) {
        FloatVector z = x.abs().mul(SQRT_HALF);
        FloatVector t = FloatVector.broadcast(F, 1f).div(z.mul(0.5f).add(1f));
        FloatVector p = FloatVector.broadcast(F, 0.14493021f);
        p = p.fma(t, FloatVector.broadcast(F, -0.6808272f));
        p = p.fma(t, FloatVector.broadcast(F, 1.1567337f));
        p = p.fma(t, FloatVector.broadcast(F, -0.69625193f));
        p = p.fma(t, FloatVector.broadcast(F, -0.08028043f));
        p = p.fma(t, FloatVector.broadcast(F, 0.0012675846f));
        p = p.fma(t, FloatVector.broadcast(F, 0.034602802f));
        p = p.fma(t, FloatVector.broadcast(F, 0.3866404f));
        p = p.fma(t, FloatVector.broadcast(F, 0.99863279f));
        p = p.fma(t, FloatVector.broadcast(F, -1.265448f));
        FloatVector tail = exp(p.sub(z.mul(z))).mul(t).mul(0.5f);
        return tail.blend(FloatVector.broadcast(F, 1f).sub(tail), x.compare(VectorOperators.GT, 0f));
    }

    /// The normal distribution's density.
    static FloatVector normalDensity(FloatVector x) {
        return exp(x.mul(x).mul(-0.5f)).mul(DENSITY_AT_ZERO);
    }

    /// `2 sqrt(2 / pi) (x + 0.044715 x³)`: `sigmoid` of it is the tanh form of the normal distribution.
    static FloatVector geluArgument(FloatVector x) {
        return x.mul(x).mul(x).mul(0.044715f).add(x).mul(2 * SQRT_2_PI);
    }

    /// Its derivative.
    static FloatVector geluArgumentSlope(FloatVector x) {
        return x.mul(x).mul(3 * 0.044715f).add(1f).mul(2 * SQRT_2_PI);
    }
}
