package dev.gale.train.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/// The files that make a tokenizer in a Hugging Face folder.
public final class TokenizerFiles {
    private static final List<String> NAMES = List.of("tokenizer.json", "tokenizer_config.json",
            "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "tokenizer.model", "vocab.json",
            "merges.txt");

    private TokenizerFiles() {}

    /// Copies those that are there, over what the target has.
    public static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to);
        if (Files.isSameFile(from, to)) return;
        for (String name : NAMES) {
            Path source = from.resolve(name);
            if (Files.exists(source)) Files.copy(source, to.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
