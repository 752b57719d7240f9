package dev.gale.train.data.read;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// A table in FlatBuffers' layout: at its place the distance to a list of where its fields are, those that nobody wrote at 0.
/// What leads out of the bytes throws IndexOutOfBoundsException.
///
/// Source: FlatBuffers, "FlatBuffer Internals".
///
/// @param at place of the table in the bytes
record FlatTable(MemorySegment bytes, long at) {
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// The table that the bytes begin with.
    static FlatTable root(MemorySegment bytes) {
        return new FlatTable(bytes, Integer.toUnsignedLong(bytes.get(INT, 0)));
    }

    /// Place of a field, 0 when it is not there.
    private long place(int field) {
        long list = at - bytes.get(INT, at);
        int entry = 4 + 2 * field;
        if (entry + 2 > Short.toUnsignedInt(bytes.get(SHORT, list))) return 0;
        int offset = Short.toUnsignedInt(bytes.get(SHORT, list + entry));
        return offset == 0 ? 0 : at + offset;
    }

    boolean has(int field) {
        return place(field) != 0;
    }

    int byteAt(int field) {
        long place = place(field);
        return place == 0 ? 0 : bytes.get(ValueLayout.JAVA_BYTE, place);
    }

    int shortAt(int field, int otherwise) {
        long place = place(field);
        return place == 0 ? otherwise : bytes.get(SHORT, place);
    }

    int intAt(int field) {
        long place = place(field);
        return place == 0 ? 0 : bytes.get(INT, place);
    }

    long longAt(int field) {
        long place = place(field);
        return place == 0 ? 0 : bytes.get(LONG, place);
    }

    private long follow(long place) {
        return place + Integer.toUnsignedLong(bytes.get(INT, place));
    }

    /// The table of a field that must be there.
    FlatTable table(int field) {
        if (!has(field)) throw new IndexOutOfBoundsException("field " + field);
        return new FlatTable(bytes, follow(place(field)));
    }

    String text(int field) {
        if (!has(field)) return "";
        long text = follow(place(field));
        byte[] content = new byte[Math.toIntExact(bytes.asSlice(text + 4, bytes.get(INT, text)).byteSize())];
        MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, text + 4, content, 0, content.length);
        return new String(content, StandardCharsets.UTF_8);
    }

    /// Number of elements of a list.
    int count(int field) {
        return has(field) ? bytes.get(INT, follow(place(field))) : 0;
    }

    /// A table of a list of them.
    FlatTable table(int field, int index) {
        return new FlatTable(bytes, follow(follow(place(field)) + 4 + 4L * index));
    }

    /// A number of a list of pairs of them.
    long pair(int field, int index, int which) {
        if (index < 0 || index >= count(field)) throw new IndexOutOfBoundsException("element " + index);
        return bytes.get(LONG, follow(place(field)) + 4 + 16L * index + 8L * which);
    }
}
