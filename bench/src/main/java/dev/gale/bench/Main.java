package dev.gale.bench;

import dev.gale.bench.operation.KernelsCommand;
import dev.gale.bench.parity.ParityCommand;
import dev.gale.bench.report.TableCommand;
import dev.gale.bench.step.StepCommand;
import dev.gale.train.cli.CommandErrors;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `gale bench`: measures and adds rows to bench/results under the current folder.
@Command(name = "gale bench", mixinStandardHelpOptions = true, description = "Measures whole steps and single kernels.",
        synopsisSubcommandLabel = "COMMAND", commandListHeading = "%nCommands:%n",
        subcommands = {StepCommand.class, KernelsCommand.class, ParityCommand.class, TableCommand.class})
public final class Main implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    private Main() {}

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        return CommandErrors.handle(new CommandLine(new Main()), () -> System.getenv("GALE_STACKTRACE") != null);
    }

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCode.USAGE;
    }
}
