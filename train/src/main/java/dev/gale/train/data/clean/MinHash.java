package dev.gale.train.data.clean;

import java.util.Arrays;
import java.util.SplittableRandom;

/// Finds the few sets that may be similar among very many. A signature holds the smallest value of the set under each of
/// `bands * rows` random functions; two sets agree in one with probability J, their Jaccard index, and in all of some band of
/// `rows` with `1 - (1 - J^rows)^bands`. Bands have as many rows as leave 99 % of the pairs at the threshold to be found (fewer
/// below 0.02). Source: Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.
final class MinHash {
    private static final double FOUND = 0.99;
    private static final int MOST_FUNCTIONS = 256;

    private final int bands;
    private final int rows;
    private final int[] factors;
    private final int[] summands;

    /// @param threshold Jaccard index, above 0 and at most 1
    MinHash(double threshold) {
        int bestRows = 1;
        for (int r = 2; r <= 32; r++) {
            if ((long) bands(threshold, r) * r <= MOST_FUNCTIONS) bestRows = r;
        }
        rows = bestRows;
        bands = Math.min(bands(threshold, rows), MOST_FUNCTIONS / rows);
        factors = new int[bands * rows];
        summands = new int[bands * rows];
        SplittableRandom random = new SplittableRandom(42);
        for (int i = 0; i < factors.length; i++) {
            factors[i] = random.nextInt() | 1;
            summands[i] = random.nextInt();
        }
    }

    private static int bands(double threshold, int rows) {
        double agree = Math.pow(threshold, rows);
        return agree >= FOUND ? 1 : (int) Math.min(1 << 20, Math.ceil(Math.log(1 - FOUND) / Math.log1p(-agree)));
    }

    int bands() {
        return bands;
    }

    int rows() {
        return rows;
    }

    /// A key for each band: equal keys mean equal rows.
    ///
    /// @param shingles a set that is not empty
    long[] keys(int[] shingles) {
        int[] smallest = new int[factors.length];
        Arrays.fill(smallest, Integer.MAX_VALUE);
        for (int shingle : shingles) {
            for (int i = 0; i < smallest.length; i++) {
                int value = shingle * factors[i] + summands[i];
                value ^= value >>> 15;
                smallest[i] = Math.min(smallest[i], value);
            }
        }
        long[] keys = new long[bands];
        for (int b = 0; b < bands; b++) {
            long key = b + 1;
            for (int i = b * rows; i < (b + 1) * rows; i++) key = Shingles.mix(key * 31 + smallest[i]);
            keys[b] = key;
        }
        return keys;
    }
}
