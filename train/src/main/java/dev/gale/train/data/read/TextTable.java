package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/// Plain text in the column `text`: a row is a line, a paragraph (what stands between blank lines), or the whole file. Rows
/// without text are left out.
final class TextTable implements TableReader {
    private final DataFile file;
    private final SampleBy unit;
    private final TextBytes in;
    private final TextLines lines;
    private long index = -1;
    private long line;

    TextTable(DataFile file, SampleBy unit) throws IOException {
        this.file = file;
        this.unit = unit;
        this.in = file.text();
        this.lines = new TextLines(in, file.toString());
    }

    @Override
    public Row next() {
        try {
            boolean any = lines.advance();
            while (any && lines.isBlank()) any = lines.advance();
            if (!any) return null;
            line = lines.number();
            StringBuilder text = new StringBuilder(content());
            while (unit != SampleBy.LINE && lines.advance()) {
                if (unit == SampleBy.PARAGRAPH && lines.isBlank()) break;
                text.append('\n').append(content());
                if (text.length() > TextBytes.LONGEST_ROW) {
                    throw new InputException("%s, line %d begins a %s of more than %d MB; set dataset.sample_by to line"
                            .formatted(file, line, unit == SampleBy.PARAGRAPH ? "paragraph" : "document",
                                    TextBytes.LONGEST_ROW >> 20));
                }
            }
            index++;
            return new Row(new LinkedHashMap<>(Map.of("text", text.toString())), "%s, line %d".formatted(file, line));
        } catch (IOException e) {
            throw file.unreadable(e);
        }
    }

    private String content() {
        return new String(lines.bytes(), 0, lines.length(), StandardCharsets.UTF_8);
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
