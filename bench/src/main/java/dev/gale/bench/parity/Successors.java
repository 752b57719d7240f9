package dev.gale.bench.parity;

import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Sequences in which each token of a small alphabet has one successor, but for some that are drawn anew.
///
/// @param vocab tokens over which the letters are spread
record Successors(int vocab) {
    /// Tokens that occur.
    static final int ALPHABET = 32;
    private static final double DRAWN = 0.1;

    Batch batch(int count, int seq, Random random) {
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] ids = new int[seq];
            ids[0] = letter(random.nextInt(ALPHABET));
            for (int t = 1; t < seq; t++) {
                boolean drawn = random.nextDouble() < DRAWN;
                ids[t] = drawn ? letter(random.nextInt(ALPHABET)) : successor(ids[t - 1]);
            }
            examples.add(Example.allTrained(ids));
        }
        return Batch.of(examples);
    }

    private int letter(int index) {
        return (int) ((long) index * vocab / ALPHABET);
    }

    private int successor(int token) {
        int index = (int) (((long) token * ALPHABET + vocab - 1) / vocab);
        return letter((7 * index + 3) % ALPHABET);
    }
}
