package dev.gale.train.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// Tokens that files beside a vocabulary name: `added_tokens_decoder` and `additional_special_tokens` of
/// `tokenizer_config.json`, the latter also of `special_tokens_map.json`, and the older `added_tokens.json`.
///
/// Source: `_from_pretrained` of `PreTrainedTokenizerBase` in huggingface/transformers.
final class AddedTokens {
    private static final Pattern ID = Pattern.compile("\\d{1,9}");
    private static final List<String> SPECIAL = List.of("additional_special_tokens", "extra_special_tokens");

    private AddedTokens() {}

    /// As entries of `tokenizer.json`; those with an id first, in its order, the others with id -1.
    ///
    /// @param config `tokenizer_config.json`
    /// @param map    `special_tokens_map.json`
    /// @param ids    `added_tokens.json`
    static List<ObjectNode> read(JsonNode config, JsonNode map, JsonNode ids) {
        Map<Integer, ObjectNode> byId = new TreeMap<>();
        ids.forEachEntry((text, id) -> {
            if (id.isInt()) byId.put(id.intValue(), TokenizerFile.addedToken(id.intValue(), text, false, false));
        });
        config.path("added_tokens_decoder").forEachEntry((id, token) -> {
            if (ID.matcher(id).matches() && token.path("content").isTextual()) {
                byId.put(Integer.parseInt(id), entry(Integer.parseInt(id), token));
            }
        });
        Map<String, ObjectNode> all = new LinkedHashMap<>();
        byId.values().forEach(token -> all.put(token.get("content").textValue(), token));
        for (JsonNode file : List.of(config, map)) {
            for (String name : SPECIAL) {
                if (!file.path(name).isArray()) continue;
                for (JsonNode token : file.path(name)) addSpecial(token, all);
            }
        }
        return List.copyOf(all.values());
    }

    private static void addSpecial(JsonNode token, Map<String, ObjectNode> all) {
        String text = token.isObject() ? token.path("content").textValue() : token.textValue();
        if (text == null) return;
        ObjectNode known = all.get(text);
        if (known != null) known.put("special", true);
        else all.put(text, TokenizerFile.addedToken(-1, text, true, false));
    }

    private static ObjectNode entry(int id, JsonNode token) {
        boolean special = token.path("special").asBoolean();
        ObjectNode entry = TokenizerFile.addedToken(id, token.get("content").textValue(), special,
                token.path("normalized").asBoolean(!special));
        for (String name : List.of("single_word", "lstrip", "rstrip")) entry.put(name, token.path(name).asBoolean());
        return entry;
    }
}
