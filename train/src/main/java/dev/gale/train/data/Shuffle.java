package dev.gale.train.data;

import dev.gale.tensor.random.Philox;

/// Permutations that are functions of a seed and a number, so that any of them can be made again without the ones
/// before.
final class Shuffle {
    /// Keeps these streams apart from others of the same seed.
    private static final int STREAM = 0x73687566;

    private Shuffle() {}

    /// The `number`-th permutation of 0..n-1 for a seed: Fisher-Yates with one Philox block per exchange.
    static int[] permutation(int n, long seed, int number) {
        int[] order = new int[n];
        for (int i = 0; i < n; i++) order[i] = i;
        int[] words = new int[4];
        for (int i = n - 1; i > 0; i--) {
            Philox.block((int) seed, (int) (seed >>> 32), i, number, 0, STREAM, words);
            long random = (long) words[0] << 32 | words[1] & 0xFFFFFFFFL;
            int j = (int) Math.unsignedMultiplyHigh(random, i + 1L);
            int kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
        return order;
    }
}
