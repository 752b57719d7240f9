package dev.gale.train.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/// Writes a `TokenFile` one example at a time. Entries wait in a file of their own until all examples are written.
final class TokenFileWriter implements AutoCloseable {
    private final Path entryFile;
    private final FileChannel channel;
    private final FileChannel entryChannel;
    private final ByteBuffer data = ByteBuffer.allocateDirect(1 << 20).order(ByteOrder.LITTLE_ENDIAN);
    private final ByteBuffer entries = ByteBuffer.allocateDirect(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
    private final CRC32C sum = new CRC32C();
    private long offset;
    private long count;

    /// Opens a new file.
    TokenFileWriter(Path file) throws IOException {
        entryFile = file.resolveSibling(file.getFileName() + ".entries");
        channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE);
        try {
            entryChannel = FileChannel.open(entryFile, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.READ, StandardOpenOption.WRITE);
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /// @param mark a number to keep beside the example
    void append(Example example, int mark) throws IOException {
        if (entries.remaining() < TokenFile.ENTRY) flush(entries, entryChannel);
        entries.putLong(offset).putInt(example.length()).putInt(example.trainedTokens()).putInt(mark);
        for (int id : example.ids()) {
            room(4);
            data.putInt(id);
        }
        boolean[] trained = example.trained();
        for (int i = 0; i < trained.length; i += 8) {
            int bits = 0;
            for (int bit = 0; bit < 8 && i + bit < trained.length; bit++) {
                if (trained[i + bit]) bits |= 1 << bit;
            }
            room(1);
            data.put((byte) bits);
        }
        offset += 4L * example.length() + (example.length() + 7) / 8;
        count++;
    }

    private void room(int bytes) throws IOException {
        if (data.remaining() < bytes) flushData();
    }

    private void flushData() throws IOException {
        data.flip();
        sum.update(data.duplicate());
        while (data.hasRemaining()) channel.write(data);
        data.clear();
    }

    private static void flush(ByteBuffer buffer, FileChannel to) throws IOException {
        buffer.flip();
        while (buffer.hasRemaining()) to.write(buffer);
        buffer.clear();
    }

    /// Puts the entries and the end behind the examples, onto the disk.
    void finish() throws IOException {
        flush(entries, entryChannel);
        flushData();
        entryChannel.position(0);
        while (entryChannel.read(data) >= 0) flushData();
        data.putLong(count).putLong(offset);
        flushData();
        data.putLong(sum.getValue()).putLong(TokenFile.MAGIC);
        data.flip();
        while (data.hasRemaining()) channel.write(data);
        channel.force(true);
    }

    @Override
    public void close() throws IOException {
        channel.close();
        entryChannel.close();
        Files.deleteIfExists(entryFile);
    }
}
