package dev.gale.train.data.report;

import dev.gale.train.data.clean.NearDuplicates;
import dev.gale.train.data.clean.PersonalData;
import dev.gale.train.data.clean.Quality;
import dev.gale.train.data.read.RawRow;
import dev.gale.train.data.clean.TextKey;
import java.util.Map;
import java.util.Optional;

/// What one row shows by itself.
///
/// @param raw       the row
/// @param problem   why it cannot be read or trained on, if so; then only `raw` is meant besides
/// @param tokens    length in tokens, estimated as a quarter of the characters without a tokenizer
/// @param trained   of them that are learned; -1 without a tokenizer
/// @param words     measures of the text
/// @param quality   more of them
/// @param language  of the text
/// @param personal  pieces of personal data by kind
/// @param answer    what is told of the answer, if the row sets it apart
/// @param text      key of the whole text
/// @param prompt    key of what stands before the answer; null without
/// @param sketch    for near-duplicates
/// @param labels    values of columns that may be labels
record RowFacts(RawRow raw, Optional<String> problem, int tokens, int trained, WordFacts words, Quality quality,
                String language, Map<PersonalData, Integer> personal, Optional<Answer> answer, TextKey text, TextKey prompt,
                NearDuplicates.Sketch sketch, Map<String, String> labels) {

    /// @param chars     its length
    /// @param truncated whether it seems to end in the middle
    record Answer(int chars, boolean empty, boolean truncated) {}

    static RowFacts unreadable(RawRow raw, String problem) {
        return new RowFacts(raw, Optional.of(problem), 0, 0, null, null, null, Map.of(), Optional.empty(), null, null,
                null, Map.of());
    }
}
