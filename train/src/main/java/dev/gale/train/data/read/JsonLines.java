package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.util.Arrays;

/// JSON lines: an object a line. Blank lines are fine.
final class JsonLines implements TableReader {
    private final DataFile file;
    private final TextBytes in;
    private final TextLines lines;
    private long index = -1;

    JsonLines(DataFile file) throws IOException {
        this.file = file;
        this.in = file.text();
        this.lines = new TextLines(in, file.toString());
    }

    @Override
    public Row next() {
        try {
            while (lines.advance()) {
                if (lines.isBlank()) continue;
                index++;
                return JsonTable.row(JsonText.VALUE.readValue(lines.bytes(), 0, lines.length()), file, lines.number());
            }
            return null;
        } catch (JsonProcessingException e) {
            throw new InputException("%s, line %d is not valid JSON (column %d: %s); correct or remove the line".formatted(
                    file, lines.number(), e.getLocation() == null ? 1 : e.getLocation().getColumnNr(), JsonText.problem(e)), e);
        } catch (IOException e) {
            throw file.unreadable(e);
        }
    }

    @Override
    public RawRow nextRaw() {
        try {
            while (lines.advance()) {
                if (lines.isBlank()) continue;
                index++;
                return new RawRow("%s, line %d".formatted(file, lines.number()), lines.number(),
                        Arrays.copyOf(lines.bytes(), lines.length()));
            }
            return null;
        } catch (IOException e) {
            throw file.unreadable(e);
        }
    }

    @Override
    public long index() {
        return index;
    }

    @Override
    public long line() {
        return lines.number();
    }

    @Override
    public void close() {
        file.close(in);
    }
}
