package dev.gale.nn;

import com.fasterxml.jackson.core.JsonProcessingException;

/// What a JSON parser complains about, in words for people.
public final class JsonProblem {
    private JsonProblem() {}

    /// The complaint on one line, without what the parser says about itself.
    public static String of(JsonProcessingException e) {
        String message = e.getOriginalMessage().lines().findFirst().orElse("malformed");
        return message.replaceAll(" \\(start marker at \\[.*?]\\)", "");
    }

    /// The same with its place in the file.
    public static String where(JsonProcessingException e) {
        return e.getLocation() == null ? of(e) : "line %d, column %d: %s"
                .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr(), of(e));
    }
}
