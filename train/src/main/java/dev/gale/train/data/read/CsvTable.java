package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.dataformat.csv.CsvFactory;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/// Comma- or tab-separated values as RFC 4180 has them; the first row names the columns. All values are text.
final class CsvTable implements TableReader {
    private static final CsvMapper MAPPER = new CsvMapper(CsvFactory.builder().streamReadConstraints(
            StreamReadConstraints.builder().maxStringLength(2 * TextBytes.LONGEST_ROW).build()).build());

    private final DataFile file;
    private final TextBytes in;
    private final MappingIterator<String[]> records;
    private final String[] columns;
    private long index = -1;
    private long line;

    CsvTable(DataFile file, char separator) throws IOException {
        this.file = file;
        this.in = file.text();
        this.records = MAPPER.readerFor(String[].class).with(CsvSchema.emptySchema().withColumnSeparator(separator))
                .with(CsvParser.Feature.WRAP_AS_ARRAY).with(CsvParser.Feature.SKIP_EMPTY_LINES).readValues(in);
        this.columns = header();
    }

    private String[] header() throws IOException {
        String[] names = record();
        if (names == null) return new String[0];
        for (int i = 0; i < names.length; i++) {
            for (int j = 0; j < i; j++) {
                if (!names[i].equals(names[j])) continue;
                throw new InputException("%s names the column '%s' twice in its first row; rename one"
                        .formatted(file, names[i]));
            }
        }
        return names;
    }

    private String[] record() throws IOException {
        line = records.getCurrentLocation().getLineNr();    // behind the row before and the blank lines that follow it
        in.beginRow(line);
        try {
            return records.hasNextValue() ? records.nextValue() : null;
        } catch (JsonProcessingException e) {
            throw new InputException("%s, line %d is not valid CSV (%s); correct it".formatted(file, line,
                    JsonText.problem(e)), e);
        }
    }

    @Override
    public Row next() {
        try {
            String[] values = record();
            if (values == null) return null;
            String place = "%s, line %d".formatted(file, line);
            if (values.length != columns.length) {
                throw new InputException("%s has %d values, but the first row names %d columns; correct or remove it"
                        .formatted(place, values.length, columns.length));
            }
            index++;
            Map<String, Object> row = LinkedHashMap.newLinkedHashMap(columns.length);
            for (int i = 0; i < columns.length; i++) row.put(columns[i], values[i]);
            return new Row(row, place);
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
        return line;
    }

    @Override
    public void close() {
        file.close(in);
    }
}
