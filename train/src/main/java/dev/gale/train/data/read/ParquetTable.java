package dev.gale.train.data.read;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.gale.tensor.InputException;
import dev.gale.train.data.Row;
import java.io.IOException;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Rows of a Parquet file, read by DuckDB as JSON: lists and structs are lists and objects, times are text.
final class ParquetTable implements TableReader {
    private static final String INDEX = "file_row_number";

    private final DataFile file;
    private final Optional<String> where;
    private final LocalFile local;
    private final Connection connection;
    private final Statement statement;
    private final ResultSet rows;
    private long index = -1;

    ParquetTable(DataFile file, Optional<String> where) throws IOException {
        this.file = file;
        this.where = where;
        this.local = LocalFile.of(file);
        try {
            this.connection = DuckDb.open(local.path(), file + " is a Parquet file and");
        } catch (RuntimeException e) {
            local.close();
            throw e;
        }
        try {
            this.statement = connection.createStatement();
            where.ifPresent(this::check);
            String kept = "SELECT to_json(t)::VARCHAR AS json FROM (SELECT * FROM %s%s) t".formatted(table(),
                    where.map(condition -> " WHERE (" + condition + "\n)").orElse(""));
            this.rows = statement.executeQuery("SELECT CASE WHEN strlen(json) <= %d THEN json END FROM (%s)"
                    .formatted(TextBytes.LONGEST_ROW, kept));
        } catch (SQLException e) {
            close();
            throw where.isPresent() ? DuckDb.wrong(where.get(), e) : broken(e);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private String table() {
        return "read_parquet(%s, file_row_number=true)".formatted(DuckDb.text(local.path().toAbsolutePath().toString()));
    }

    /// A file that cannot be read is not the condition's fault.
    private void check(String condition) {
        try (ResultSet any = statement.executeQuery("SELECT 1 FROM %s LIMIT 1".formatted(table()))) {
            any.next();
        } catch (SQLException e) {
            throw broken(e);
        }
    }

    private InputException broken(SQLException e) {
        return new InputException("%s is no Parquet file that can be read (%s); make or download it again"
                .formatted(file, DuckDb.problem(e)), e);
    }

    @Override
    public Row next() {
        try {
            if (!rows.next()) return null;
            String json = rows.getString(1);
            if (json == null) {
                throw new InputException("%s has a row of more than %d MB behind row %d; split it or remove it"
                        .formatted(file, TextBytes.LONGEST_ROW >> 20, index + 1));
            }
            Row row = JsonTable.row(JsonText.VALUE.readValue(json), file, 0);
            Map<String, Object> values = row.values();
            index = ((Number) values.remove(INDEX)).longValue();
            values.values().forEach(ParquetTable::dropAbsent);
            return new Row(values, "%s, row %d".formatted(file, index + 1));
        } catch (SQLException e) {
            throw where.isPresent() ? DuckDb.wrong(where.get(), e) : broken(e);
        } catch (JsonProcessingException e) {
            throw new InputException("%s, row %d has a value that is not read (%s); write it as text".formatted(file, index + 2,
                    JsonText.problem(e)), e);
        }
    }

    /// A struct has all the fields of its column, those that nobody wrote as null; in JSON they are not there. What a message
    /// says may be null.
    private static void dropAbsent(Object value) {
        if (value instanceof Map<?, ?> struct) {
            struct.entrySet().removeIf(field -> field.getValue() == null && !"content".equals(field.getKey()));
            struct.values().forEach(ParquetTable::dropAbsent);
        } else if (value instanceof List<?> list) {
            list.forEach(ParquetTable::dropAbsent);
        }
    }

    static long count(DataFile file) throws IOException {
        try (LocalFile local = LocalFile.of(file);
             Connection connection = DuckDb.open(local.path(), file + " is a Parquet file and");
             Statement statement = connection.createStatement();
             ResultSet rows = statement.executeQuery("SELECT count(*) FROM read_parquet(%s)"
                     .formatted(DuckDb.text(local.path().toAbsolutePath().toString())))) {
            rows.next();
            return rows.getLong(1);
        } catch (SQLException e) {
            throw new InputException("%s is no Parquet file that can be read (%s); make or download it again"
                    .formatted(file, DuckDb.problem(e)), e);
        }
    }

    @Override
    public long index() {
        return index;
    }

    @Override
    public void close() {
        DuckDb.close(connection);
        local.close();
    }
}
