package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;

/// The `gale` command. Exit codes: 0 done, 1 the run failed or a comparison is beyond its tolerance, 2 the command line or
/// a file that was given is wrong. Results go to stdout, progress and complaints to stderr.
@Command(name = "gale", mixinStandardHelpOptions = true, versionProvider = Version.class,
        description = "Fine-tunes open language models in plain Java.",
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        footer = {"", "With sources, also: gale test, gale dist [DIR]. gale COMMAND --help says more."})
public final class Main implements Runnable {
    @Option(names = "--stacktrace", scope = ScopeType.INHERIT,
            description = "Print the stack trace of an error (also with GALE_STACKTRACE=1).")
    private boolean stacktrace = System.getenv("GALE_STACKTRACE") != null;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    private Main() {}

    public static void main(String[] args) {
        VectorModule.load();
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        Main main = new Main();
        CommandLine line = new CommandLine(main);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setUsageHelpAutoWidth(true);
        line.setParameterExceptionHandler(Main::usageError);
        line.setExecutionExceptionHandler((error, command, parsed) -> main.failed(error, command));
        return line;
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing: gale --help lists them");
    }

    private static int usageError(ParameterException error, String[] args) {
        PrintWriter err = error.getCommandLine().getErr();
        err.println("gale: " + oneLine(error.getMessage()));
        CommandLine.UnmatchedArgumentException.printSuggestions(error, err);
        return ExitCode.USAGE;
    }

    private int failed(Exception error, CommandLine command) {
        if (stacktrace) {
            error.printStackTrace(command.getErr());
        } else {
            command.getErr().println("gale: " + (error.getMessage() == null ? error.toString() : error.getMessage()));
        }
        return error instanceof InputException ? ExitCode.USAGE : ExitCode.SOFTWARE;
    }

    private static String oneLine(String message) {
        return message.replaceAll("\\s*\\R\\s*", " ");
    }
}
