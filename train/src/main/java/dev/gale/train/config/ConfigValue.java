package dev.gale.train.config;

import dev.gale.tensor.InputException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A value of a configuration and where it stands, so that complaints can name the place.
///
/// @param value null, Boolean, Long, Double, String, a list of ConfigValue or a map from String to ConfigValue
/// @param place e.g. `config.yaml, line 7`
record ConfigValue(Object value, String place) {

    /// Throws: InputException when this is not a section of keys.
    @SuppressWarnings("unchecked")
    Map<String, ConfigValue> section(String key) {
        if (value instanceof Map<?, ?>) return (Map<String, ConfigValue>) value;
        throw wrong(key, "a section of keys");
    }

    /// A single value counts as a list of one.
    @SuppressWarnings("unchecked")
    List<ConfigValue> list() {
        return value instanceof List<?> ? (List<ConfigValue>) value : List.of(this);
    }

    InputException wrong(String key, String expected) {
        return new InputException("%s: %s must be %s, found %s".formatted(place, key, expected, describe()));
    }

    private String describe() {
        return switch (value) {
            case null -> "nothing";
            case String text -> "'" + text + "'";
            case List<?> list -> "a list";
            case Map<?, ?> map -> "a section";
            default -> value.toString();
        };
    }

    /// The value without places: lists and maps of plain values.
    Object plain() {
        return switch (value) {
            case List<?> list -> list().stream().map(ConfigValue::plain).toList();
            case Map<?, ?> map -> {
                Map<String, Object> plain = new LinkedHashMap<>();
                section("").forEach((key, inner) -> plain.put(key, inner.plain()));
                yield plain;
            }
            case null, default -> value;
        };
    }
}
