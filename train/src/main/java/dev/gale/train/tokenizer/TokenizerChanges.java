package dev.gale.train.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.AtomicFile;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// What a tokenizer has beside its files.
///
/// @param tokens       added tokens
/// @param special      added special tokens
/// @param eosToken     in place of the files' `eos_token`
/// @param chatTemplate in place of the files' templates
record TokenizerChanges(List<String> tokens, List<String> special, Optional<String> eosToken, Optional<String> chatTemplate) {
    static final TokenizerChanges NONE = new TokenizerChanges(List.of(), List.of(), Optional.empty(), Optional.empty());
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONFIG = "tokenizer_config.json";
    private static final String TEMPLATE = "chat_template.jinja";

    TokenizerChanges withTokens(List<String> moreTokens, List<String> moreSpecial) {
        for (String token : joined(moreTokens, moreSpecial)) {
            if (token.isBlank()) throw new InputException("a token to add is blank; leave it out");
        }
        return new TokenizerChanges(joined(tokens, moreTokens), joined(special, moreSpecial), eosToken, chatTemplate);
    }

    private static List<String> joined(List<String> first, List<String> second) {
        return Stream.concat(first.stream(), second.stream()).distinct().toList();
    }

    TokenizerChanges withChatTemplate(String template) {
        return new TokenizerChanges(tokens, special, eosToken, Optional.of(template));
    }

    TokenizerChanges withEosToken(String token) {
        return new TokenizerChanges(tokens, special, Optional.of(token), chatTemplate);
    }

    TokenizerConfig addTo(TokenizerConfig config) {
        TokenizerConfig ending = eosToken.map(config::withEosToken).orElse(config);
        return chatTemplate.map(ending::withChatTemplate).orElse(ending);
    }

    /// A `tokenizer.json` with these tokens in it; as it was when it has them.
    String addTo(String json) throws IOException {
        TokenizerFile file = TokenizerFile.parse(json);
        Set<String> known = new HashSet<>(file.ids().keySet());
        List<ObjectNode> missing = new ArrayList<>();
        int next = file.size();
        for (List<String> kind : List.of(tokens, special)) {
            for (String token : kind) {
                if (!known.add(token)) continue;
                missing.add(TokenizerFile.addedToken(next++, token, kind == special, false));
            }
        }
        if (missing.isEmpty()) return json;
        ObjectNode root = (ObjectNode) JSON.readTree(json);
        ArrayNode list = root.withArray("added_tokens");
        missing.forEach(list::add);
        return root.toString();
    }

    /// Writes what the folder's files lack: a `tokenizer.json`, of whose tokens `tokenizer_config.json` has a list, too, and
    /// a `chat_template.jinja` instead of every other template.
    ///
    /// @param json the `tokenizer.json`
    void write(Path folder, String json) throws IOException {
        if (equals(NONE)) return;
        ObjectNode config = TokenizerConfig.json(folder.resolve(CONFIG)) instanceof ObjectNode known ? known
                : JSON.createObjectNode();
        if (!tokens.isEmpty() || !special.isEmpty()) {
            AtomicFile.write(folder.resolve("tokenizer.json"), json);
            list(JSON.readTree(json).path("added_tokens"), config);
        }
        if (chatTemplate.isPresent()) {
            AtomicFile.write(folder.resolve(TEMPLATE), chatTemplate.get());
            config.remove("chat_template");
            removeTemplates(folder.resolve("additional_chat_templates"));
        }
        eosToken.ifPresent(token -> config.put("eos_token", token));
        AtomicFile.write(folder.resolve(CONFIG), config.toPrettyString() + "\n");
    }

    private static void list(JsonNode added, ObjectNode config) {
        if (!(config.get("added_tokens_decoder") instanceof ObjectNode decoder)) return;
        for (JsonNode token : added) {
            ObjectNode entry = token.deepCopy();
            entry.remove("id");
            decoder.set(token.get("id").asText(), entry);
        }
    }

    private static void removeTemplates(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) return;
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".jinja")).toList()) Files.delete(file);
        }
    }
}
