package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import dev.gale.nn.JsonProblem;

/// JSON as rows hold it, within bounds that no honest row reaches.
final class JsonText {
    private static final int DEEPEST = 256;

    static final ObjectMapper MAPPER = new ObjectMapper(JsonFactory.builder().streamReadConstraints(
            StreamReadConstraints.builder().maxNestingDepth(DEEPEST).maxStringLength(2 * TextBytes.LONGEST_ROW)
                    .maxNameLength(1 << 16).build()).build());
    /// Lists, maps, text, numbers, booleans and null; nothing may follow.
    static final ObjectReader VALUE = MAPPER.readerFor(Object.class).with(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private JsonText() {}

    /// What is wrong, on one line.
    static String problem(JsonProcessingException e) {
        if (!(e instanceof StreamConstraintsException)) return JsonProblem.of(e);
        return e.getMessage().contains("nesting") ? "nested deeper than %d levels".formatted(DEEPEST)
                : e.getMessage().contains("Name") ? "a name of more than %d characters".formatted(1 << 16)
                : e.getMessage().contains("Number") ? "a number of too many digits" : "a text that is too long";
    }
}
