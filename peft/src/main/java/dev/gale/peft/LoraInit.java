package dev.gale.peft;

import dev.gale.tensor.random.Philox;

/// Starting values of A and B, a function of the seed and the number of the module alone.
///
/// Dropout uses the same generator with the optimizer step, which is never negative, where these have -1 to -4.
record LoraInit(long seed, int module) {
    private static final int DOWN = -1;
    private static final int UP = -2;
    private static final int SQUARE = -3;
    private static final int BIAS = -4;

    /// What both matrices of an adapter begin with.
    ///
    /// @param a `[r, in]`
    /// @param b `[out, r]`
    record Values(float[] a, float[] b) {}

    /// Values that need nothing but random numbers.
    Values values(InitLoraWeights.Method method, int r, int in, int out) {
        float[] zeros = new float[out * r];
        return switch (method) {
            case KAIMING -> new Values(uniform(r * in, DOWN, 1 / Math.sqrt(in)), zeros);
            case RANDOM -> new Values(uniform(r * in, DOWN, 1 / Math.sqrt(in)), uniform(out * r, UP, 1 / Math.sqrt(r)));
            case GAUSSIAN -> new Values(normal(r * in, DOWN, 1.0 / r), zeros);
            case ORTHOGONAL -> orthogonal(r, in, out);
            case PISSA, OLORA, LOFTQ, EVA -> throw new IllegalArgumentException(method + " needs more than random numbers");
        };
    }

    /// Of an embedding: A `[V, R]` zero, or normal where the start is random, and B `[D, R]` normal, with deviation 1.
    Values embedding(InitLoraWeights.Method method, int r, int vocab, int dim) {
        float[] a = method == InitLoraWeights.Method.RANDOM ? normal(vocab * r, DOWN, 1) : new float[vocab * r];
        return new Values(a, normal(dim * r, UP, 1));
    }

    /// A bias of B `[out]`: zero, or uniform in `±1/sqrt(r)` as B is.
    float[] bias(InitLoraWeights.Method method, int r, int out) {
        return method == InitLoraWeights.Method.RANDOM ? uniform(out, BIAS, 1 / Math.sqrt(r)) : new float[out];
    }

    /// With an orthogonal `[r, r]` matrix whose rows are p and q in turn: `A = (a p)ᵀ / 10`, `B = b q / 10`, a and b normal.
    /// Source: peft `LoraLayer.orthogonal_init`.
    private Values orthogonal(int r, int in, int out) {
        int half = r / 2;
        double[][] q = new double[r][r];
        float[] square = normal(r * r, SQUARE, 1);
        for (int i = 0; i < square.length; i++) q[i / r][i % r] = square[i];
        GramSchmidt.rows(q);
        float[] left = normal(in * half, DOWN, 0.1);
        float[] right = normal(out * half, UP, 0.1);
        float[] a = new float[r * in];
        float[] b = new float[out * r];
        for (int c = 0; c < r; c++) {
            for (int h = 0; h < half; h++) {
                for (int i = 0; i < in; i++) a[c * in + i] += (float) (left[i * half + h] * q[2 * h][c]);
                for (int o = 0; o < out; o++) b[o * r + c] += (float) (right[o * half + h] * q[2 * h + 1][c]);
            }
        }
        return new Values(a, b);
    }

    /// Normal numbers with mean 0.
    float[] normal(int size, double deviation) {
        return normal(size, DOWN, deviation);
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
