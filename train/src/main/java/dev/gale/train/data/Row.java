package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.util.Map;

/// A row of a dataset: values by column as JSON has them (text, numbers, booleans, null, lists, maps).
///
/// @param values values by column, in the order of the file
/// @param place  where it stands, for messages, e.g. `data.jsonl, line 7`
public record Row(Map<String, Object> values, String place) {

    /// Throws InputException that lists the columns present when the row does not have this one.
    public Object require(String column) {
        if (!values.containsKey(column)) {
            throw new InputException("%s has no column '%s'; it has: %s"
                    .formatted(place, column, String.join(", ", values.keySet())));
        }
        return values.get(column);
    }

    /// The text of a column; a number or a boolean as JSON writes it, null as "".
    ///
    /// Throws InputException when the column is missing or holds a list or an object.
    public String text(String column) {
        Object value = require(column);
        return switch (value) {
            case null -> "";
            case String text -> text;
            case Number number -> number.toString();
            case Boolean truth -> truth.toString();
            default -> throw new InputException("%s: column '%s' holds %s where text is expected"
                    .formatted(place, column, value instanceof Map ? "an object" : "a list"));
        };
    }
}
