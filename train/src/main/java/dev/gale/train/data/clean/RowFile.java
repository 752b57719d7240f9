package dev.gale.train.data.clean;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/// A JSONL file that is being written; it gets its name when it is whole.
final class RowFile implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(JsonGenerator.Feature.WRITE_BIGDECIMAL_AS_PLAIN).build();

    private final Path file;
    private final Path partial;
    private final OutputStream out;
    private long rows;
    private boolean finished;

    /// Throws InputException when the file is there already or cannot be written.
    RowFile(Path file) {
        requireNew(file);
        this.file = file;
        this.partial = file.resolveSibling(file.getFileName() + ".partial");
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            out = new BufferedOutputStream(Files.newOutputStream(partial), 1 << 18);
        } catch (IOException e) {
            throw new InputException("%s cannot be written (%s): name another file".formatted(file, e.getMessage()), e);
        }
    }

    /// Throws InputException when there is such a file already.
    static void requireNew(Path file) {
        if (Files.exists(file)) throw new InputException(file + " is there already: name a new file, or remove it first");
    }

    static byte[] json(ObjectNode row) {
        try {
            return JSON.writeValueAsBytes(row);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    void add(byte[] json) {
        try {
            int length = json.length;
            while (length > 0 && (json[length - 1] == '\r' || json[length - 1] == '\n')) length--;
            out.write(json, 0, length);
            out.write('\n');
            rows++;
        } catch (IOException e) {
            throw new UncheckedIOException("%s cannot be written: %s".formatted(partial, e.getMessage()), e);
        }
    }

    /// Puts what was added onto the disk, so that `partial` can be read.
    void flush() {
        try {
            out.flush();
        } catch (IOException e) {
            throw new UncheckedIOException("%s cannot be written: %s".formatted(partial, e.getMessage()), e);
        }
    }

    /// Where the rows are until the file is finished.
    Path partial() {
        return partial;
    }

    long rows() {
        return rows;
    }

    /// Gives the file its name.
    void finish() {
        try {
            out.close();
            Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE);
            finished = true;
        } catch (IOException e) {
            throw new UncheckedIOException("%s cannot be written: %s".formatted(file, e.getMessage()), e);
        }
    }

    /// Removes what was written unless it was finished.
    @Override
    public void close() {
        if (finished) return;
        try {
            out.close();
            Files.deleteIfExists(partial);
        } catch (IOException e) {
            throw new UncheckedIOException("%s cannot be removed: %s".formatted(partial, e.getMessage()), e);
        }
    }
}
