package dev.gale.train.data.read;

/// The rows of one file.
interface TableReader extends RowReader {

    /// Place in the file of the row that `next` gave last, from 0; rows that a condition leaves out count.
    long index();
}
