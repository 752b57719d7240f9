package dev.gale.train.data;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/// Chat templates for models that bring none, by the name of the format. Each marks what the assistant says, its end of turn
/// included, with `{% generation %}`.
///
/// Source: the formats as the model cards of their first models describe them.
final class NamedTemplates {
    static final List<String> NAMES = List.of("alpaca", "chatml", "gemma", "llama-3", "llama-3.1", "mistral", "phi-3", "phi-4",
            "qwen-2.5", "qwen-3", "vicuna", "zephyr");

    private NamedTemplates() {}

    /// The template of that name, if there is one.
    static Optional<String> source(String name) {
        if (!NAMES.contains(name)) return Optional.empty();
        try (InputStream in = NamedTemplates.class.getResourceAsStream("templates/" + name + ".jinja")) {
            return Optional.of(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
