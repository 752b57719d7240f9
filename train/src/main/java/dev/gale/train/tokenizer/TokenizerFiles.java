package dev.gale.train.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.stream.Stream;

/// The files that make a tokenizer in a Hugging Face folder.
public final class TokenizerFiles {
    private static final List<String> NAMES = List.of("tokenizer.json", "tokenizer_config.json",
            "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "tokenizer.model", "vocab.json",
            "merges.txt");

    private TokenizerFiles() {}

    /// Copies those that are there, over what the target has.
    ///
    /// @param source folder of the tokenizer, or its `tokenizer.json`, which may have another name
    /// @param to     folder, made when it is not there
    public static void copy(Path source, Path to) throws IOException {
        boolean folder = Files.isDirectory(source);
        Path from = folder ? source : source.toAbsolutePath().getParent();
        Files.createDirectories(to);
        for (String name : NAMES) {
            copyFile(folder || !name.equals("tokenizer.json") ? from.resolve(name) : source, to.resolve(name));
        }
    }

    /// Those that are there.
    ///
    /// @param source folder of the tokenizer, or one of its files
    public static List<Path> of(Path source) {
        Path folder = Files.isDirectory(source) ? source : source.toAbsolutePath().getParent();
        Stream<Path> named = NAMES.stream().map(folder::resolve);
        Stream<Path> all = Files.isDirectory(source) ? named : Stream.concat(Stream.of(source.toAbsolutePath()), named);
        return all.filter(Files::isRegularFile).distinct().toList();
    }

    private static void copyFile(Path source, Path target) throws IOException {
        if (!Files.exists(source) || Files.exists(target) && Files.isSameFile(source, target)) return;
        Files.copy(source, target, StandardCopyOption.REPLACE_EXISTING);
    }
}
