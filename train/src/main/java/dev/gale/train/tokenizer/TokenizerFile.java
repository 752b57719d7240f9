package dev.gale.train.tokenizer;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// What Gale itself reads of a `tokenizer.json`: the vocabulary, the added tokens and the normalizer. Encoding and
/// decoding are the library's business.
///
/// @param ids        id of every token, added ones included
/// @param added      entries of `added_tokens` in the order of the file
/// @param normalizer    the `normalizer` node, null or JSON null without one
/// @param postProcessor the `post_processor` node, null or JSON null without one
record TokenizerFile(Map<String, Integer> ids, List<AddedToken> added, JsonNode normalizer, JsonNode postProcessor) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// An entry of `added_tokens`.
    ///
    /// @param id         its id
    /// @param content    its text
    /// @param special    dropped by a decoding without special tokens
    /// @param normalized matched in the normalized text rather than in the text as given
    record AddedToken(int id, String content, boolean special, boolean normalized) {}

    /// The entry of a token.
    static ObjectNode addedToken(int id, String content, boolean special, boolean normalized) {
        return JSON.createObjectNode().put("id", id).put("content", content).put("single_word", false).put("lstrip", false)
                .put("rstrip", false).put("normalized", normalized).put("special", special);
    }

    /// Reads the text of a `tokenizer.json`.
    ///
    /// Throws IOException when it is not JSON or not a tokenizer.
    static TokenizerFile parse(String json) throws IOException {
        Map<String, Integer> ids = new HashMap<>();
        List<AddedToken> added = new ArrayList<>();
        JsonNode normalizer = null;
        JsonNode postProcessor = null;
        boolean model = false;
        try (JsonParser parser = JSON.createParser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) throw new IOException("it is not a JSON object");
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String field = parser.currentName();
                parser.nextToken();
                switch (field) {
                    case "added_tokens" -> readAdded(parser.readValueAsTree(), added);
                    case "normalizer" -> normalizer = parser.readValueAsTree();
                    case "post_processor" -> postProcessor = parser.readValueAsTree();
                    case "model" -> model = readModel(parser, ids);
                    default -> parser.skipChildren();
                }
            }
        }
        if (!model) throw new IOException("it has no \"model\" with a \"vocab\"");
        added.forEach(token -> ids.put(token.content(), token.id()));
        return new TokenizerFile(ids, List.copyOf(added), normalizer, postProcessor);
    }

    /// Smallest vocabulary size that holds every id.
    int size() {
        return 1 + ids.values().stream().mapToInt(Integer::intValue).max().orElse(-1);
    }

    private static void readAdded(JsonNode array, List<AddedToken> added) throws IOException {
        for (JsonNode node : array) {
            if (!node.path("id").isInt() || !node.path("content").isTextual()) {
                throw new IOException("an entry of \"added_tokens\" has no \"id\" or \"content\"");
            }
            added.add(new AddedToken(node.get("id").intValue(), node.get("content").textValue(),
                    node.path("special").asBoolean(), node.path("normalized").asBoolean()));
        }
    }

    /// Walks the model without building a tree of its merges, which may be some hundred thousand.
    private static boolean readModel(JsonParser parser, Map<String, Integer> ids) throws IOException {
        boolean vocabulary = false;
        if (parser.currentToken() != JsonToken.START_OBJECT) throw new IOException("\"model\" is not an object");
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            boolean vocab = parser.currentName().equals("vocab");
            JsonToken value = parser.nextToken();
            if (vocab && value == JsonToken.START_OBJECT) {
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String token = parser.currentName();
                    ids.put(token, parser.nextIntValue(-1));
                }
                vocabulary = true;
            } else if (vocab && value == JsonToken.START_ARRAY) {
                for (int id = 0; parser.nextToken() == JsonToken.START_ARRAY; id++) {
                    ids.put(parser.nextTextValue(), id);
                    while (parser.nextToken() != JsonToken.END_ARRAY) parser.skipChildren();
                }
                vocabulary = true;
            } else {
                parser.skipChildren();
            }
        }
        return vocabulary;
    }

    /// A tokenizer whose byte tokens spell the normalized form of what it encodes: the file's normalizer before a
    /// model that knows nothing but bytes.
    String normalizerProbe() {
        ObjectNode root = JSON.createObjectNode();
        root.put("version", "1.0");
        root.putArray("added_tokens");
        root.set("normalizer", normalizer);
        ObjectNode model = root.putObject("model");
        model.put("type", "BPE").put("unk_token", "<unk>").put("byte_fallback", true);
        ObjectNode vocab = model.putObject("vocab");
        for (int b = 0; b < 256; b++) vocab.put("<0x%02X>".formatted(b), b);
        vocab.put("<unk>", 256);
        model.putArray("merges");
        return root.toString();
    }

    /// The tokenizer of `json` with other texts for some of its added tokens, which are ordinary tokens then.
    static String rename(String json, Map<String, String> texts) throws IOException {
        ObjectNode root = (ObjectNode) JSON.readTree(json);
        for (JsonNode token : root.withArray("added_tokens")) {
            String text = texts.get(token.path("content").textValue());
            if (text != null) ((ObjectNode) token).put("content", text).put("special", false).put("normalized", false);
        }
        ObjectNode model = (ObjectNode) root.get("model");
        if (model.get("vocab") instanceof ObjectNode vocab) {
            texts.forEach((from, to) -> {
                JsonNode id = vocab.remove(from);
                if (id != null) vocab.set(to, id);
            });
        } else if (model.get("vocab") instanceof ArrayNode vocab) {
            for (JsonNode entry : vocab) {
                String text = texts.get(entry.path(0).textValue());
                if (text != null) ((ArrayNode) entry).set(0, text);
            }
        }
        String unknown = texts.get(model.path("unk_token").textValue());
        if (unknown != null) model.put("unk_token", unknown);
        return root.toString();
    }
}
