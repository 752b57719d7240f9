package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What a row has for the chat template beside its messages: `tools`, `documents`, and in `chat_template_kwargs` variables of
/// the template by name. Each may be the JSON text of it.
final class TemplateColumns {
    private static final String KWARGS = "chat_template_kwargs";
    private static final String DOCUMENTS = "documents";
    /// What Transformers' `apply_chat_template` takes for itself, or gets from elsewhere.
    private static final Set<String> NO_VARIABLES = Set.of("conversation", "messages", "tools", "chat_template",
            "add_generation_prompt", "continue_final_message", "tokenize", "padding", "truncation", "max_length",
            "return_tensors", "return_dict", "return_assistant_tokens_mask", "tokenizer_kwargs");

    private TemplateColumns() {}

    /// Descriptions of tools, null without any.
    ///
    /// Throws InputException when they are no list.
    static Object tools(Row row) {
        return list(row, "tools", "a list of descriptions of tools");
    }

    /// Variables for the template; documents are one of them.
    ///
    /// Throws InputException when a column holds something else than it should.
    static Map<String, Object> variables(Row row) {
        Map<String, Object> variables = new LinkedHashMap<>();
        Object given = Conversations.json(row, KWARGS);
        if (given != null && !(given instanceof Map)) throw wrong(row, KWARGS, "an object with variables of the chat template");
        if (given instanceof Map<?, ?> map) map.forEach((name, value) -> variables.put(String.valueOf(name), value));
        variables.keySet().stream().filter(NO_VARIABLES::contains).findFirst().ifPresent(name -> {
            throw new InputException("%s: column '%s' has '%s', which is no variable of a chat template; leave it out"
                    .formatted(row.place(), KWARGS, name));
        });
        List<?> documents = documents(row);
        if (documents != null && variables.put(DOCUMENTS, documents) != null) {
            throw new InputException("%s has documents in a column and in '%s'; leave one of them out"
                    .formatted(row.place(), KWARGS));
        }
        return variables;
    }

    private static List<?> documents(Row row) {
        List<?> documents = list(row, DOCUMENTS, "a list of {title, text}");
        for (int i = 0; documents != null && i < documents.size(); i++) {
            boolean right = documents.get(i) instanceof Map<?, ?> map && map.get("text") instanceof String
                    && (!map.containsKey("title") || map.get("title") instanceof String);
            if (right) continue;
            throw new InputException("%s: document %d in '%s' is not an object with a text, and perhaps a title, that are text"
                    .formatted(row.place(), i + 1, DOCUMENTS));
        }
        return documents;
    }

    private static List<?> list(Row row, String column, String expected) {
        Object value = Conversations.json(row, column);
        if (value == null || value instanceof List<?> list && list.isEmpty()) return null;
        if (value instanceof List<?> list) return list;
        throw wrong(row, column, expected);
    }

    private static InputException wrong(Row row, String column, String expected) {
        return new InputException("%s: column '%s' must be %s; correct it or leave it out"
                .formatted(row.place(), column, expected));
    }
}
