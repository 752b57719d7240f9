package dev.gale.tensor.testing;

import java.util.Arrays;

/// Comparison of every element with its own bound. NaN equals NaN only, an infinity only itself.
public final class TensorAssert {
    private TensorAssert() {}

    /// Throws: AssertionError naming the tensor, the worst element's index, want, got and bound, and how many are
    /// outside.
    public static void assertClose(String name, float[] want, float[] got, double[] bounds) {
        if (want.length != got.length) {
            throw new AssertionError("%s: want %d elements, got %d".formatted(name, want.length, got.length));
        }
        int outside = 0;
        int worst = -1;
        double worstExcess = 0;
        for (int i = 0; i < want.length; i++) {
            double excess = excess(want[i], got[i], bounds[i]);
            if (excess <= 1) continue;
            outside++;
            if (excess > worstExcess) {
                worstExcess = excess;
                worst = i;
            }
        }
        if (outside == 0) return;
        throw new AssertionError("%s[%d]: want %s, got %s, bound %.3e; %d of %d elements are outside theirs".formatted(
                name, worst, want[worst], got[worst], bounds[worst], outside, want.length));
    }

    /// One bound for all elements.
    public static void assertClose(String name, float[] want, float[] got, double bound) {
        double[] bounds = new double[want.length];
        Arrays.fill(bounds, bound);
        assertClose(name, want, got, bounds);
    }

    /// The same values; NaNs may differ in their bits.
    public static void assertEqual(String name, float[] want, float[] got) {
        assertClose(name, want, got, 0);
    }

    /// Error over bound; at most 1 is inside.
    private static double excess(float want, float got, double bound) {
        if (Float.isNaN(want) || Float.isNaN(got)) return Float.isNaN(want) == Float.isNaN(got) ? 0 : Double.MAX_VALUE;
        if (want == got) return 0;
        if (Float.isInfinite(want) || Float.isInfinite(got)) return Double.MAX_VALUE;
        double error = Math.abs((double) want - got);
        return error <= bound ? 0 : Math.min(Double.MAX_VALUE, Math.max(error / bound, 1 + 1e-9));
    }
}
