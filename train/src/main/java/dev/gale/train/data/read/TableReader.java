package dev.gale.train.data.read;

import dev.gale.train.data.Row;

/// The rows of one file.
interface TableReader extends RowReader {

    /// Place in the file of the row that came last, from 0; rows that a condition leaves out count.
    long index();

    /// Line in which the row that came last begins, from 1; its number in files that have no lines.
    default long line() {
        return index() + 1;
    }

    /// The next row as JSON text, null after the last one: as the file has it, where that is JSON.
    default RawRow nextRaw() {
        Row row = next();
        return row == null ? null : RawRow.of(row, line());
    }
}
