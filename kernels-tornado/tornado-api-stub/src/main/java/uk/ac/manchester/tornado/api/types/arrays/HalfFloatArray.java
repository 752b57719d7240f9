package uk.ac.manchester.tornado.api.types.arrays;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import uk.ac.manchester.tornado.api.types.HalfFloat;

/// Off-heap IEEE halves behind a header.
public final class HalfFloatArray extends TornadoNativeArray {
    private static final int BYTES = 2;
    private MemorySegment segment;
    private int limit;
    private final int size;

    public HalfFloatArray(int numberOfElements) {
        this(allocate(numberOfElements, BYTES));
    }

    private HalfFloatArray(MemorySegment withHeader) {
        segment = withHeader;
        size = writeHeader(withHeader, BYTES);
        limit = size;
    }

    public static HalfFloatArray fromArray(HalfFloat[] values) {
        HalfFloatArray array = new HalfFloatArray(values.length);
        for (int i = 0; i < values.length; i++) array.set(i, values[i]);
        return array;
    }

    public static HalfFloatArray fromElements(HalfFloat... values) {
        return fromArray(values);
    }

    /// A copy of the bytes of a segment without header.
    public static HalfFloatArray fromSegment(MemorySegment data) {
        HalfFloatArray array = new HalfFloatArray(elements(data, BYTES));
        array.getSegment().copyFrom(data);
        return array;
    }

    /// An array over a segment that begins with a header; nothing is copied.
    public static HalfFloatArray fromSegmentShallow(MemorySegment withHeader) {
        return new HalfFloatArray(withHeader);
    }

    public static void initialize(HalfFloatArray array, HalfFloat value) {
        array.init(value);
    }

    public static HalfFloatArray concat(HalfFloatArray... arrays) {
        int total = 0;
        for (HalfFloatArray array : arrays) total += array.getSize();
        HalfFloatArray joined = new HalfFloatArray(total);
        int at = 0;
        for (HalfFloatArray array : arrays) {
            joined.getSegment().asSlice((long) at * BYTES).copyFrom(array.getSegment());
            at += array.getSize();
        }
        return joined;
    }

    public void set(int index, HalfFloat value) {
        segment.set(ValueLayout.JAVA_SHORT, offset(index), value.getHalfFloatValue());
    }

    public HalfFloat get(int index) {
        return new HalfFloat(segment.get(ValueLayout.JAVA_SHORT, offset(index)));
    }

    public HalfFloat[] toHeapArray() {
        HalfFloat[] values = new HalfFloat[size];
        for (int i = 0; i < size; i++) values[i] = get(i);
        return values;
    }

    public short[] toShortArray() {
        short[] bits = new short[size];
        for (int i = 0; i < size; i++) bits[i] = get(i).getHalfFloatValue();
        return bits;
    }

    @Override
    public void clear() {
        getSegment().fill((byte) 0);
    }

    public void init(HalfFloat value) {
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
    public HalfFloatArray slice(int offset, int length) {
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
