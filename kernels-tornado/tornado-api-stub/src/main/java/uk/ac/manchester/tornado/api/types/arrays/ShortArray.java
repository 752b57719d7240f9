package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Off-heap `short`s behind a header.
public final class ShortArray extends TornadoNativeArray {
    private static final int BYTES = 2;
    private MemorySegment segment;
    private int limit;
    private final int size;

    public ShortArray(int numberOfElements) {
        this(allocate(numberOfElements, BYTES));
    }

    private ShortArray(MemorySegment withHeader) {
        segment = withHeader;
        size = writeHeader(withHeader, BYTES);
        limit = size;
    }

    public static ShortArray fromArray(short[] values) {
        ShortArray array = new ShortArray(values.length);
        for (int i = 0; i < values.length; i++) array.set(i, values[i]);
        return array;
    }

    public static ShortArray fromElements(short... values) {
        return fromArray(values);
    }

    /// A copy of the bytes of a segment without header.
    public static ShortArray fromSegment(MemorySegment data) {
        ShortArray array = new ShortArray(elements(data, BYTES));
        array.getSegment().copyFrom(data);
        return array;
    }

    /// An array over a segment that begins with a header; nothing is copied.
    public static ShortArray fromSegmentShallow(MemorySegment withHeader) {
        return new ShortArray(withHeader);
    }

    public static void initialize(ShortArray array, short value) {
        array.init(value);
    }

    public static ShortArray concat(ShortArray... arrays) {
        int total = 0;
        for (ShortArray array : arrays) total += array.getSize();
        ShortArray joined = new ShortArray(total);
        int at = 0;
        for (ShortArray array : arrays) {
            joined.getSegment().asSlice((long) at * BYTES).copyFrom(array.getSegment());
            at += array.getSize();
        }
        return joined;
    }

    public void set(int index, short value) {
        segment.set(ValueLayout.JAVA_SHORT, offset(index), value);
    }

    public short get(int index) {
        return segment.get(ValueLayout.JAVA_SHORT, offset(index));
    }

    public short[] toHeapArray() {
        short[] values = new short[size];
        for (int i = 0; i < size; i++) values[i] = get(i);
        return values;
    }

    @Override
    public void clear() {
        getSegment().fill((byte) 0);
    }

    public void init(short value) {
        for (int i = 0; i < size; i++) set(i, value);
    }

    @Override
    public int getElementSize() {
        return BYTES;
    }

    @Override
    public int getSize() {
        return size;
    }

    @Override
    public MemorySegment getSegment() {
        return segment.asSlice(ARRAY_HEADER);
    }

    @Override
    public MemorySegment getSegmentWithHeader() {
        return segment;
    }

    @Override
    public long getNumBytesOfSegmentWithHeader() {
        return segment.byteSize();
    }

    @Override
    public long getNumBytesOfSegment() {
        return segment.byteSize() - ARRAY_HEADER;
    }

    /// A copy of `length` elements from `offset` on.
    public ShortArray slice(int offset, int length) {
        if (offset < 0 || length < 0 || offset + length > size) {
            throw new IllegalArgumentException(
                    "elements " + offset + " to " + (offset + length) + " are not all within the " + size + " of this");
        }
        return fromSegment(getSegment().asSlice((long) offset * BYTES, (long) length * BYTES));
    }

    @Override
    void mapOnto(MemorySegment withHeader) {
        segment = withHeader;
        limit = elements(withHeader.asSlice(ARRAY_HEADER), BYTES);
    }

    private long offset(int index) {
        if (index < 0 || index >= limit) throw outOfBounds(index);
        return ARRAY_HEADER + (long) index * BYTES;
    }
}
