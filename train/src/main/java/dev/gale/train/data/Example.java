package dev.gale.train.data;

import java.util.Arrays;

/// A tokenized training example. Which tokens are trained is a matter of their positions, never of their ids.
///
/// @param ids     token ids
/// @param trained whether the model learns to predict this token; the first token of a sequence is predicted by nothing
public record Example(int[] ids, boolean[] trained) {
    public Example {
        if (ids.length != trained.length) {
            throw new IllegalArgumentException("%d ids but %d marks".formatted(ids.length, trained.length));
        }
    }

    /// An example of which every token is trained.
    public static Example allTrained(int[] ids) {
        boolean[] trained = new boolean[ids.length];
        Arrays.fill(trained, true);
        return new Example(ids, trained);
    }

    /// Number of tokens.
    public int length() {
        return ids.length;
    }

    /// Number of tokens that some position learns to predict.
    public int trainedTokens() {
        int count = 0;
        for (int i = 1; i < trained.length; i++) {
            if (trained[i]) count++;
        }
        return count;
    }

    /// The first `length` tokens, or this example when it is not longer.
    public Example first(int length) {
        if (ids.length <= length) return this;
        return new Example(Arrays.copyOf(ids, length), Arrays.copyOf(trained, length));
    }
}
