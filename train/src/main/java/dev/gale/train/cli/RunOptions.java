package dev.gale.train.cli;

import dev.gale.train.config.TrainConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// What names a run on the command line: its file, and changes to it.
final class RunOptions {
    @Parameters(paramLabel = "CONFIG", description = "Run configuration, YAML.")
    private Path config;

    @Option(names = "--set", paramLabel = "KEY=VALUE",
            description = "Override one key of the configuration; repeatable.")
    private List<String> overrides = new ArrayList<>();

    TrainConfig load() {
        return load(List.of());
    }

    /// @param more overrides that come last
    TrainConfig load(List<String> more) {
        List<String> all = new ArrayList<>(overrides);
        all.addAll(more);
        return TrainConfig.load(config, all).withModels(HubEnvironment::model);
    }
}
