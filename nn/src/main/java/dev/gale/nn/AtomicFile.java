package dev.gale.nn;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/// A file that appears under its name only when it is complete: it is written beside it under a temporary name, forced
/// to disk and renamed. Until `commit`, whatever had the name before is untouched; `close` without it leaves no trace.
public final class AtomicFile implements AutoCloseable {
    private final Path target;
    private final Path temporary;
    private final FileChannel channel;
    private boolean committed;

    /// Starts a file, making its folders.
    /// Throws: InputException when nothing can be written there.
    public AtomicFile(Path target) {
        this.target = target.toAbsolutePath();
        try {
            Files.createDirectories(this.target.getParent());
            // not createTempFile: its files are readable by their owner alone, and stay so under their final name
            String unique = "." + target.getFileName() + "." + Long.toHexString(System.nanoTime()) + ".tmp";
            temporary = this.target.resolveSibling(unique);
            channel = FileChannel.open(temporary, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
    }

    /// Writes a whole text file in UTF-8.
    public static void write(Path target, String text) {
        try (AtomicFile file = new AtomicFile(target)) {
            file.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
            file.commit();
        }
    }

    /// Appends all remaining bytes.
    public void write(ByteBuffer bytes) {
        try {
            while (bytes.hasRemaining()) channel.write(bytes);
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
    }

    /// Gives the file its name.
    public void commit() {
        try {
            channel.force(true);
            channel.close();
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            committed = true;
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
    }

    @Override
    public void close() {
        if (committed) return;
        try {
            channel.close();
            Files.deleteIfExists(temporary);
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
    }

    private static InputException cannotWrite(Path target, IOException e) {
        return new InputException("cannot write %s (%s); check the folder, its permissions and the free space"
                .formatted(target, e), e);
    }
}
