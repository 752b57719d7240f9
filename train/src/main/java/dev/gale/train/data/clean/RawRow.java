package dev.gale.train.data.clean;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/// A row as it stands in its file, not yet parsed.
///
/// @param file it is of
/// @param line where it begins, from 1
/// @param json UTF-8
public record RawRow(Path file, long line, byte[] json) {
    /// Numbers stay as they are written: rows are copied, not computed with.
    private static final ObjectReader READER = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS, DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES).build().readerFor(JsonNode.class);

    /// Where the row stands, for messages.
    public String place() {
        return "%s, line %d".formatted(file, line);
    }

    /// Values by column, in the order of the file.
    ///
    /// Throws InputException when the row is no JSON object in UTF-8.
    public ObjectNode values() {
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json)).toString();
            if (READER.readTree(text) instanceof ObjectNode values) return values;
            throw new InputException(place() + " is not a JSON object with a value per column; correct or remove it");
        } catch (CharacterCodingException e) {
            throw new InputException(place() + " is not UTF-8 text; save the file as UTF-8", e);
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not valid JSON (%s); correct or remove it".formatted(place(), JsonProblem.of(e)), e);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
