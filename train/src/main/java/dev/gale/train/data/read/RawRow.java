package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;

/// A row as JSON text that is not yet parsed: of JSON lines the line itself, whatever it holds.
///
/// @param place where it stands, for messages, e.g. `data.jsonl, line 7`
/// @param line  line in which it begins, from 1; its number among all rows where they are in several files
/// @param json  UTF-8
public record RawRow(String place, long line, byte[] json) {
    /// Numbers stay as they are written: rows are copied, not computed with.
    static final ObjectReader TREE = JsonText.MAPPER.readerFor(JsonNode.class)
            .with(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS).without(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES);
    private static final ObjectReader WHOLE = TREE.with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    /// A row of a file that is no JSON.
    static RawRow of(Row row, long line) {
        return new RawRow(row.place(), line, json(row.values()));
    }

    static byte[] json(Object value) {
        try {
            return JsonText.MAPPER.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Values by column, in the order of the file.
    ///
    /// Throws InputException when the row is no JSON object.
    public ObjectNode values() {
        try {
            if (WHOLE.readTree(json) instanceof ObjectNode values) return values;
            throw new InputException(place + " is not a JSON object with a value per column; correct or remove it");
        } catch (JsonProcessingException e) {
            throw new InputException("%s is not valid JSON (%s); correct or remove it".formatted(place, JsonText.problem(e)),
                    e);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
