package dev.gale.train.data;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.nn.JsonProblem;
import dev.gale.tensor.InputException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads rows from a JSON array of objects or from JSON lines, one object a line; which of them a file is, its first
/// character tells. A byte order mark, CRLF and blank lines are fine.
final class JsonRows {
    private static final ObjectReader OBJECT = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .readerFor(JsonNode.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int BYTE_ORDER_MARK = 0xFEFF;

    private final Path file;
    private final int limit;
    private final List<Row> rows = new ArrayList<>();

    private JsonRows(Path file, int limit) {
        this.file = file;
        this.limit = limit;
    }

    /// The first `limit` rows of a file, all with 0.
    ///
    /// Throws InputException when the file is missing, not UTF-8, has no row, or has one that is not a JSON object.
    static List<Row> read(Path file, int limit) {
        if (!Files.isRegularFile(file)) {
            throw new InputException("the dataset %s does not exist; give the path of a JSON or JSONL file"
                    .formatted(file));
        }
        JsonRows reader = new JsonRows(file, limit == 0 ? Integer.MAX_VALUE : limit);
        try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
            if (reader.startsWithBracket(in)) reader.readArray(in);
            else reader.readLines(in);
        } catch (IOException e) {
            throw new InputException("the dataset %s cannot be read (%s)".formatted(file, e), e);
        }
        if (reader.rows.isEmpty()) {
            throw new InputException("the dataset %s is empty; it needs at least one row".formatted(file));
        }
        return reader.rows;
    }

    private boolean startsWithBracket(InputStream in) throws IOException {
        in.mark(1 << 16);
        int next = in.read();
        while (next == 0xEF || next == 0xBB || next == 0xBF || Character.isWhitespace(next)) next = in.read();
        try {
            in.reset();
        } catch (IOException tooFar) {
            throw new InputException("the dataset %s begins with nothing but blanks; is it a JSON or JSONL file?"
                    .formatted(file), tooFar);
        }
        return next == '[';
    }

    private void readLines(InputStream in) throws IOException {
        var line = new ByteArrayOutputStream(1 << 12);
        int number = 0;
        for (int next = 0; next >= 0 && rows.size() < limit; ) {
            line.reset();
            while ((next = in.read()) >= 0 && next != '\n') line.write(next);
            number++;
            String text = decode(line.toByteArray(), number);
            if (number == 1 && !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK) text = text.substring(1);
            if (!text.isBlank()) addLine(text, number);
        }
    }

    private String decode(byte[] line, int number) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString();
        } catch (CharacterCodingException e) {
            throw new InputException("%s, line %d is not UTF-8 text; save the file as UTF-8"
                    .formatted(file, number), e);
        }
    }

    private void addLine(String text, int number) {
        try {
            add(OBJECT.readTree(text), number);
        } catch (JsonProcessingException e) {
            throw new InputException("%s, line %d is not valid JSON (column %d: %s); correct or remove the line"
                    .formatted(file, number, e.getLocation() == null ? 1 : e.getLocation().getColumnNr(),
                            JsonProblem.of(e)), e);
        }
    }

    private void readArray(InputStream in) throws IOException {
        var reader = new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder());
        in.mark(3);
        if (in.read() != 0xEF) in.reset();
        else in.skipNBytes(2);
        try (JsonParser parser = JSON.createParser(reader)) {
            parser.nextToken();
            while (rows.size() < limit && parser.nextToken() != JsonToken.END_ARRAY) {
                if (parser.currentToken() == null) {
                    throw malformed(parser.currentLocation(), "the array has no end", null);
                }
                int line = parser.currentTokenLocation().getLineNr();
                add(parser.readValueAsTree(), line);
            }
            if (rows.size() < limit && parser.nextToken() != null) {
                throw malformed(parser.currentLocation(), "something follows the array", null);
            }
        } catch (JsonProcessingException e) {
            throw malformed(e.getLocation(), JsonProblem.of(e), e);
        } catch (CharacterCodingException e) {
            throw new InputException("%s is not UTF-8 text; save the file as UTF-8".formatted(file), e);
        }
    }

    private InputException malformed(JsonLocation at, String what, Throwable cause) {
        return new InputException("%s, line %d, column %d is not valid JSON (%s); correct the file"
                .formatted(file, at == null ? 1 : at.getLineNr(), at == null ? 1 : at.getColumnNr(), what), cause);
    }

    private void add(JsonNode node, int line) {
        String place = "%s, line %d".formatted(file, line);
        if (node == null || !node.isObject()) {
            throw new InputException("%s is not a JSON object with a value per column; correct or remove it"
                    .formatted(place));
        }
        Map<String, Object> values = new LinkedHashMap<>();
        node.forEachEntry((column, value) -> values.put(column, JSON.convertValue(value, Object.class)));
        rows.add(new Row(values, place));
    }
}
