package uk.ac.manchester.tornado.api.types.arrays;

import dev.gale.tornado.stub.DeviceViews;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// An off-heap array: a header whose first int is the number of elements, then the elements.
public abstract sealed class TornadoNativeArray permits FloatArray, IntArray, LongArray, ShortArray, ByteArray,
        HalfFloatArray, BFloat16Array {
    /// Bytes of the header.
    public static final long ARRAY_HEADER = Long.getLong("tornado.panama.objectHeader", 16);

    public abstract int getSize();

    /// The elements.
    public abstract MemorySegment getSegment();

    public abstract MemorySegment getSegmentWithHeader();

    public abstract long getNumBytesOfSegmentWithHeader();

    public abstract long getNumBytesOfSegment();

    public abstract int getElementSize();

    protected void clear() {}

    static {
        DeviceViews.mapping((view, onto) -> view.mapOnto(onto.getSegmentWithHeader()));
    }

    /// Elements are from now on those of other memory; the size stays.
    abstract void mapOnto(MemorySegment withHeader);

    static MemorySegment allocate(int elements, int elementBytes) {
        return Arena.ofAuto().allocate((long) elements * elementBytes + ARRAY_HEADER, 8);
    }

    /// Number of elements of a segment without header.
    static int elements(MemorySegment data, int elementBytes) {
        if (data.byteSize() % elementBytes != 0) {
            throw new IllegalArgumentException(
                    data.byteSize() + " bytes are not a whole number of elements of " + elementBytes + " bytes");
        }
        return Math.toIntExact(data.byteSize() / elementBytes);
    }

    static int writeHeader(MemorySegment withHeader, int elementBytes) {
        int size = elements(withHeader.asSlice(ARRAY_HEADER), elementBytes);
        withHeader.set(ValueLayout.JAVA_INT, 0, size);
        return size;
    }

    final IndexOutOfBoundsException outOfBounds(int index) {
        return new IndexOutOfBoundsException("index " + index + " of a " + getClass().getSimpleName() + " of "
                + getSize() + " elements");
    }
}
