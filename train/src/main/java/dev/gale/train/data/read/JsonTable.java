package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/// Tells the ways in which JSON holds rows: an array of objects, lines with an object each, or objects over several lines.
/// The first character tells an array; a first line that ends inside of an object, which then goes on, tells the last.
final class JsonTable {
    private JsonTable() {}

    static TableReader open(DataFile file) throws IOException {
        if (firstCharacter(file) == '[') return new JsonValues(file, true);
        return goesOverLines(file) ? new JsonValues(file, false) : new JsonLines(file);
    }

    private static int firstCharacter(DataFile file) throws IOException {
        try (TextBytes in = file.text()) {
            int next = in.read();
            while (next >= 0 && Character.isWhitespace(next)) next = in.read();
            return next;
        }
    }

    private static boolean goesOverLines(DataFile file) throws IOException {
        try (TextBytes in = file.text()) {
            TextLines lines = new TextLines(in, file.toString());
            boolean any = lines.advance();
            while (any && lines.isBlank()) any = lines.advance();
            if (!any) return false;
            JsonText.VALUE.readValue(lines.bytes(), 0, lines.length());
            return false;
        } catch (JsonEOFException e) {
            try (JsonValues values = new JsonValues(file, false)) {
                return values.next() != null;
            } catch (InputException notEither) {
                return false;
            }
        } catch (JsonProcessingException e) {
            return false;
        }
    }

    /// Throws InputException when the value is no object.
    static Row row(Object value, DataFile file, long line) {
        String place = "%s, line %d".formatted(file, line);
        if (!(value instanceof Map<?, ?> columns)) {
            throw new InputException(place + " is not a JSON object with a value per column; correct or remove it");
        }
        Map<String, Object> values = LinkedHashMap.newLinkedHashMap(columns.size());
        columns.forEach((column, content) -> values.put(String.valueOf(column), content));
        return new Row(values, place);
    }
}
