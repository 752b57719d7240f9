package dev.gale.tensor.testing;

import java.util.Random;

/// Numbers for tests: the same for the same seed, of both signs.
public final class Fixtures {
    private Fixtures() {}

    /// Uniform in [-1, 1).
    public static float[] uniform(int n, long seed) {
        Random random = new Random(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) values[i] = 2 * random.nextFloat() - 1;
        return values;
    }

    /// Uniform in [0.5, 1).
    public static float[] positive(int n, long seed) {
        float[] values = uniform(n, seed);
        for (int i = 0; i < n; i++) values[i] = 0.75f + values[i] / 4;
        return values;
    }

    /// Standard normal times a scale.
    public static float[] normal(int n, double scale, long seed) {
        Random random = new Random(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) values[i] = (float) (scale * random.nextGaussian());
        return values;
    }

    /// Uniform in [0, bound).
    public static int[] ids(int n, int bound, long seed) {
        Random random = new Random(seed);
        int[] values = new int[n];
        for (int i = 0; i < n; i++) values[i] = random.nextInt(bound);
        return values;
    }
}
