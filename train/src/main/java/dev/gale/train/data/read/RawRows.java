package dev.gale.train.data.read;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Rows one after the other as their files have them, for whoever copies them or looks at rows that are malformed.
public final class RawRows implements AutoCloseable {
    private final RowSource.Reader reader;

    private RawRows(RowSource.Reader reader) {
        this.reader = reader;
    }

    /// Opens the rows to train on of a file or folder, or of a pattern of paths.
    ///
    /// Throws InputException when it is missing or cannot be read.
    public static RawRows open(Path path) {
        return new RawRows(RowSource.of(path).reader());
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
