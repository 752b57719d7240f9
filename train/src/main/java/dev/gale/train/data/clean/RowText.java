package dev.gale.train.data.clean;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/// What a row says, whatever its columns: the text of the columns that carry text, and the answer in it. Of a row that has
/// token ids only, they are the text.
///
/// @param text   all of it, a line for each value
/// @param prompt what stands before the answer, "" when there is none
/// @param answer what the model shall say; empty when the row does not set it apart
public record RowText(String text, String prompt, Optional<String> answer) {
    /// Columns that formats of training data have for text.
    private static final Set<String> KNOWN = Set.of("text", "content", "messages", "conversations", "conversation", "system",
            "prompt", "completion", "instruction", "input", "output", "question", "answer", "query", "response", "chosen",
            "rejected", "segments", "context", "document");
    private static final List<String> ANSWERS = List.of("completion", "output", "response", "answer", "chosen");
    private static final String TOKENS = "input_ids";
    private static final Set<String> TURNS = Set.of("messages", "conversations", "conversation");
    private static final Set<String> NO_TEXT = Set.of("role", "from", "type", "id", "tool_call_id", "weight", "train");
    private static final Set<String> ASSISTANT = Set.of("assistant", "gpt", "chatgpt", "model", "bot");

    /// The text of a row.
    ///
    /// @param columns that count; when empty, those known to carry text, or else all
    public static RowText of(ObjectNode row, List<String> columns) {
        if (columns.isEmpty() && isTokens(row)) return new RowText(ids(row), "", Optional.empty());
        boolean known = columns.isEmpty() && row.properties().stream().anyMatch(e -> KNOWN.contains(e.getKey()));
        StringBuilder all = new StringBuilder();
        String answer = null;
        StringBuilder prompt = new StringBuilder();
        for (Map.Entry<String, JsonNode> column : row.properties()) {
            String name = column.getKey();
            if (!columns.isEmpty() ? !columns.contains(name) : known && !KNOWN.contains(name)) continue;
            collect(column.getValue(), all);
            if (TURNS.contains(name) || column.getValue().isArray() && ANSWERS.contains(name)) {
                answer = lastAnswer(column.getValue(), prompt);
            } else if (ANSWERS.contains(name)) {
                answer = column.getValue().isTextual() ? column.getValue().textValue()
                        : column.getValue().isNull() ? "" : answer;
            } else if (!name.equals("rejected")) {
                collect(column.getValue(), prompt);
            }
        }
        if (answer == null) prompt.setLength(0);
        return new RowText(all.toString().strip(), prompt.toString().strip(), Optional.ofNullable(answer));
    }

    /// Whether a row has token ids and no text beside them.
    public static boolean isTokens(ObjectNode row) {
        return row.path(TOKENS).isArray() && row.properties().stream().noneMatch(e -> KNOWN.contains(e.getKey()));
    }

    /// The ids as words: equal rows have equal texts, and rows with the same runs of ids similar ones.
    private static String ids(ObjectNode row) {
        StringBuilder ids = new StringBuilder();
        row.get(TOKENS).forEach(id -> ids.append(id.asText()).append(' '));
        return ids.toString().strip();
    }

    /// The content of the last turn when the assistant has it; what is before goes to the prompt.
    private static String lastAnswer(JsonNode turns, StringBuilder prompt) {
        String answer = null;
        for (int i = 0; i < turns.size(); i++) {
            JsonNode turn = turns.get(i);
            String role = turn.path("role").asText(turn.path("from").asText());
            boolean last = i == turns.size() - 1;
            if (last && ASSISTANT.contains(role)) {
                StringBuilder said = new StringBuilder();
                collect(turn.has("content") ? turn.get("content") : turn.path("value"), said);
                boolean calls = turn.path("tool_calls").size() > 0;
                answer = calls ? said + turn.get("tool_calls").toString() : said.toString();
            } else {
                collect(turn, prompt);
            }
        }
        return answer == null && turns.isArray() ? "" : answer;
    }

    private static void collect(JsonNode value, StringBuilder into) {
        if (value.isTextual()) {
            into.append(value.textValue()).append('\n');
        } else if (value.isArray()) {
            value.forEach(inner -> collect(inner, into));
        } else if (value.isObject()) {
            value.forEachEntry((name, inner) -> {
                if (!NO_TEXT.contains(name)) collect(inner, into);
            });
        }
    }

    /// The texts of a row one by one, with `change` put in their place.
    static void replaceTexts(JsonNode value, UnaryOperator<String> change) {
        if (value instanceof ObjectNode object) {
            List<String> names = new ArrayList<>();
            object.fieldNames().forEachRemaining(names::add);
            for (String name : names) {
                JsonNode inner = object.get(name);
                if (!inner.isTextual()) replaceTexts(inner, change);
                else if (!NO_TEXT.contains(name)) object.put(name, change.apply(inner.textValue()));
            }
        } else if (value instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                if (array.get(i).isTextual()) array.set(i, change.apply(array.get(i).textValue()));
                else replaceTexts(array.get(i), change);
            }
        }
    }
}
