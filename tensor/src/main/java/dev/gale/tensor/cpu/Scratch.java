package dev.gale.tensor.cpu;

/// The working memory of one thread: arrays that grow to the largest size asked for and are used again.
final class Scratch {
    /// What an array is for; uses that are live at the same time are different.
    enum Use {
        LEFT, PANELS, MORE_PANELS, TILE, STAGE, SCORES, SLOPES, ROWS, MORE_ROWS, OUT, MORE_OUT, VECTORS, A, B, C, D
    }

    private final float[][] arrays = new float[Use.values().length][];

    /// An array of at least this size, of undefined content.
    float[] get(Use use, int size) {
        float[] known = arrays[use.ordinal()];
        if (known == null || known.length < size) {
            known = new float[size];
            arrays[use.ordinal()] = known;
        }
        return known;
    }

    long bytes() {
        long sum = 0;
        for (float[] array : arrays) {
            if (array != null) sum += 4L * array.length;
        }
        return sum;
    }
}
