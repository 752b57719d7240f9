package dev.gale.train.checkpoint;

import dev.gale.tensor.InputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// What must hold of a folder before a run spends time on something that will be written there.
public final class OutputFolder {
    private static final List<String> RESULTS = List.of("trainer_state.json", "adapter_model.safetensors",
            "model.safetensors", "model.safetensors.index.json");

    private OutputFolder() {}

    /// Throws: InputException when the folder is a file, or neither it nor the first folder above it can be written to.
    ///
    /// @param option where the folder was named, for the message
    public static void requireWritable(String option, Path folder) {
        Path existing = folder.toAbsolutePath().normalize();
        while (!Files.exists(existing)) existing = existing.getParent();
        if (!Files.isDirectory(existing)) {
            throw new InputException("%s %s: %s is a file; name a folder".formatted(option, folder, existing));
        }
        if (Files.isWritable(existing)) return;
        throw new InputException("%s %s: %s cannot be written to; check its permissions or name another folder"
                .formatted(option, folder, existing));
    }

    /// Throws: InputException as `requireWritable`, or when the folder is there already and has something in it.
    public static void requireNew(String option, Path folder) {
        requireWritable(option, folder);
        if (!Files.exists(folder)) return;
        try (Stream<Path> entries = Files.list(folder)) {
            if (entries.findAny().isEmpty()) return;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        throw new InputException(option + " " + folder + " is there already and not empty: name a new folder");
    }

    /// Throws: InputException when the folder has the result of a run, or a model.
    public static void requireNoResult(Path folder) {
        for (String name : RESULTS) {
            if (!Files.exists(folder.resolve(name))) continue;
            throw new InputException("%s holds a model or a run already (%s): choose another output_dir, or set "
                    .formatted(folder, name) + "overwrite_output_dir");
        }
    }

    /// Throws: InputException when what is written would replace the files of the model that is read.
    public static void requireApart(Path folder, Path model) {
        try {
            if (!Files.exists(folder) || !Files.isSameFile(folder, model)) return;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        throw new InputException(folder + " is the folder of the model itself: choose another output_dir");
    }
}
