package uk.ac.manchester.tornado.api;

import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/// Some elements of an array, for a partial transfer.
public class DataRange {
    private final TornadoNativeArray array;
    private long offset;
    private long size;

    public DataRange(TornadoNativeArray array) {
        this.array = array;
    }

    /// The first element.
    public DataRange withOffset(long offset) {
        this.offset = offset;
        return this;
    }

    /// The number of elements.
    public DataRange withSize(long size) {
        this.size = size;
        return this;
    }

    public long getOffset() {
        return offset;
    }

    public long getPartialSize() {
        return size;
    }

    public TornadoNativeArray getArray() {
        return array;
    }
}
