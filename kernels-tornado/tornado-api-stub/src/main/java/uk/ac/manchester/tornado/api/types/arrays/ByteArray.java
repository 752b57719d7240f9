package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import uk.ac.manchester.tornado.api.types.HalfFloat;

/// Off-heap `byte`s behind a header.
public final class ByteArray extends TornadoNativeArray {
    private static final int BYTES = 1;
    private MemorySegment segment;
    private int limit;
    private final int size;

    public ByteArray(int numberOfElements) {
        this(allocate(numberOfElements, BYTES));
    }

    private ByteArray(MemorySegment withHeader) {
        segment = withHeader;
        size = writeHeader(withHeader, BYTES);
        limit = size;
    }

    public static ByteArray fromArray(byte[] values) {
        ByteArray array = new ByteArray(values.length);
        for (int i = 0; i < values.length; i++) array.set(i, values[i]);
        return array;
    }

    public static ByteArray fromElements(byte... values) {
        return fromArray(values);
    }

    /// A copy of the bytes of a segment without header.
    public static ByteArray fromSegment(MemorySegment data) {
        ByteArray array = new ByteArray(elements(data, BYTES));
        array.getSegment().copyFrom(data);
        return array;
    }

    /// An array over a segment that begins with a header; nothing is copied.
    public static ByteArray fromSegmentShallow(MemorySegment withHeader) {
        return new ByteArray(withHeader);
    }

    public static void initialize(ByteArray array, byte value) {
        array.init(value);
    }

    public static ByteArray concat(ByteArray... arrays) {
        int total = 0;
        for (ByteArray array : arrays) total += array.getSize();
        ByteArray joined = new ByteArray(total);
        int at = 0;
        for (ByteArray array : arrays) {
            joined.getSegment().asSlice((long) at * BYTES).copyFrom(array.getSegment());
            at += array.getSize();
        }
        return joined;
    }

    public void set(int index, byte value) {
        segment.set(ValueLayout.JAVA_BYTE, offset(index), value);
    }

    public byte get(int index) {
        return segment.get(ValueLayout.JAVA_BYTE, offset(index));
    }

    public byte[] toHeapArray() {
        byte[] values = new byte[size];
        for (int i = 0; i < size; i++) values[i] = get(i);
        return values;
    }

    /// The half at the byte `byteIndex`.
    public HalfFloat getHalfFloat(int byteIndex) {
        checkHalf(byteIndex);
        return new HalfFloat(segment.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset(byteIndex)));
    }

    public void setHalfFloat(int byteIndex, HalfFloat value) {
        checkHalf(byteIndex);
        segment.set(ValueLayout.JAVA_SHORT_UNALIGNED, offset(byteIndex), value.getHalfFloatValue());
    }

    private void checkHalf(int byteIndex) {
        offset(byteIndex + 1);
        if (byteIndex % 2 != 0) throw new IllegalArgumentException("a half at the odd byte " + byteIndex);
    }

    @Override
    public void clear() {
        getSegment().fill((byte) 0);
    }

    public void init(byte value) {
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
    public ByteArray slice(int offset, int length) {
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
