package dev.gale.train.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// How the columns of a dataset are meant.
public enum RowFormat {
    /// `instruction`, `input` (may be absent or empty), `output`.
    ALPACA,
    /// `messages` or `conversations`: a list of turns with `role` and `content`, or `from` and `value`.
    MESSAGES,
    /// `prompt` and `completion`, both text or both lists of messages.
    PROMPT_COMPLETION,
    /// One column of text.
    TEXT,
    /// A text with `{column}` places.
    TEMPLATE;

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ALPACA_INPUT = "Below is an instruction that describes a task, paired with an input "
            + "that provides further context. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\n%s\n\n### Input:\n%s\n\n### Response:\n";
    private static final String ALPACA_NO_INPUT = "Below is an instruction that describes a task. Write a response "
            + "that appropriately completes the request.\n\n### Instruction:\n%s\n\n### Response:\n";
    private static final Map<String, String> ROLES = Map.ofEntries(Map.entry("human", "user"),
            Map.entry("user", "user"), Map.entry("gpt", "assistant"), Map.entry("chatgpt", "assistant"),
            Map.entry("assistant", "assistant"), Map.entry("model", "assistant"), Map.entry("system", "system"),
            Map.entry("tool", "tool"), Map.entry("observation", "tool"));

    /// The format that the columns of a row show.
    ///
    /// Throws InputException that lists the columns present when they show none.
    static RowFormat of(Row row, DatasetConfig config) {
        Set<String> columns = row.values().keySet();
        if (config.template().isPresent()) return TEMPLATE;
        if (columns.containsAll(List.of(config.promptField(), config.completionField()))) return PROMPT_COMPLETION;
        if (columns.contains("messages") || columns.contains("conversations")) return MESSAGES;
        if (columns.contains("instruction") && columns.contains("output")) return ALPACA;
        if (columns.contains(config.textField())) return TEXT;
        throw new InputException(("%s has none of the columns '%s'; '%s' and '%s'; 'messages'; 'instruction' and "
                + "'output'; it has: %s; set text_field, or prompt_field and completion_field, or template")
                .formatted(row.place(), config.textField(), config.promptField(), config.completionField(),
                        String.join(", ", columns)));
    }

    /// Whether prompt and completion are apart.
    boolean hasPrompt() {
        return this == ALPACA || this == PROMPT_COMPLETION || this == TEMPLATE;
    }

    /// What a row of this format says.
    ///
    /// @param template the parsed template of `TEMPLATE`, null otherwise
    Sample sample(Row row, DatasetConfig config, FormatString template) {
        return switch (this) {
            case TEXT -> new Sample.Text("", row.text(config.textField()));
            case TEMPLATE -> template.fill(row);
            case ALPACA -> alpaca(row);
            case PROMPT_COMPLETION -> promptCompletion(row, config.promptField(), config.completionField());
            case MESSAGES -> {
                String column = row.values().containsKey("messages") ? "messages" : "conversations";
                yield chat(row, messages(row, column, row.require(column)), 0);
            }
        };
    }

    private static Sample alpaca(Row row) {
        String input = row.values().containsKey("input") ? row.text("input") : "";
        String prompt = input.isBlank() ? ALPACA_NO_INPUT.formatted(row.text("instruction"))
                : ALPACA_INPUT.formatted(row.text("instruction"), input);
        return new Sample.Text(prompt, row.text("output"));
    }

    private static Sample promptCompletion(Row row, String promptField, String completionField) {
        Object prompt = row.require(promptField);
        Object completion = row.require(completionField);
        if (prompt instanceof List && completion instanceof List) {
            List<Map<String, Object>> all = new ArrayList<>(messages(row, promptField, prompt));
            int promptMessages = all.size();
            all.addAll(messages(row, completionField, completion));
            return chat(row, all, promptMessages);
        }
        return new Sample.Text(row.text(promptField), row.text(completionField));
    }

    @SuppressWarnings("unchecked")
    private static Sample chat(Row row, List<Map<String, Object>> messages, int promptMessages) {
        Object tools = row.values().get("tools");
        if (tools instanceof String text) tools = text.isBlank() ? null : parse(row, text);
        if (tools instanceof List<?> list && list.isEmpty()) tools = null;
        Map<String, Object> variables = row.values().get("chat_template_kwargs") instanceof Map<?, ?> map
                ? (Map<String, Object>) map : Map.of();
        return new Sample.Chat(messages, promptMessages, tools, variables);
    }

    private static Object parse(Row row, String text) {
        try {
            return JSON.readValue(text, Object.class);
        } catch (JsonProcessingException e) {
            throw new InputException("%s: column 'tools' is text but not JSON (%s)"
                    .formatted(row.place(), JsonProblem.of(e)), e);
        }
    }

    private static List<Map<String, Object>> messages(Row row, String column, Object value) {
        if (!(value instanceof List<?> turns) || turns.isEmpty()) {
            throw new InputException("%s: column '%s' must be a list of messages with at least one"
                    .formatted(row.place(), column));
        }
        List<Map<String, Object>> messages = new ArrayList<>();
        for (Object turn : turns) {
            if (!(turn instanceof Map<?, ?> map)) {
                throw new InputException("%s: message %d in '%s' is not an object with role and content"
                        .formatted(row.place(), messages.size() + 1, column));
            }
            messages.add(message(row, column, messages.size() + 1, map));
        }
        return messages;
    }

    private static Map<String, Object> message(Row row, String column, int number, Map<?, ?> turn) {
        Map<String, Object> message = new LinkedHashMap<>();
        turn.forEach((key, value) -> message.put(String.valueOf(key), value));
        if (!message.containsKey("role") && message.get("from") instanceof String from) {
            String role = ROLES.get(from);
            if (role == null) {
                throw new InputException("%s: message %d in '%s' is from '%s', which is no known speaker (human, gpt, "
                        .formatted(row.place(), number, column, from) + "system, tool)");
            }
            message.remove("from");
            message.put("role", role);
            message.put("content", message.remove("value"));
        }
        if (!(message.get("role") instanceof String)) {
            throw new InputException("%s: message %d in '%s' has no role; it has: %s"
                    .formatted(row.place(), number, column, String.join(", ", message.keySet())));
        }
        return message;
    }
}
