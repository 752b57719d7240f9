package dev.gale.train.data.read;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The values of a column in one batch. What leads out of the batch's bytes throws IndexOutOfBoundsException.
///
/// Source: Apache Arrow, "Arrow Columnar Format", physical memory layout.
final class ArrowColumn {
    private final ArrowField field;
    private final long length;
    private final MemorySegment valid;
    private final MemorySegment data;
    private final MemorySegment content;
    private final List<ArrowColumn> children = new ArrayList<>();

    /// Gives the parts of a batch one after the other, as columns use them.
    static final class Parts {
        private final FlatTable batch;
        private final MemorySegment body;
        private int node;
        private int buffer;

        Parts(FlatTable batch, MemorySegment body) {
            this.batch = batch;
            this.body = body;
        }

        private long length() {
            return batch.pair(1, node++, 0);
        }

        private MemorySegment bytes() {
            long offset = batch.pair(2, buffer, 0);
            return body.asSlice(offset, batch.pair(2, buffer++, 1));
        }
    }

    /// What a row may hold: bytes that are left of it.
    static final class Room {
        private long left = TextBytes.LONGEST_ROW;

        private void take(long bytes) {
            left -= bytes;
            if (left < 0) throw new TooLong();
        }
    }

    /// A row has more than `TextBytes.LONGEST_ROW` bytes.
    static final class TooLong extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    ArrowColumn(ArrowField field, Parts parts) {
        this.field = field;
        this.length = parts.length();
        boolean plain = field.kind() != ArrowField.Kind.NULL;
        this.valid = plain ? parts.bytes() : MemorySegment.NULL;
        boolean nested = field.kind() == ArrowField.Kind.STRUCT || field.kind() == ArrowField.Kind.FIXED_LIST;
        this.data = plain && !nested ? parts.bytes() : MemorySegment.NULL;
        this.content = field.kind() == ArrowField.Kind.TEXT ? parts.bytes() : MemorySegment.NULL;
        for (ArrowField child : field.children()) children.add(new ArrowColumn(child, parts));
    }

    long length() {
        return length;
    }

    /// A value as JSON has it; of a struct without the fields that nobody wrote.
    Object value(long index, Room room) {
        if (index < 0 || index >= length) throw new IndexOutOfBoundsException(field.name());
        room.take(8);
        if (field.kind() == ArrowField.Kind.NULL || valid.byteSize() > 0 && !bit(valid, index)) return null;
        return switch (field.kind()) {
            case NULL -> null;
            case BOOL -> bit(data, index);
            case SIGNED -> number(index);
            case UNSIGNED -> unsigned(index);
            case FLOAT -> real(index);
            case TEXT -> text(offset(index), offset(index + 1), room);
            case LIST -> list(offset(index), offset(index + 1), room);
            case FIXED_LIST -> list(index * field.width(), (index + 1) * field.width(), room);
            case STRUCT -> struct(index, room);
            case DATE -> (field.width() == 32 ? LocalDate.ofEpochDay(data.getAtIndex(FlatTable.INT, index))
                    : LocalDate.ofEpochDay(Math.floorDiv(data.getAtIndex(FlatTable.LONG, index), 86_400_000L))).toString();
            case TIME -> time(data.getAtIndex(FlatTable.LONG, index));
        };
    }

    private static boolean bit(MemorySegment bits, long index) {
        return (bits.get(ValueLayout.JAVA_BYTE, index >> 3) >> (index & 7) & 1) == 1;
    }

    private long number(long index) {
        return switch (field.width()) {
            case 8 -> data.get(ValueLayout.JAVA_BYTE, index);
            case 16 -> data.getAtIndex(FlatTable.SHORT, index);
            case 32 -> data.getAtIndex(FlatTable.INT, index);
            case 64 -> data.getAtIndex(FlatTable.LONG, index);
            default -> throw new IndexOutOfBoundsException(field.name());
        };
    }

    private Number unsigned(long index) {
        long value = number(index);
        if (field.width() < 64) return value & (1L << field.width()) - 1;
        return value >= 0 ? (Number) value : new BigInteger(Long.toUnsignedString(value));
    }

    private Number real(long index) {
        if (field.width() == 64) return Double.longBitsToDouble(data.getAtIndex(FlatTable.LONG, index));
        return field.width() == 32 ? Float.intBitsToFloat(data.getAtIndex(FlatTable.INT, index))
                : Float.float16ToFloat(data.getAtIndex(FlatTable.SHORT, index));
    }

    private long offset(long index) {
        return field.width() == 4 ? data.getAtIndex(FlatTable.INT, index) : data.getAtIndex(FlatTable.LONG, index);
    }

    private String text(long from, long to, Room room) {
        MemorySegment text = content.asSlice(from, to - from);
        room.take(text.byteSize());
        return new String(text.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }

    private List<Object> list(long from, long to, Room room) {
        List<Object> values = new ArrayList<>();
        for (long i = from; i < to; i++) values.add(children.getFirst().value(i, room));
        return values;
    }

    private Map<String, Object> struct(long index, Room room) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (ArrowColumn child : children) {
            Object value = child.value(index, room);
            if (value != null || child.field.name().equals("content")) values.put(child.field.name(), value);
        }
        return values;
    }

    private String time(long ticks) {
        int second = field.width();
        Instant instant = Instant.ofEpochSecond(Math.floorDiv(ticks, second), Math.floorMod(ticks, second)
                * (1_000_000_000L / second));
        LocalDateTime time = LocalDateTime.ofInstant(instant, ZoneOffset.UTC);
        return time.toLocalDate() + " " + DateTimeFormatter.ISO_LOCAL_TIME.format(time);
    }
}
