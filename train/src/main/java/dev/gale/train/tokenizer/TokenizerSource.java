package dev.gale.train.tokenizer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// The file that a tokenizer comes from, as a `tokenizer.json`.
///
/// @param file    the file
/// @param json    text of the `tokenizer.json`
/// @param tokens  special tokens by role that the file itself names
/// @param made    whether it was made from other files, which do not say what a text begins and ends with
/// @param addsBos whether a text begins with `bos_token`, where no config says so
/// @param addsEos whether it ends with `eos_token`, where no config says so
record TokenizerSource(Path file, String json, Map<String, String> tokens, boolean made, Optional<Boolean> addsBos,
                       Optional<Boolean> addsEos) {
    private static final String JSON_FILE = "tokenizer.json";

    /// Finds and reads the tokenizer of a folder, or the one that a file is.
    ///
    /// Throws InputException when there is none or it is malformed.
    static TokenizerSource find(Path folderOrFile) {
        if (!Files.isDirectory(folderOrFile)) return read(folderOrFile);
        for (String name : new String[] {JSON_FILE, "tokenizer.model", "vocab.json"}) {
            Path file = folderOrFile.resolve(name);
            boolean whole = !name.equals("vocab.json") || Files.exists(folderOrFile.resolve("merges.txt"));
            if (Files.isRegularFile(file) && whole) return read(file);
        }
        return read(folderOrFile.resolve(JSON_FILE));
    }

    private static TokenizerSource read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new InputException(("%s does not exist; point to a folder with a tokenizer.json, a tokenizer.model, or a "
                    + "vocab.json with its merges.txt").formatted(file));
        }
        JsonNode config = TokenizerConfig.json(file.toAbsolutePath().resolveSibling("tokenizer_config.json"));
        String name = file.getFileName().toString();
        if (name.endsWith(".model")) return sentencePiece(file, config);
        if (name.equals("vocab.json")) return byteLevel(file, config);
        return new TokenizerSource(file, TextFile.read(file), Map.of(), false, Optional.empty(), Optional.empty());
    }

    private static Optional<String> tokenizerClass(JsonNode config) {
        return Optional.ofNullable(config.path("tokenizer_class").textValue());
    }

    private static TokenizerSource sentencePiece(Path file, JsonNode config) {
        try {
            SentencePieceModel model = SentencePieceModel.parse(Files.readAllBytes(file));
            boolean prefix = TokenizerConfig.flag(config, "add_prefix_space").orElse(model.addDummyPrefix());
            boolean legacy = TokenizerConfig.flag(config, "legacy").orElse(true);
            Map<String, String> tokens = new HashMap<>();
            model.bos().ifPresent(text -> tokens.put("bos_token", text));
            model.eos().ifPresent(text -> tokens.put("eos_token", text));
            model.pad().ifPresent(text -> tokens.put("pad_token", text));
            tokens.put("unk_token", model.pieces().get(model.unknown()).text());
            boolean endsOnly = tokenizerClass(config).filter(name -> name.startsWith("T5")).isPresent();
            return new TokenizerSource(file, SentencePieceTokenizer.json(model, prefix, legacy), tokens, true,
                    Optional.of(!endsOnly && model.bos().isPresent()), Optional.of(endsOnly));
        } catch (IOException e) {
            throw new InputException(("%s is not a SentencePiece model that Gale can use: %s; download it again or give a "
                    + "tokenizer.json").formatted(file, e.getMessage()), e);
        }
    }

    private static TokenizerSource byteLevel(Path file, JsonNode config) {
        boolean prefix = TokenizerConfig.flag(config, "add_prefix_space").orElse(false);
        String json = ByteLevelTokenizer.json(file, file.toAbsolutePath().resolveSibling("merges.txt"), tokenizerClass(config),
                prefix);
        boolean end = json.contains("\"<|endoftext|>\"");
        Map<String, String> tokens = end ? Map.of("bos_token", "<|endoftext|>", "eos_token", "<|endoftext|>", "unk_token",
                "<|endoftext|>") : Map.of();
        return new TokenizerSource(file, json, tokens, true, Optional.empty(), Optional.empty());
    }
}
