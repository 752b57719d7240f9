package dev.gale.kernels.mma;

/// What the kernels of attention's gradients do with single elements. Public, as tests load those kernels in a class loader
/// of their own.
public final class GradientTiles {
    /// `q·k` of a key that is not seen.
    public static final float UNSEEN = -1e30f;
    /// The kernels take scales from this one on: an unseen key's weight is 0 for any other score.
    public static final float LEAST_SCALE = 1e-6f;

    private static final float UNSEEN_SCORE = -1e20f;
    private static final float LOWEST = -3e38f;

    private GradientTiles() {}

    /// 0 for the -infinity of a row that sees nothing: its weights are 0 by themselves.
    public static float finite(float mark) {
        return mark < LOWEST ? 0f : mark;
    }

    /// The weight of a pair, 0 if its score says that the key is not seen: for scores that the softcap would bring back.
    public static float seen(float score, float weight) {
        return score < UNSEEN_SCORE ? 0f : weight;
    }

    /// Whether a key is in a range.
    public static int sees(int key, int start, int stop) {
        int sees = 0;
        if (key >= start) {
            if (key < stop) sees = 1;
        }
        return sees;
    }

    /// The nearest BF16, of two the even one, for a magnitude from 1e-35 to 1e33; NaN for larger ones. No product here needs
    /// rounding, so it does not matter whether compilers fuse it with a difference.
    public static float rounded(float value) {
        float shifted = value * 65536f;              // its last bit is one of the 8 that stay
        return shifted - (shifted - value);
    }
}
