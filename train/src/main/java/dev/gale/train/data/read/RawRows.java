package dev.gale.train.data.read;

import java.util.ArrayList;
import java.util.List;

/// Rows one after the other as their files have them, for whoever copies them or looks at rows that are malformed.
public final class RawRows implements AutoCloseable {
    private final RowSource.Reader reader;

    private RawRows(RowSource.Reader reader) {
        this.reader = reader;
    }

    /// Opens rows; the names of their columns stay as they are.
    ///
    /// Throws InputException when a file or a split is missing or cannot be read.
    public static RawRows open(ReadOptions options) {
        return new RawRows(RowSource.of(options).reader());
    }

    /// The next rows, at most so many; none at the end. They are of JSON lines also when they are no JSON.
    ///
    /// Throws InputException when a file is malformed where rows cannot be told apart any more, or a row is too long.
    public List<RawRow> next(int count) {
        List<RawRow> rows = new ArrayList<>();
        for (RawRow row = reader.nextRaw(); row != null; row = rows.size() < count ? reader.nextRaw() : null) rows.add(row);
        return rows;
    }

    @Override
    public void close() {
        reader.close();
    }
}
