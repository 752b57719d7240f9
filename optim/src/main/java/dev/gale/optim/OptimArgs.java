package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/// Options of one kind of optimizer, `optim_args`: Transformers writes them as text, `rank=64, scale=0.25`.
///
/// @param values numbers, booleans and strings by name
public record OptimArgs(Map<String, Object> values) {
    public static final OptimArgs NONE = new OptimArgs(Map.of());

    private static final String NUMBER = "[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?";

    public OptimArgs {
        values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
    }

    /// Throws: InputException when a part is not `name=value`.
    public static OptimArgs parse(String text) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (String part : text.split(",")) {
            if (part.isBlank()) continue;
            String[] pair = part.split("=", 2);
            if (pair.length < 2 || pair[0].isBlank()) {
                throw new InputException("optim_args must be name=value, name=value, found '" + part.strip() + "'");
            }
            values.put(pair[0].strip(), value(pair[1].strip()));
        }
        return new OptimArgs(values);
    }

    private static Object value(String text) {
        if (text.equalsIgnoreCase("true") || text.equalsIgnoreCase("false")) return Boolean.valueOf(text);
        return text.matches(NUMBER) ? Double.valueOf(text) : text;
    }

    /// As `parse` reads it.
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        values.forEach((name, value) -> text.append(text.isEmpty() ? "" : ", ").append(name).append('=').append(value));
        return text.toString();
    }
}
