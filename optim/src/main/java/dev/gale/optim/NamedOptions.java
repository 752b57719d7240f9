package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.List;
import java.util.Map;

/// Options of one schedule or optimizer, read by type.
///
/// @param owner its name, for error messages
/// @param key   of the configuration under which they stand, e.g. `lr_scheduler_kwargs`
/// @param known the options it takes
/// @param given what a person wrote
record NamedOptions(String owner, String key, List<String> known, Map<String, ?> given) {
    NamedOptions {
        for (String name : given.keySet()) {
            if (known.contains(name)) continue;
            if (known.isEmpty()) {
                throw new InputException("%s takes no %s, but '%s' is given".formatted(owner, key, name));
            }
            throw InputException.unknown("%s option in %s".formatted(owner, key), name, known);
        }
    }

    boolean has(String name) {
        return given.get(name) != null;
    }

    double number(String name, double fallback) {
        Object value = given.get(name);
        if (value == null) return fallback;
        if (value instanceof Number number && Double.isFinite(number.doubleValue())) return number.doubleValue();
        throw wrong(name, "a number", value);
    }

    /// A whole number, 0 or more.
    long count(String name, long fallback) {
        double value = number(name, fallback);
        if (value >= 0 && value == Math.rint(value)) return (long) value;
        throw wrong(name, "a whole number, 0 or more", given.get(name));
    }

    boolean flag(String name, boolean fallback) {
        Object value = given.get(name);
        if (value == null) return fallback;
        if (value instanceof Boolean flag) return flag;
        throw wrong(name, "true or false", value);
    }

    String choice(String name, String fallback, List<String> choices) {
        Object value = given.get(name);
        if (value == null) return fallback;
        if (value instanceof String text && choices.contains(text)) return text;
        throw wrong(name, "one of " + String.join(", ", choices), value);
    }

    private InputException wrong(String name, String expected, Object value) {
        return new InputException("%s: %s must be %s, got %s".formatted(owner, name, expected, value));
    }
}
