package dev.gale.peft;

import dev.gale.tensor.random.Philox;

/// Starting values of A and B, a function of the seed and the number of the module alone.
///
/// Dropout uses the same generator with the optimizer step, which is never negative, where these have -1 and -2.
record LoraInit(long seed, int module) {
    private static final int DOWN = -1;
    private static final int UP = -2;

    /// A `[r, in]`.
    float[] down(LoraConfig.Init init, int r, int in) {
        return switch (init) {
            case KAIMING, RANDOM -> uniform(r * in, DOWN, 1 / Math.sqrt(in));
            case GAUSSIAN -> normal(r * in, DOWN, 1.0 / r);
        };
    }

    /// B `[out, r]`.
    float[] up(LoraConfig.Init init, int out, int r) {
        return init == LoraConfig.Init.RANDOM ? uniform(out * r, UP, 1 / Math.sqrt(r)) : new float[out * r];
    }

    /// Uniform in `[-bound, bound)`.
    private float[] uniform(int size, int which, double bound) {
        float[] values = new float[size];
        int[] block = new int[4];
        for (int i = 0; i < size; i++) {
            if (i % 4 == 0) fill(block, i / 4, which);
            values[i] = (float) ((2.0 * Philox.uniform(block[i % 4]) - 1) * bound);
        }
        return values;
    }

    /// Source: Box & Muller 1958, "A note on the generation of random normal deviates".
    private float[] normal(int size, int which, double deviation) {
        float[] values = new float[size];
        int[] block = new int[4];
        for (int i = 0; i < size; i++) {
            if (i % 4 == 0) fill(block, i / 4, which);
            int pair = i % 4 / 2 * 2;
            double radius = Math.sqrt(-2 * Math.log(1 - (double) Philox.uniform(block[pair])));
            double angle = 2 * Math.PI * Philox.uniform(block[pair + 1]);
            values[i] = (float) (deviation * radius * (i % 2 == 0 ? Math.cos(angle) : Math.sin(angle)));
        }
        return values;
    }

    private void fill(int[] block, int counter, int which) {
        Philox.block((int) seed, (int) (seed >>> 32), counter, module, which, which, block);
    }
}
