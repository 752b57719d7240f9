package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.dataformat.csv.CsvGenerator;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import dev.gale.train.data.Row;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.function.Supplier;

/// The rows of a table that meet a condition. DuckDB judges a copy of the rows, for which it finds types: text that looks
/// like a date is one, and in CSV text that looks like a number too. The rows themselves stay as their file has them.
final class FilteredTable implements TableReader {
    private static final String NUMBER = "gale_row";

    private final TableReader table;
    private final String condition;
    private final LocalFile copy;
    private final Connection connection;
    private final ResultSet kept;

    private FilteredTable(TableReader table, String condition, LocalFile copy, Connection connection, ResultSet kept) {
        this.table = table;
        this.condition = condition;
        this.copy = copy;
        this.connection = connection;
        this.kept = kept;
    }

    /// Opens the rows twice: to judge them and to give them.
    interface Source {
        TableReader open() throws IOException;
    }

    static FilteredTable open(DataFile file, String condition, Source source) throws IOException {
        boolean csv = file.kind() == DataFile.Kind.CSV || file.kind() == DataFile.Kind.TSV;
        LocalFile copy = LocalFile.temporary(csv ? ".csv" : ".jsonl");
        Connection connection = null;
        try {
            connection = DuckDb.open(copy.path(), "a condition on rows");
            try (TableReader rows = source.open();
                 OutputStream out = new BufferedOutputStream(Files.newOutputStream(copy.path()), 1 << 16)) {
                if (csv) writeCsv(rows, out);
                else writeJson(rows, out);
            }
            Statement statement = connection.createStatement();
            ResultSet kept = statement.executeQuery("SELECT coalesce((%s\n)::boolean, false) FROM %s"
                    .formatted(condition, csv ? csvTable(copy) : jsonTable(copy)));
            return new FilteredTable(source.open(), condition, copy, connection, kept);
        } catch (SQLException e) {
            discard(connection, copy);
            throw DuckDb.wrong(condition, e);
        } catch (IOException | RuntimeException e) {
            discard(connection, copy);
            throw e;
        }
    }

    private static void discard(Connection connection, LocalFile copy) {
        if (connection != null) DuckDb.close(connection);
        copy.close();
    }

    private static String jsonTable(LocalFile copy) {
        return "read_json(%s, format='newline_delimited', sample_size=-1, maximum_object_size=%d)"
                .formatted(DuckDb.text(copy.path().toAbsolutePath().toString()), 4L * TextBytes.LONGEST_ROW);
    }

    private static String csvTable(LocalFile copy) {
        return "read_csv(%s, header=true, delim=',', quote='\"', escape='\"', comment='', sample_size=-1, max_line_size=%d)"
                .formatted(DuckDb.text(copy.path().toAbsolutePath().toString()), 2L * TextBytes.LONGEST_ROW);
    }

    private static void writeJson(TableReader rows, OutputStream out) throws IOException {
        for (Row row = rows.next(); row != null; row = rows.next()) {
            out.write(JsonText.MAPPER.writeValueAsBytes(row.values()));
            out.write('\n');
        }
    }

    /// With the number of the row before its values, so that none is a blank line.
    private static void writeCsv(TableReader rows, OutputStream out) throws IOException {
        Row first = rows.next();
        if (first == null) return;
        CsvSchema.Builder columns = CsvSchema.builder().setUseHeader(true).addColumn(NUMBER);
        first.values().keySet().forEach(columns::addColumn);
        try (JsonGenerator csv = new CsvMapper().getFactory().createGenerator(out)
                .enable(CsvGenerator.Feature.STRICT_CHECK_FOR_QUOTING)) {
            csv.setSchema(columns.build());
            for (Row row = first; row != null; row = rows.next()) {
                csv.writeStartObject();
                csv.writeNumberField(NUMBER, rows.index());
                for (var value : row.values().entrySet()) csv.writeStringField(value.getKey(), (String) value.getValue());
                csv.writeEndObject();
            }
        }
    }

    @Override
    public Row next() {
        return next(table::next);
    }

    @Override
    public RawRow nextRaw() {
        return next(table::nextRaw);
    }

    private <T> T next(Supplier<T> reading) {
        try {
            for (T row = reading.get(); row != null; row = reading.get()) {
                if (!kept.next()) throw new IllegalStateException("DuckDB judged fewer rows than there are");
                if (kept.getBoolean(1)) return row;
            }
            if (kept.next()) throw new IllegalStateException("DuckDB judged more rows than there are");
            return null;
        } catch (SQLException e) {
            throw DuckDb.wrong(condition, e);
        }
    }

    @Override
    public long index() {
        return table.index();
    }

    @Override
    public long line() {
        return table.line();
    }

    @Override
    public void close() {
        table.close();
        discard(connection, copy);
    }
}
