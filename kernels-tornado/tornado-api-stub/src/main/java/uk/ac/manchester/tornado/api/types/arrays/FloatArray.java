package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Off-heap `float`s behind a header.
public final class FloatArray extends TornadoNativeArray {
    private static final int BYTES = 4;
    private MemorySegment segment;
    private int limit;
    private final int size;

    public FloatArray(int numberOfElements) {
        this(allocate(numberOfElements, BYTES));
    }

    private FloatArray(MemorySegment withHeader) {
        segment = withHeader;
        size = writeHeader(withHeader, BYTES);
        limit = size;
    }

    public static FloatArray fromArray(float[] values) {
        FloatArray array = new FloatArray(values.length);
        for (int i = 0; i < values.length; i++) array.set(i, values[i]);
        return array;
    }

    public static FloatArray fromElements(float... values) {
        return fromArray(values);
    }

    /// A copy of the bytes of a segment without header.
    public static FloatArray fromSegment(MemorySegment data) {
        FloatArray array = new FloatArray(elements(data, BYTES));
        array.getSegment().copyFrom(data);
        return array;
    }

    /// An array over a segment that begins with a header; nothing is copied.
    public static FloatArray fromSegmentShallow(MemorySegment withHeader) {
        return new FloatArray(withHeader);
    }

    public static void initialize(FloatArray array, float value) {
        array.init(value);
    }

    public static FloatArray concat(FloatArray... arrays) {
        int total = 0;
        for (FloatArray array : arrays) total += array.getSize();
        FloatArray joined = new FloatArray(total);
        int at = 0;
        for (FloatArray array : arrays) {
            joined.getSegment().asSlice((long) at * BYTES).copyFrom(array.getSegment());
            at += array.getSize();
        }
        return joined;
    }

    public void set(int index, float value) {
        segment.set(ValueLayout.JAVA_FLOAT, offset(index), value);
    }

    public float get(int index) {
        return segment.get(ValueLayout.JAVA_FLOAT, offset(index));
    }

    public float[] toHeapArray() {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) values[i] = get(i);
        return values;
    }

    @Override
    public void clear() {
        getSegment().fill((byte) 0);
    }

    public void init(float value) {
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
    public FloatArray slice(int offset, int length) {
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
