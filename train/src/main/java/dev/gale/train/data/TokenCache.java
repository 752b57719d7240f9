package dev.gale.train.data;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;

/// A folder of tokenized rows, under names made from all that they depend on. A file gets its name when it is whole; one
/// that is damaged is made again. Nothing is lost when the folder is deleted.
final class TokenCache {
    private final Path folder;

    private TokenCache(Path folder) {
        this.folder = folder;
    }

    /// Writes the examples of a dataset in their order.
    @FunctionalInterface
    interface Producer {
        void write(TokenFileWriter writer) throws IOException;
    }

    /// The folder that is given, or the system property `gale.cache`, the variable `GALE_CACHE`, or the user's cache folder;
    /// where that cannot be written, one that goes with this process.
    static TokenCache at(Optional<Path> given) {
        Path folder = given.orElseGet(TokenCache::usual);
        try {
            Files.createDirectories(folder);
            if (Files.isWritable(folder)) return new TokenCache(folder);
            if (given.isEmpty()) return new TokenCache(temporary());
        } catch (IOException e) {
            if (given.isEmpty()) return new TokenCache(temporary());
            throw notWritable(folder, e);
        }
        throw notWritable(folder, null);
    }

    private static InputException notWritable(Path folder, IOException cause) {
        return new InputException("dataset.cache_dir %s cannot be written to%s; check its permissions or name another folder"
                .formatted(folder, cause == null ? "" : " (" + cause.getMessage() + ")"), cause);
    }

    private static Path usual() {
        String named = System.getProperty("gale.cache", System.getenv("GALE_CACHE"));
        if (named != null && !named.isBlank()) return Path.of(named, "tokens");
        String cache = System.getenv("XDG_CACHE_HOME");
        Path home = Path.of(System.getProperty("user.home", "."));
        Path base = cache != null && !cache.isBlank() ? Path.of(cache) : home.resolve(".cache");
        return base.resolve("gale").resolve("tokens");
    }

    private static Path temporary() {
        try {
            Path folder = Files.createTempDirectory("gale-tokens-");
            folder.toFile().deleteOnExit();
            return folder;
        } catch (IOException e) {
            throw new InputException("no folder for tokenized rows can be written (%s); set dataset.cache_dir to one"
                    .formatted(e.getMessage()), e);
        }
    }

    /// The examples of this name, which are written first when they are not there or are damaged.
    TokenFile get(String name, Producer producer) {
        Path file = folder.resolve(name + ".tokens");
        Path unfinished = folder.resolve("%s.%s.unfinished".formatted(name, UUID.randomUUID()));
        try {
            TokenFile found = Files.isRegularFile(file) ? TokenFile.open(file) : null;
            if (found != null) return found;
            try (TokenFileWriter writer = new TokenFileWriter(unfinished)) {
                producer.write(writer);
                writer.finish();
            }
            Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            TokenFile written = TokenFile.open(file);
            if (written == null) throw new IOException("what was written is not what is read");
            if (folder.getFileName().toString().startsWith("gale-tokens-")) file.toFile().deleteOnExit();
            return written;
        } catch (IOException e) {
            throw new InputException(("tokenized rows cannot be kept in %s (%s); set dataset.cache_dir to a folder with "
                    + "room for them")
                    .formatted(folder, e.getMessage()), e);
        } finally {
            delete(unfinished);
        }
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            file.toFile().deleteOnExit();
        }
    }

    /// The number of rows noted under a name, once all of them were read without a complaint.
    OptionalInt rows(String name) {
        try {
            String text = Files.readString(folder.resolve(name + ".rows"));
            return text.matches("rows \\d{1,9}\n") ? OptionalInt.of(Integer.parseInt(text.substring(5).strip()))
                    : OptionalInt.empty();
        } catch (IOException e) {
            return OptionalInt.empty();
        }
    }

    void noteRows(String name, int rows) {
        Path unfinished = folder.resolve("%s.%s.unfinished".formatted(name, UUID.randomUUID()));
        try {
            Files.writeString(unfinished, "rows " + rows + "\n");
            Files.move(unfinished, folder.resolve(name + ".rows"), StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            delete(unfinished);                             // then they are read again the next time
        }
    }
}
