package dev.gale.train.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `gale data`: what to do with data before training on it.
@Command(name = "data", mixinStandardHelpOptions = true, description = "Look at, clean, split and mix data to train on.",
        subcommands = {DataCleanCommand.class, DataSplitCommand.class, DataMixCommand.class, DataReportCommand.class})
final class DataCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCode.USAGE;
    }
}
