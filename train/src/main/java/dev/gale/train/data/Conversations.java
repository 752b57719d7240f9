package dev.gale.train.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// Reads messages as chat templates take them, with `role` and `content`, from what rows hold: those, ShareGPT's `from` and
/// `value`, or the JSON text of a list of either, as CSV has it.
final class Conversations {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CALL = "function_call";
    private static final Map<String, String> ROLES = Map.ofEntries(Map.entry("human", "user"),
            Map.entry("user", "user"), Map.entry("gpt", "assistant"), Map.entry("chatgpt", "assistant"),
            Map.entry("assistant", "assistant"), Map.entry("model", "assistant"), Map.entry("system", "system"),
            Map.entry("tool", "tool"), Map.entry("observation", "tool"), Map.entry(CALL, "assistant"));

    private final Row row;
    private final String column;

    private Conversations(Row row, String column) {
        this.row = row;
        this.column = column;
    }

    /// Whether a value holds messages: a list, a message, or the text of a list of what looks like messages.
    static boolean isConversation(Object value) {
        return value instanceof List || value instanceof Map || value instanceof String text && isList(text);
    }

    private static boolean isList(String text) {
        if (!text.startsWith("[")) return false;
        return text.contains("\"role\"") && text.contains("\"content\"") || text.contains("\"from\"")
                && text.contains("\"value\"");
    }

    /// The column of a row that holds a conversation, null when none does.
    static String column(Row row) {
        return Stream.of("messages", "conversations").filter(row.values()::containsKey).findFirst().orElse(null);
    }

    /// The messages of a column; a single message is a list of one.
    ///
    /// Throws InputException when there is none, or one without a role.
    static List<Map<String, Object>> messages(Row row, String column) {
        return new Conversations(row, column).messages(row.require(column));
    }

    /// A conversation with the tools, the system message and the variables for the template that its row has beside it.
    static Sample.Chat chat(Row row, List<Map<String, Object>> messages, int promptMessages) {
        Object tools = TemplateColumns.tools(row);
        Map<String, Object> variables = TemplateColumns.variables(row);
        boolean begins = row.values().get("system") instanceof String system && !system.isBlank()
                && !"system".equals(messages.getFirst().get("role"));
        if (!begins) return new Sample.Chat(messages, promptMessages, tools, variables);
        List<Map<String, Object>> all = new ArrayList<>();
        all.add(new LinkedHashMap<>(Map.of("role", "system", "content", row.text("system"))));
        all.addAll(messages);
        return new Sample.Chat(all, promptMessages == 0 ? 0 : promptMessages + 1, tools, variables);
    }

    /// The value of a column, null when the row lacks it; text is read as JSON, as CSV has it.
    ///
    /// Throws InputException when text is no JSON.
    static Object json(Row row, String column) {
        Object value = row.values().get(column);
        if (!(value instanceof String text)) return value;
        return text.isBlank() ? null : new Conversations(row, column).parse(text);
    }

    private Object parse(String text) {
        try {
            return JSON.readValue(text, Object.class);
        } catch (JsonProcessingException e) {
            throw new InputException("%s: column '%s' is text but not JSON (%s)".formatted(row.place(), column,
                    JsonProblem.of(e)), e);
        }
    }

    private List<Map<String, Object>> messages(Object value) {
        Object read = value instanceof String text && isConversation(text) ? parse(text) : value;
        if (read instanceof Map<?, ?> single) read = List.of(single);
        if (!(read instanceof List<?> turns) || turns.isEmpty()) {
            throw new InputException("%s: column '%s' must be a list of messages with at least one"
                    .formatted(row.place(), column));
        }
        List<Map<String, Object>> messages = new ArrayList<>();
        for (Object turn : turns) {
            if (!(turn instanceof Map<?, ?> map)) {
                throw new InputException("%s: message %d in '%s' is not an object with role and content"
                        .formatted(row.place(), messages.size() + 1, column));
            }
            messages.add(message(messages.size() + 1, map));
        }
        return messages;
    }

    private Map<String, Object> message(int number, Map<?, ?> turn) {
        Map<String, Object> message = new LinkedHashMap<>();
        turn.forEach((key, value) -> message.put(String.valueOf(key), value));
        if (!message.containsKey("role") && message.get("from") instanceof String from) speak(message, number, from);
        if (!(message.get("role") instanceof String)) {
            throw new InputException("%s: message %d in '%s' has no role; it has: %s"
                    .formatted(row.place(), number, column, String.join(", ", message.keySet())));
        }
        return message;
    }

    private void speak(Map<String, Object> message, int number, String from) {
        String role = ROLES.get(from);
        if (role == null) {
            throw new InputException("%s: message %d in '%s' is from '%s', which is no known speaker (human, gpt, "
                    .formatted(row.place(), number, column, from) + "system, tool, function_call, observation)");
        }
        message.remove("from");
        message.put("role", role);
        Object value = message.remove("value");
        if (from.equals(CALL)) message.put("tool_calls", calls(value, number));
        message.put("content", from.equals(CALL) ? "" : value);
    }

    /// ShareGPT writes calls as the JSON text of one or of several, each with `name` and `arguments`.
    private List<Object> calls(Object value, int number) {
        Object read = value instanceof String text ? parse(text) : value;
        List<Object> calls = new ArrayList<>();
        for (Object call : read instanceof List<?> list ? list : List.of(read == null ? "" : read)) {
            if (!(call instanceof Map<?, ?> map) || !(map.get("name") instanceof String)) {
                throw new InputException(("%s: message %d in '%s' is a function call without a name; write {\"name\": ..., "
                        + "\"arguments\": ...}")
                        .formatted(row.place(), number, column));
            }
            calls.add(new LinkedHashMap<>(Map.of("type", "function", "function", call)));
        }
        return calls;
    }
}
