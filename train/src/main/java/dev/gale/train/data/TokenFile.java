package dev.gale.train.data;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.zip.CRC32C;

/// Tokenized examples in a file that is mapped into memory, so that the page cache holds them and not the heap.
///
/// Little endian. Per example `length` ids of 4 bytes and `ceil(length / 8)` bytes with a bit per trained token, the first
/// one lowest; then per example 20 bytes: offset (8), length (4), trained tokens (4), a mark (4); then 32 bytes: number of
/// examples (8), offset of the entries (8), CRC-32C of all before it (8), magic number (8).
final class TokenFile extends ExampleList {
    static final long MAGIC = 0x3154_4B4F_5445_4C47L;
    static final int ENTRY = 20;
    static final int END = 32;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment bytes;
    private final long entries;
    private final int size;

    private TokenFile(MemorySegment bytes, long entries, int size) {
        this.bytes = bytes;
        this.entries = entries;
        this.size = size;
    }

    /// Maps a file after reading it once; null when it is not what its writer finished.
    static TokenFile open(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long length = channel.size();
            if (length < END) return null;
            MemorySegment bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, length, Arena.ofAuto());
            long end = length - END;
            long count = bytes.get(LONG, end);
            long entries = bytes.get(LONG, end + 8);
            boolean whole = bytes.get(LONG, end + 24) == MAGIC && count >= 0 && count <= Integer.MAX_VALUE && entries >= 0
                    && entries + count * ENTRY == end && bytes.get(LONG, end + 16) == checksum(channel, end + 16);
            return whole ? new TokenFile(bytes, entries, (int) count) : null;
        }
    }

    private static long checksum(FileChannel channel, long length) throws IOException {
        CRC32C sum = new CRC32C();
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
        for (long at = 0; at < length; ) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), length - at));
            int read = channel.read(buffer, at);
            if (read < 0) break;
            sum.update(buffer.flip());
            at += read;
        }
        return sum.getValue();
    }

    private long entry(int index) {
        return entries + (long) Objects.checkIndex(index, size) * ENTRY;
    }

    @Override
    public Example get(int index) {
        long offset = bytes.get(LONG, entry(index));
        int length = length(index);
        int[] ids = new int[length];
        MemorySegment.copy(bytes, INT, offset, ids, 0, length);
        boolean[] trained = new boolean[length];
        long bits = offset + 4L * length;
        for (int i = 0; i < length; i++) {
            trained[i] = (bytes.get(ValueLayout.JAVA_BYTE, bits + (i >> 3)) >> (i & 7) & 1) == 1;
        }
        return new Example(ids, trained);
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int length(int index) {
        return bytes.get(INT, entry(index) + 8);
    }

    @Override
    public int trainedTokens(int index) {
        return bytes.get(INT, entry(index) + 12);
    }

    @Override
    int mark(int index) {
        return bytes.get(INT, entry(index) + 16);
    }
}
