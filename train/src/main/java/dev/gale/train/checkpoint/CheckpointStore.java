package dev.gale.train.checkpoint;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/// The folders `checkpoint-<step>` of a run. A checkpoint is written under another name and renamed when it is whole, so
/// a folder of that name can always be resumed from.
public final class CheckpointStore {
    private static final String PREFIX = "checkpoint-";
    private static final String UNFINISHED = ".unfinished";

    private final Path outputDir;

    public CheckpointStore(Path outputDir) {
        this.outputDir = outputDir;
    }

    /// Writes the files of a checkpoint into the folder it is given.
    @FunctionalInterface
    public interface Writer {
        void write(Path directory) throws IOException;
    }

    /// Writes a checkpoint of this step. One of the same step is replaced.
    public Path save(long step, Writer writer) {
        Path target = outputDir.resolve(PREFIX + step);
        Path unfinished = outputDir.resolve(PREFIX + step + UNFINISHED);
        try {
            Files.createDirectories(outputDir);
            deleteTree(unfinished);
            Files.createDirectory(unfinished);
            writer.write(unfinished);
            deleteTree(target);
            Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + target + ": " + e.getMessage(), e);
        }
    }

    /// Whole checkpoints, oldest first.
    public List<Path> list() {
        if (!Files.isDirectory(outputDir)) return List.of();
        try (Stream<Path> children = Files.list(outputDir)) {
            return children.filter(path -> step(path) >= 0).sorted(Comparator.comparingLong(CheckpointStore::step)).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public Optional<Path> latest() {
        List<Path> all = list();
        return all.isEmpty() ? Optional.empty() : Optional.of(all.getLast());
    }

    /// The newest checkpoint.
    /// Throws: InputException when there is none.
    public Path requireLatest() {
        return latest().orElseThrow(() -> new InputException(
                outputDir + " has no checkpoint to resume from: start the run without --resume"));
    }

    /// A checkpoint's own folder.
    /// Throws: InputException when it is none.
    public static Path require(Path checkpoint) {
        if (Files.isRegularFile(checkpoint.resolve("trainer_state.json"))) return checkpoint;
        throw new InputException(checkpoint
                + " is no checkpoint: it has no trainer_state.json; resume from another one");
    }

    /// Deletes the oldest checkpoints until `limit` are left, but never the newest nor `best`; a limit below 1 keeps all.
    public void prune(int limit, String best) {
        if (limit < 1) return;
        List<Path> all = list();
        int excess = all.size() - limit;
        for (Path path : all.subList(0, Math.max(0, all.size() - 1))) {
            if (excess <= 0) return;
            if (path.getFileName().toString().equals(best)) continue;
            try {
                deleteTree(path);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            excess--;
        }
    }

    /// The step of a checkpoint folder; -1 for anything else.
    private static long step(Path path) {
        String name = path.getFileName().toString();
        return name.matches(PREFIX + "\\d{1,18}") && Files.isDirectory(path) ? Long.parseLong(name.substring(PREFIX.length()))
                : -1;
    }

    private static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root)) return;
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
        }
    }
}
