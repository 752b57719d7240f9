package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import uk.ac.manchester.tornado.api.types.BFloat16;

/// Off-heap bfloat16 numbers, as their bits, behind a header.
public final class BFloat16Array extends TornadoNativeArray {
    private static final int BYTES = 2;
    private MemorySegment segment;
    private int limit;
    private final int size;

    public BFloat16Array(int numberOfElements) {
        this(allocate(numberOfElements, BYTES));
    }

    private BFloat16Array(MemorySegment withHeader) {
        segment = withHeader;
        size = writeHeader(withHeader, BYTES);
        limit = size;
    }

    public static BFloat16Array fromShorts(short... bits) {
        BFloat16Array array = new BFloat16Array(bits.length);
        for (int i = 0; i < bits.length; i++) array.set(i, bits[i]);
        return array;
    }

    public static BFloat16Array fromFloats(float... values) {
        BFloat16Array array = new BFloat16Array(values.length);
        for (int i = 0; i < values.length; i++) array.setFloat(i, values[i]);
        return array;
    }

    /// A copy of the bytes of a segment without header.
    public static BFloat16Array fromSegment(MemorySegment data) {
        BFloat16Array array = new BFloat16Array(elements(data, BYTES));
        array.getSegment().copyFrom(data);
        return array;
    }

    /// An array over a segment that begins with a header; nothing is copied.
    public static BFloat16Array fromSegmentShallow(MemorySegment withHeader) {
        return new BFloat16Array(withHeader);
    }

    public static void initialize(BFloat16Array array, short value) {
        array.init(value);
    }

    public static BFloat16Array concat(BFloat16Array... arrays) {
        int total = 0;
        for (BFloat16Array array : arrays) total += array.getSize();
        BFloat16Array joined = new BFloat16Array(total);
        int at = 0;
        for (BFloat16Array array : arrays) {
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

    public float getFloat(int index) {
        return BFloat16.bf16ToFloat(get(index));
    }

    public void setFloat(int index, float value) {
        set(index, BFloat16.bf16FromFloat(value));
    }

    public short[] toShortArray() {
        short[] bits = new short[size];
        for (int i = 0; i < size; i++) bits[i] = get(i);
        return bits;
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
    public BFloat16Array slice(int offset, int length) {
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
