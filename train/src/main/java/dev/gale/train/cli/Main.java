package dev.gale.train.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/// The `gale` command. Exit codes: 0 done, 1 the run failed or a comparison is beyond its tolerance, 2 the command line
/// or a file that was given is wrong. Results go to stdout, progress and complaints to stderr.
@Command(name = "gale", mixinStandardHelpOptions = true, versionProvider = Version.class,
        description = "Fine-tunes open language models in plain Java.",
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        subcommands = {TrainCommand.class, PlanCommand.class, GenerateCommand.class, MergeCommand.class,
                QuantizeCommand.class, EvalCommand.class,
                VerifyCommand.class, TokenizeCommand.class, PullCommand.class, DataCommand.class,
                DevicesCommand.class, DemoCommand.class},
        footer = {"", "With sources, also: gale test, gale dist [DIR]. gale COMMAND --help says more."})
public final class Main implements Callable<Integer> {
    @Option(names = "--stacktrace", scope = ScopeType.INHERIT,
            description = "Print the stack trace of an error (also with GALE_STACKTRACE=1).")
    private boolean stacktrace = System.getenv("GALE_STACKTRACE") != null;

    @Spec
    private CommandSpec spec;

    private Main() {}

    public static void main(String[] args) {
        VectorModule.load();
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        Main main = new Main();
        return CommandErrors.handle(new CommandLine(main), () -> main.stacktrace);
    }

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCode.USAGE;
    }
}
