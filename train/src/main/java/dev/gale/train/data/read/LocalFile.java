package dev.gale.train.data.read;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/// A file that another program can read by its path: the file itself, or an unpacked copy, which goes when it is closed.
record LocalFile(Path path, boolean copied) implements AutoCloseable {

    static LocalFile of(DataFile file) throws IOException {
        if (file.isPlain()) return new LocalFile(file.path(), false);
        LocalFile copy = temporary("");
        try (InputStream in = file.bytes()) {
            Files.copy(in, copy.path, StandardCopyOption.REPLACE_EXISTING);
            return copy;
        } catch (IOException | RuntimeException e) {
            copy.close();
            throw e;
        }
    }

    /// An empty one to write into.
    static LocalFile temporary(String ending) throws IOException {
        Path path = Files.createTempFile("gale-", ending);
        path.toFile().deleteOnExit();
        return new LocalFile(path, true);
    }

    @Override
    public void close() {
        if (copied && !path.toFile().delete()) path.toFile().deleteOnExit();
    }
}
