package dev.gale.train.testing;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Objects;

/// Files of the test resources.
public final class TestFiles {
    private TestFiles() {}

    /// The path of a test resource, e.g. `fixtures/tokenizers/llama2.tokenizer.json`.
    public static Path resource(String name) {
        try {
            return Path.of(Objects.requireNonNull(TestFiles.class.getResource("/" + name), name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(name, e);
        }
    }

    /// One of the small tokenizers: `llama2`, `llama3`, `qwen2`, `gpt2`, `gemma` or `unigram`.
    public static Path tokenizer(String kind) {
        return resource("fixtures/tokenizers/" + kind + ".tokenizer.json");
    }
}
