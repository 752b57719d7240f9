package dev.gale.train.data.read;

import dev.gale.train.data.Row;

/// Goes through rows once, in their order, with no more of them in memory than the one it gives.
public interface RowReader extends AutoCloseable {

    /// The next row, null after the last one.
    ///
    /// Throws InputException that names file and line when what comes next is no row.
    Row next();

    @Override
    void close();
}
