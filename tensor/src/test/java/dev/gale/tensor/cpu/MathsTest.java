package dev.gale.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.DoubleUnaryOperator;
import java.util.function.UnaryOperator;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class MathsTest {
    private static float of(UnaryOperator<FloatVector> function, float x) {
        return function.apply(FloatVector.broadcast(Lanes.F, x)).lane(0);
    }

    /// Compares over a range that includes both ends.
    private static void assertRelative(UnaryOperator<FloatVector> got, DoubleUnaryOperator want, double from, double to,
                                       double bound) {
        for (int i = 0; i <= 20_000; i++) {
            float x = (float) (from + (to - from) * i / 20_000);
            double exact = want.applyAsDouble(x);
            assertTrue(Math.abs(of(got, x) - exact) <= bound * Math.abs(exact), "at " + x + ": " + of(got, x) + ", not "
                    + exact);
        }
    }

    @Test
    void exponentialStaysWithinItsBoundAndSaturates() {
        assertRelative(Maths::exp, Math::exp, -87.3365, 88.7228, 1.5e-7);
        assertRelative(Maths::exp, Math::exp, -1e-3, 1e-3, 1.5e-7);
        assertEquals(1f, of(Maths::exp, 0f));
        assertEquals(0f, of(Maths::exp, -87.4f));
        assertEquals(0f, of(Maths::exp, Float.NEGATIVE_INFINITY));
        assertEquals(Float.POSITIVE_INFINITY, of(Maths::exp, 89f));
        assertEquals(Float.POSITIVE_INFINITY, of(Maths::exp, Float.POSITIVE_INFINITY));
        assertTrue(Float.isNaN(of(Maths::exp, Float.NaN)));
    }

    @Test
    void scalarExponentialHasTheBitsOfALane() {
        for (float x = -110f; x < 110f; x += 0.0137f) assertEquals(of(Maths::exp, x), Maths.exp(x));
        assertTrue(Float.isNaN(Maths.exp(Float.NaN)));
    }

    @Test
    void hyperbolicTangentStaysWithinItsBound() {
        assertRelative(Maths::tanh, Math::tanh, -12, 12, 3e-7);
        assertRelative(Maths::tanh, Math::tanh, -0.01, 0.01, 3e-7);
        assertEquals(1f, of(Maths::tanh, Float.POSITIVE_INFINITY));
        assertEquals(-1f, of(Maths::tanh, Float.NEGATIVE_INFINITY));
        assertTrue(Float.isNaN(of(Maths::tanh, Float.NaN)));
    }

    @Test
    void normalDistributionHasItsTabulatedValues() {
        double[][] table = {{0, 0.5}, {1, 0.8413447460685429}, {-1, 0.15865525393145707}, {2.5, 0.9937903346742238},
            {-5, 2.866515718791939e-7}, {0.1, 0.539827837277029}};
        for (double[] row : table) assertEquals(row[1], of(Maths::normalCdf, (float) row[0]), 3e-7);
        assertTrue(Float.isNaN(of(Maths::normalCdf, Float.NaN)));
    }
}
