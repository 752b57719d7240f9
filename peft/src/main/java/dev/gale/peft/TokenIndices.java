package dev.gale.peft;

import dev.gale.tensor.InputException;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Tokens whose rows are trained, as PEFT writes them: a list, which means those of the embedding, or lists by module.
///
/// @param ofEmbedding token ids; empty when modules are named
/// @param byModule    token ids by the end of a module's path, e.g. `lm_head`; empty when a list is given
public record TokenIndices(List<Integer> ofEmbedding, Map<String, List<Integer>> byModule) {
    /// No token at all.
    public static final TokenIndices NONE = new TokenIndices(List.of(), Map.of());

    /// Throws: InputException when a list is empty, or has a token twice.
    public TokenIndices {
        ofEmbedding = List.copyOf(ofEmbedding);
        Map<String, List<Integer>> copies = new LinkedHashMap<>();
        byModule.forEach((module, ids) -> copies.put(module, List.copyOf(ids)));
        byModule = Collections.unmodifiableMap(copies);
        requireDifferent(ofEmbedding);
        byModule.forEach((module, ids) -> {
            if (ids.isEmpty()) {
                throw new InputException("LoRA: trainable_token_indices of %s has no token; leave it out".formatted(module));
            }
            requireDifferent(ids);
        });
    }

    /// Rows of the embedding, and of the head tied to it.
    public static TokenIndices of(Integer... ids) {
        return new TokenIndices(List.of(ids), Map.of());
    }

    private static void requireDifferent(List<Integer> ids) {
        HashSet<Integer> seen = new HashSet<>();
        for (int id : ids) {
            if (id < 0) throw new InputException("LoRA: trainable_token_indices must be ids of tokens, got " + id);
            if (!seen.add(id)) throw new InputException("LoRA: trainable_token_indices has token %d twice".formatted(id));
        }
    }

    /// Whether no token is trained.
    public boolean isEmpty() {
        return ofEmbedding.isEmpty() && byModule.isEmpty();
    }

    /// Those of a module; empty for none.
    ///
    /// @param path  the module's, e.g. `model.embed_tokens`
    /// @param embeds whether it is the embedding
    List<Integer> of(String path, boolean embeds) {
        if (embeds && !ofEmbedding.isEmpty()) return ofEmbedding;
        return byModule.entrySet().stream().filter(entry -> path.endsWith(entry.getKey())).map(Map.Entry::getValue)
                .findFirst().orElse(List.of());
    }
}
