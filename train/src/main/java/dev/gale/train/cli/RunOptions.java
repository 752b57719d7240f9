package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import dev.gale.train.config.TrainConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// What names a run on the command line: its file, and changes to it.
final class RunOptions {
    @Parameters(paramLabel = "CONFIG", arity = "0..1", description = "Run configuration, YAML.")
    private Path config;

    @Option(names = "--set", paramLabel = "KEY=VALUE",
            description = "Override one key of the configuration; repeatable.")
    private List<String> overrides = new ArrayList<>();

    boolean isGiven() {
        return config != null;
    }

    @Option(names = "--where", paramLabel = "SQL",
            description = "Read only rows that meet this condition, e.g. \"length(output) > 20\": dataset.where.")
    private String where;

    TrainConfig load() {
        return load(List.of());
    }

    /// @param more overrides that come last
    TrainConfig load(List<String> more) {
        if (config == null) throw new InputException("name the configuration of the run, a YAML file");
        List<String> all = new ArrayList<>(overrides);
        if (where != null) all.add("dataset.where='" + where.replace("'", "''") + "'");
        all.addAll(more);
        return TrainConfig.load(config, all).located(HubEnvironment::model, HubEnvironment::rows);
    }
}
