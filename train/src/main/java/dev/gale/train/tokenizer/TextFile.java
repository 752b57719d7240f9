package dev.gale.train.tokenizer;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Small UTF-8 files, read whole, and sentences about what is wrong with them.
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

    /// What the JSON parser says and where, on one line.
    static String where(JsonProcessingException e) {
        String message = e.getOriginalMessage().lines().findFirst().orElse("malformed");
        return e.getLocation() == null ? message : "line %d, column %d: %s"
                .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr(), message);
    }
}
