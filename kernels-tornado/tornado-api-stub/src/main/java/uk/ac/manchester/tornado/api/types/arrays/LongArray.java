package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Off-heap `long`s behind a header.
public final class LongArray extends TornadoNativeArray {
    private static final int BYTES = 8;
    private MemorySegment segment;
    private int limit;
    private final int size;

    public LongArray(int numberOfElements) {
        this(allocate(numberOfElements, BYTES));
    }

    private LongArray(MemorySegment withHeader) {
        segment = withHeader;
        size = writeHeader(withHeader, BYTES);
        limit = size;
    }

    public static LongArray fromArray(long[] values) {
        LongArray array = new LongArray(values.length);
        for (int i = 0; i < values.length; i++) array.set(i, values[i]);
        return array;
    }

    public static LongArray fromElements(long... values) {
        return fromArray(values);
    }

    /// A copy of the bytes of a segment without header.
    public static LongArray fromSegment(MemorySegment data) {
        LongArray array = new LongArray(elements(data, BYTES));
        array.getSegment().copyFrom(data);
        return array;
    }

    /// An array over a segment that begins with a header; nothing is copied.
    public static LongArray fromSegmentShallow(MemorySegment withHeader) {
        return new LongArray(withHeader);
    }

    public static void initialize(LongArray array, long value) {
        array.init(value);
    }

    public static LongArray concat(LongArray... arrays) {
        int total = 0;
        for (LongArray array : arrays) total += array.getSize();
        LongArray joined = new LongArray(total);
        int at = 0;
        for (LongArray array : arrays) {
            joined.getSegment().asSlice((long) at * BYTES).copyFrom(array.getSegment());
            at += array.getSize();
        }
        return joined;
    }

    public void set(int index, long value) {
        segment.set(ValueLayout.JAVA_LONG, offset(index), value);
    }

    public long get(int index) {
        return segment.get(ValueLayout.JAVA_LONG, offset(index));
    }

    public long[] toHeapArray() {
        long[] values = new long[size];
        for (int i = 0; i < size; i++) values[i] = get(i);
        return values;
    }

    @Override
    public void clear() {
        getSegment().fill((byte) 0);
    }

    public void init(long value) {
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
    public LongArray slice(int offset, int length) {
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
