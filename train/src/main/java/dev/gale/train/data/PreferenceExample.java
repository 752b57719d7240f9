package dev.gale.train.data;

import java.util.Arrays;

/// Two tokenized answers to one prompt; the tokens of the answers are marked as trained.
///
/// @param chosen   the prompt with the better answer
/// @param rejected the prompt with the other one
public record PreferenceExample(Example chosen, Example rejected) {

    /// Ids of the prompt before the chosen answer.
    public int[] promptIds() {
        return Arrays.copyOf(chosen.ids(), promptLength(chosen));
    }

    /// Ids of the chosen answer.
    public int[] chosenIds() {
        return Arrays.copyOfRange(chosen.ids(), promptLength(chosen), chosen.length());
    }

    /// Ids of the rejected answer.
    public int[] rejectedIds() {
        return Arrays.copyOfRange(rejected.ids(), promptLength(rejected), rejected.length());
    }

    private static int promptLength(Example example) {
        int length = 0;
        while (length < example.length() && !example.trained()[length]) length++;
        return length;
    }
}
