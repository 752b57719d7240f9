package dev.gale.train.tokenizer;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Small UTF-8 files, read whole.
final class TextFile {
    private TextFile() {}

    /// Text of the file without a byte order mark.
    static String read(Path file) {
        try {
            String text = Files.readString(file);
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (CharacterCodingException e) {
            throw new InputException("%s is not UTF-8 text; save it as UTF-8 or download it again".formatted(file), e);
        } catch (IOException e) {
            throw new InputException("%s cannot be read (%s)".formatted(file, e), e);
        }
    }
}
