package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// How the columns of a dataset are meant.
public enum RowFormat {
    /// `instruction`, `input` (may be absent or empty), `output`.
    ALPACA,
    /// `messages` or `conversations`: a list of turns with `role` and `content`, or ShareGPT's `from` and `value`.
    MESSAGES,
    /// `prompt` and `completion`, both text or both lists of messages.
    PROMPT_COMPLETION,
    /// One column of text.
    TEXT,
    /// A text with `{column}` places.
    TEMPLATE,
    /// `input_ids`: token ids, with `labels`, `attention_mask`, `completion_mask` or `assistant_masks` or without.
    TOKENS,
    /// `segments`: a list of `{label, text}`; what is labelled true is trained, and nothing is added.
    SEGMENTS,
    /// `chosen` and `rejected`, text or messages, with `prompt` (or a conversation, or an instruction) or without.
    PREFERENCE,
    /// `prompt` and `completion`, or a conversation, with a `label` that is true where the answer is good.
    KTO;

    private static final String ALPACA_INPUT = "Below is an instruction that describes a task, paired with an input "
            + "that provides further context. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\n%s\n\n### Input:\n%s\n\n### Response:\n";
    private static final String ALPACA_NO_INPUT = "Below is an instruction that describes a task. Write a response "
            + "that appropriately completes the request.\n\n### Instruction:\n%s\n\n### Response:\n";

    /// The format that the columns of a row show.
    ///
    /// Throws InputException that lists the columns present when they show none.
    static RowFormat of(Row row, DatasetConfig config) {
        Set<String> columns = row.values().keySet();
        if (config.template().isPresent()) return TEMPLATE;
        if (columns.contains(TokenColumns.IDS) && !asksForText(columns, config)) return TOKENS;
        if (columns.contains("chosen") && columns.contains("rejected")) return PREFERENCE;
        boolean pair = columns.containsAll(List.of(config.promptField(), config.completionField()));
        if ((pair || Conversations.column(row) != null) && ComparisonRows.label(row.values().get("label")) != null) return KTO;
        if (pair) return PROMPT_COMPLETION;
        if (Conversations.column(row) != null) return MESSAGES;
        if (columns.contains("segments")) return SEGMENTS;
        if (columns.contains("instruction") && columns.contains("output")) return ALPACA;
        if (columns.contains(config.textField())) return TEXT;
        throw new InputException(("%s has none of the columns '%s'; '%s' and '%s'; 'messages'; 'instruction' and "
                + "'output'; 'segments'; 'input_ids'; 'chosen' and 'rejected'; it has: %s; set text_field, or "
                + "prompt_field and completion_field, or columns, or template")
                .formatted(row.place(), config.textField(), config.promptField(), config.completionField(),
                        String.join(", ", columns)));
    }

    /// Whether the configuration names columns of text that the row has.
    private static boolean asksForText(Set<String> columns, DatasetConfig config) {
        Set<String> named = new LinkedHashSet<>(List.of(config.textField(), config.promptField(), config.completionField()));
        named.removeAll(List.of("text", "prompt", "completion"));
        named.addAll(config.columns().keySet());
        named.removeAll(TokenColumns.ALL);
        named.retainAll(columns);
        return !named.isEmpty();
    }

    /// Whether prompt and completion are apart.
    boolean hasPrompt() {
        return this == ALPACA || this == PROMPT_COMPLETION || this == TEMPLATE || this == SEGMENTS;
    }

    /// What a row of this format says.
    ///
    /// @param template the parsed template of `TEMPLATE`, null otherwise
    ///
    /// Throws InputException for answers to be compared, of which supervised fine-tuning can learn none as they are.
    Sample sample(Row row, DatasetConfig config, FormatString template) {
        return switch (this) {
            case TEXT -> new Sample.Text("", row.text(config.textField()));
            case TEMPLATE -> template.fill(row);
            case ALPACA -> new Sample.Text(alpacaPrompt(row), row.text("output"));
            case PROMPT_COMPLETION -> promptCompletion(row, config.promptField(), config.completionField());
            case MESSAGES -> Conversations.chat(row,
                    Conversations.messages(row, Conversations.column(row) == null ? "messages" : Conversations.column(row)), 0);
            case SEGMENTS -> segments(row);
            case TOKENS -> TokenColumns.tokens(row);
            case PREFERENCE, KTO -> throw ComparisonRows.notForSupervision(row, this);
        };
    }

    static String alpacaPrompt(Row row) {
        String input = row.values().containsKey("input") ? row.text("input") : "";
        return input.isBlank() ? ALPACA_NO_INPUT.formatted(row.text("instruction"))
                : ALPACA_INPUT.formatted(row.text("instruction"), input);
    }

    /// A prompt and what follows it, both text or both messages.
    static Sample promptCompletion(Row row, String promptField, String completionField) {
        Object prompt = row.require(promptField);
        Object completion = row.require(completionField);
        if (Conversations.isConversation(prompt) && Conversations.isConversation(completion)) {
            List<Map<String, Object>> all = new ArrayList<>(Conversations.messages(row, promptField));
            int promptMessages = all.size();
            all.addAll(Conversations.messages(row, completionField));
            return Conversations.chat(row, all, promptMessages);
        }
        return new Sample.Text(row.text(promptField), row.text(completionField));
    }

    private static Sample segments(Row row) {
        if (!(row.require("segments") instanceof List<?> list) || list.isEmpty()) {
            throw new InputException(row.place() + ": column 'segments' must be a list of {label, text} with at least one");
        }
        List<Sample.Segment> segments = new ArrayList<>();
        for (Object entry : list) {
            if (!(entry instanceof Map<?, ?> map && map.get("label") instanceof Boolean label
                    && map.get("text") instanceof String text)) {
                throw new InputException("%s: segment %d is not an object with a label (true or false) and a text"
                        .formatted(row.place(), segments.size() + 1));
            }
            segments.add(new Sample.Segment(text, label));
        }
        return new Sample.Segments(segments);
    }
}
