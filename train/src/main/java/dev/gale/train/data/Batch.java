package dev.gale.train.data;

import dev.gale.tensor.ops.CrossEntropySpec;
import java.util.Arrays;
import java.util.List;

/// Sequences side by side, without padding in between; where they begin and end is data. All arrays have M entries, one per
/// token.
///
/// @param ids           token ids
/// @param positions     place of each token in its sequence, from 0
/// @param start         first row that each token attends to: where its sequence begins
/// @param stop          one past the last row that each token attends to: itself
/// @param targets       id that each row learns to predict, -100 for none; the last row of a sequence has none
/// @param sequences     number of sequences
/// @param trainedTokens number of rows with a target
public record Batch(int[] ids, int[] positions, int[] start, int[] stop, int[] targets, int sequences,
                    int trainedTokens) {

    /// Lays the examples side by side in their order. Row i predicts the token of row i + 1 if that is trained and of
    /// the same sequence.
    public static Batch of(List<Example> examples) {
        int tokens = Math.toIntExact(examples.stream().mapToLong(Example::length).sum());
        int[] ids = new int[tokens];
        int[] positions = new int[tokens];
        int[] start = new int[tokens];
        int[] stop = new int[tokens];
        int[] targets = new int[tokens];
        Arrays.fill(targets, CrossEntropySpec.IGNORE);
        int trainedTokens = 0;
        int begin = 0;
        for (Example example : examples) {
            int length = example.length();
            System.arraycopy(example.ids(), 0, ids, begin, length);
            for (int i = 0; i < length; i++) {
                positions[begin + i] = i;
                start[begin + i] = begin;
                stop[begin + i] = begin + i + 1;
                if (i + 1 < length && example.trained()[i + 1]) {
                    targets[begin + i] = example.ids()[i + 1];
                    trainedTokens++;
                }
            }
            begin += length;
        }
        return new Batch(ids, positions, start, stop, targets, examples.size(), trainedTokens);
    }

    /// Number of rows M.
    public int tokens() {
        return ids.length;
    }

    /// This batch with rows added, up to M rows in all, that see no key and have no target: nothing else changes.
    public Batch padded(int rows) {
        if (rows == tokens()) return this;
        int[] padded = Arrays.copyOf(targets, rows);
        Arrays.fill(padded, tokens(), rows, CrossEntropySpec.IGNORE);
        return new Batch(Arrays.copyOf(ids, rows), Arrays.copyOf(positions, rows), Arrays.copyOf(start, rows),
                Arrays.copyOf(stop, rows), padded, sequences, trainedTokens);
    }
}
