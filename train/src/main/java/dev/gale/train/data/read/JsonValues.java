package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;

/// The objects of a JSON array, or objects one after the other, wherever their lines end.
final class JsonValues implements TableReader {
    private final DataFile file;
    private final TextBytes in;
    private final JsonParser parser;
    private final boolean array;
    private long index = -1;
    private long line;
    private boolean inRow;
    private boolean ended;

    JsonValues(DataFile file, boolean array) throws IOException {
        this.file = file;
        this.in = file.text();
        this.array = array;
        this.parser = JsonText.MAPPER.createParser(in);
        if (array) parser.nextToken();
    }

    @Override
    public Row next() {
        return next(() -> JsonTable.row(parser.readValueAs(Object.class), file, line));
    }

    @Override
    public RawRow nextRaw() {
        return next(() -> new RawRow("%s, line %d".formatted(file, line), line, RawRow.json(RawRow.TREE.readTree(parser))));
    }

    /// Makes something of the value that the parser stands at.
    @FunctionalInterface
    private interface Reading<T> {
        T read() throws IOException;
    }

    private <T> T next(Reading<T> reading) {
        if (ended) return null;
        try {
            inRow = false;
            in.beginRow(parser.currentLocation().getLineNr());
            JsonToken token = parser.nextToken();
            ended = token == null || array && token == JsonToken.END_ARRAY;
            if (array && token == null) throw malformed(parser.currentLocation(), "the array has no end", null);
            if (array && ended && parser.nextToken() != null) {
                throw malformed(parser.currentLocation(), "something follows the array", null);
            }
            if (ended) return null;
            line = parser.currentTokenLocation().getLineNr();
            index++;
            inRow = true;
            return reading.read();
        } catch (JsonProcessingException e) {
            throw malformed(e.getLocation(), JsonText.problem(e), e);
        } catch (IOException e) {
            throw file.unreadable(e);
        }
    }

    private InputException malformed(JsonLocation at, String what, Throwable cause) {
        JsonLocation place = at == null ? parser.currentLocation() : at;
        long first = inRow ? line : place.getLineNr();
        String there = place.getLineNr() == first ? "" : "line %d, ".formatted(place.getLineNr());
        return new InputException("%s, line %d is not valid JSON (%scolumn %d: %s); correct the file".formatted(file, first,
                there, place.getColumnNr(), what), cause);
    }

    @Override
    public long index() {
        return index;
    }

    @Override
    public long line() {
        return line;
    }

    @Override
    public void close() {
        file.close(in);
    }
}
