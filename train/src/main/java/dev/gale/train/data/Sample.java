package dev.gale.train.data;

import java.util.List;
import java.util.Map;

/// What a row says, before it is tokenized.
public sealed interface Sample {

    /// Plain text: a prompt, perhaps empty, and what follows it.
    ///
    /// @param prompt     what the model is given
    /// @param completion what it should answer
    record Text(String prompt, String completion) implements Sample {}

    /// A conversation.
    ///
    /// @param messages       maps with `role`, `content` and what else a chat template may read
    /// @param promptMessages how many of them are the prompt of a prompt-completion pair; 0 for a plain conversation
    /// @param tools          tool descriptions, null without
    /// @param variables      more variables for the chat template
    record Chat(List<Map<String, Object>> messages, int promptMessages, Object tools, Map<String, Object> variables)
            implements Sample {}

    /// Texts side by side, each tokenized for itself, with every mark that the model shall see written out.
    record Segments(List<Segment> segments) implements Sample {}

    /// Token ids that someone else made.
    ///
    /// @param labelled   whether a token has a label
    /// @param completion whether it belongs to the completion, null when the row does not say
    /// @param assistant  whether the assistant says it, null when the row does not say
    record Tokens(int[] ids, boolean[] labelled, boolean[] completion, boolean[] assistant) implements Sample {}

    /// @param trained whether the model learns it
    record Segment(String text, boolean trained) {}
}
