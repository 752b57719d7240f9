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

    private static final String TEMPLATES = "additional_chat_templates";

    private TokenizerFiles() {}

    /// Copies those that are there, over what the target has.
    ///
    /// @param source folder of the tokenizer, or the file of its vocabulary, which may have another name
    /// @param to     folder, made when it is not there
    public static void copy(Path source, Path to) throws IOException {
        boolean folder = Files.isDirectory(source);
        Path from = folder ? source : source.toAbsolutePath().getParent();
        Files.createDirectories(to);
        String given = folder ? "" : usualName(source);
        for (String name : NAMES) {
            copyFile(name.equals(given) ? source : from.resolve(name), to.resolve(name));
        }
        Path templates = from.resolve(TEMPLATES);
        if (!Files.isDirectory(templates)) return;
        Files.createDirectories(to.resolve(TEMPLATES));
        try (Stream<Path> files = Files.list(templates)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".jinja")).toList()) {
                copyFile(file, to.resolve(TEMPLATES).resolve(file.getFileName()));
            }
        }
    }

    private static String usualName(Path vocabulary) {
        String name = vocabulary.getFileName().toString();
        return name.equals("vocab.json") ? name : name.endsWith(".model") ? "tokenizer.model" : "tokenizer.json";
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
