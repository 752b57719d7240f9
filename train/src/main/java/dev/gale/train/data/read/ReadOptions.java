package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// Which rows to read, and from where.
///
/// @param path      a file, a folder of files such as a dataset of the hub, or a pattern such as `data/*.jsonl`; empty
///                  where `dataFiles` says all
/// @param name      configuration of a folder whose README.md describes several
/// @param dataFiles files of the folder, by split, instead of those that its README.md or the names of its files tell
/// @param split     rows of it as Hugging Face's `datasets` writes them: `train`, `train[:10%]`, `train[:100]+test`
/// @param columns   names that columns get, and those that they have in the files
/// @param where     condition in SQL on the columns as the files name them
/// @param sampleBy  what a row of a plain text file is
/// @param maxSamples rows to read at most, 0 for all
public record ReadOptions(Path path, Optional<String> name, DataFiles dataFiles, String split, Map<String, String> columns,
                          Optional<String> where, SampleBy sampleBy, long maxSamples) {
    public ReadOptions {
        if (where.isPresent() && where.get().isBlank()) {
            throw new InputException("the condition is empty; write one such as length(output) > 20, or leave it out");
        }
        columns = new LinkedHashMap<>(columns);
    }

    /// All rows of the training split.
    public static ReadOptions of(Path path) {
        return new ReadOptions(path, Optional.empty(), DataFiles.NONE, "train", Map.of(), Optional.empty(), SampleBy.LINE, 0);
    }
}
