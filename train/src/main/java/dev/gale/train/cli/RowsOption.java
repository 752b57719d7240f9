package dev.gale.train.cli;

import dev.gale.train.data.read.DataFiles;
import dev.gale.train.data.read.ReadOptions;
import dev.gale.train.data.read.SampleBy;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Option;

/// Which rows of a file, folder or dataset of a hub a command reads; the same as keys of a run's `dataset`.
final class RowsOption {
    @Option(names = "--split", paramLabel = "SPLIT", defaultValue = "train",
            description = "Rows of it, e.g. test or train[:10%%] (default: ${DEFAULT-VALUE}).")
    private String split;
    @Option(names = "--name", paramLabel = "NAME", description = "Configuration of a folder or dataset that has several.")
    private String name;
    @Option(names = "--where", paramLabel = "SQL",
            description = "Condition on the rows, e.g. \"length(output) > 20\"; needs DuckDB.")
    private String where;

    /// The rows of a file, a folder, a pattern, or a dataset that was pulled.
    /// Throws: InputException when it is a dataset that was not.
    ReadOptions of(Path given) {
        return of(given, split);
    }

    /// The same of another split.
    ReadOptions of(Path given, String otherSplit) {
        return new ReadOptions(HubEnvironment.rows(given), Optional.ofNullable(name), DataFiles.NONE, otherSplit, Map.of(),
                Optional.ofNullable(where), SampleBy.LINE, 0);
    }
}
