package dev.gale.train.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// What stands beside a vocabulary: names of the special tokens, chat templates, and what the tokenizer does otherwise
/// than its own file says.
///
/// @param tokens      text of the special tokens by role, e.g. `eos_token`; roles without a token are absent
/// @param templates   chat templates by name; the usual one is called `default`
/// @param addBosToken `add_bos_token`, if a file says it
/// @param addEosToken `add_eos_token`, if a file says it
/// @param ends        ids at which generation stops, as `generation_config.json`, or else `config.json`, says
/// @param added       tokens beside the vocabulary that files name, in the order of their ids, as `tokenizer.json` has them
record TokenizerConfig(Map<String, String> tokens, Map<String, String> templates, Optional<Boolean> addBosToken,
                       Optional<Boolean> addEosToken, Set<Integer> ends, List<ObjectNode> added) {
    static final List<String> ROLES = List.of("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token",
            "mask_token");
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Reads what the folder has of `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`,
    /// `generation_config.json`, `config.json`, `chat_template.jinja` and `additional_chat_templates/*.jinja`. All of them
    /// may be absent.
    ///
    /// @param vocabulary to find the texts of tokens that a config names by id
    /// @param source     where the vocabulary comes from, whose own special tokens stand in for what no file says
    static TokenizerConfig read(Path folder, TokenizerFile vocabulary, TokenizerSource source) {
        JsonNode config = json(folder.resolve("tokenizer_config.json"));
        JsonNode map = json(folder.resolve("special_tokens_map.json"));
        Map<String, String> tokens = new LinkedHashMap<>();
        for (String role : ROLES) {
            named(config.path(role)).or(() -> named(map.path(role)))
                    .or(() -> Optional.ofNullable(source.tokens().get(role))).ifPresent(text -> tokens.put(role, text));
        }
        for (String role : List.of("bos_token", "eos_token")) {
            if (!tokens.containsKey(role)) byId(folder, role, vocabulary).ifPresent(text -> tokens.put(role, text));
        }
        return new TokenizerConfig(tokens, templates(folder, config.path("chat_template")),
                flag(config, "add_bos_token").or(source::addsBos),
                flag(config, "add_eos_token").or(source::addsEos), ends(folder),
                AddedTokens.read(config, map, json(folder.resolve("added_tokens.json"))));
    }

    /// The value of a yes-or-no option, empty where it is not said.
    static Optional<Boolean> flag(JsonNode config, String name) {
        JsonNode value = config.path(name);
        return value.isBoolean() ? Optional.of(value.booleanValue()) : Optional.empty();
    }

    /// The same with another `eos_token`.
    TokenizerConfig withEosToken(String token) {
        Map<String, String> changed = new LinkedHashMap<>(tokens);
        changed.put("eos_token", token);
        return new TokenizerConfig(changed, templates, addBosToken, addEosToken, ends, added);
    }

    /// The same with this chat template alone.
    TokenizerConfig withChatTemplate(String template) {
        return new TokenizerConfig(tokens, Map.of("default", template), addBosToken, addEosToken, ends, added);
    }

    private static Optional<String> named(JsonNode node) {
        JsonNode text = node.isObject() ? node.path("content") : node;
        return text.isTextual() ? Optional.of(text.textValue()) : Optional.empty();
    }

    private static Optional<String> byId(Path folder, String role, TokenizerFile vocabulary) {
        for (String file : List.of("generation_config.json", "config.json")) {
            JsonNode id = json(folder.resolve(file)).path(role + "_id");
            if (id.isArray()) id = id.path(0);
            if (!id.isInt()) continue;
            int wanted = id.intValue();
            return vocabulary.ids().entrySet().stream().filter(e -> e.getValue() == wanted).map(Map.Entry::getKey)
                    .findFirst();
        }
        return Optional.empty();
    }

    private static Set<Integer> ends(Path folder) {
        Set<Integer> ends = new HashSet<>();
        for (String file : List.of("generation_config.json", "config.json")) {
            JsonNode id = json(folder.resolve(file)).path("eos_token_id");
            if (id.isInt()) ends.add(id.intValue());
            if (id.isArray()) id.forEach(each -> ends.add(each.intValue()));
            if (!ends.isEmpty()) break;
        }
        return ends;
    }

    private static Map<String, String> templates(Path folder, JsonNode node) {
        Map<String, String> templates = new LinkedHashMap<>();
        if (node.isTextual()) templates.put("default", node.textValue());
        if (node.isArray()) {
            node.forEach(entry -> templates.put(entry.path("name").asText(), entry.path("template").asText()));
        }
        if (node.isObject()) node.forEachEntry((name, template) -> templates.put(name, template.asText()));
        Path file = folder.resolve("chat_template.jinja");
        if (Files.isRegularFile(file)) templates.put("default", text(file));
        Path more = folder.resolve("additional_chat_templates");
        if (Files.isDirectory(more)) {
            try (Stream<Path> files = Files.list(more)) {
                files.filter(f -> f.toString().endsWith(".jinja")).sorted().forEach(f ->
                        templates.put(f.getFileName().toString().replaceFirst("\\.jinja$", ""), text(f)));
            } catch (IOException e) {
                throw new InputException("%s cannot be read: %s".formatted(more, e.getMessage()), e);
            }
        }
        return templates;
    }

    /// The content of a JSON file, missing where there is none.
    static JsonNode json(Path file) {
        if (!Files.isRegularFile(file)) return MissingNode.getInstance();
        try {
            return JSON.readTree(text(file));
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not valid JSON: %s; correct it or download it again"
                    .formatted(file, JsonProblem.where(e)), e);
        }
    }

    private static String text(Path file) {
        return TextFile.read(file);
    }
}
