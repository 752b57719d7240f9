package dev.gale.nn;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import java.util.List;

/// The language model within one that sees, too: `text_config` of its config.json.
/// Source: Transformers, `models/gemma3/configuration_gemma3.py`, `models/mistral3/configuration_mistral3.py`.
final class HfTextPart {
    private static final String KEY = "text_config";
    private static final List<String> OF_ALL = List.of("dtype", "torch_dtype", "bos_token_id", "eos_token_id", "pad_token_id",
            "initializer_range");
    private static final String TIES = "tie_word_embeddings";

    private HfTextPart() {}

    /// Where config.json has the fields of the language model: in itself, or in a part that changes with what is returned.
    /// Throws: InputException when the part is missing.
    static ObjectNode own(ObjectNode json, Family family, String place) {
        if (!family.isPart()) return json;
        if (json.get(KEY) instanceof ObjectNode part) return part;
        throw new InputException("%s: the required field '%s' is missing".formatted(place, KEY));
    }

    /// A copy of the language model's fields, with those that the file has for all parts, and the defaults of Transformers.
    static ObjectNode read(ObjectNode json, Family family, String place) {
        ObjectNode text = own(json, family, place).deepCopy();
        for (String name : OF_ALL) {
            JsonNode value = json.get(name);
            if (value != null && !text.hasNonNull(name)) text.set(name, value);
        }
        if (json.hasNonNull(TIES)) text.set(TIES, json.get(TIES));       // of the model that has the head
        if (family.text() == Family.GEMMA3) {
            putIfAbsent(text, "vocab_size", 262_208);
            putIfAbsent(text, "hidden_size", 2304);
            putIfAbsent(text, "intermediate_size", 9216);
            putIfAbsent(text, "num_hidden_layers", 26);
            putIfAbsent(text, "num_attention_heads", 8);
            putIfAbsent(text, "num_key_value_heads", 4);
            putIfAbsent(text, "max_position_embeddings", 131_072);
        }
        return text;
    }

    private static void putIfAbsent(ObjectNode json, String name, int value) {
        if (!json.hasNonNull(name)) json.put(name, value);
    }
}
