package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import java.util.function.BooleanSupplier;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/// How commands complain: one sentence on stderr, exit code 2 for bad input and 1 for everything else.
public final class CommandErrors {
    private CommandErrors() {}

    /// @param stacktrace whether the stack trace of an error is wanted, asked when there is one
    public static CommandLine handle(CommandLine line, BooleanSupplier stacktrace) {
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setUsageHelpAutoWidth(true);
        line.setParameterExceptionHandler(CommandErrors::usageError);
        line.setExecutionExceptionHandler((error, command, parsed) -> failed(error, command, stacktrace.getAsBoolean()));
        return line;
    }

    private static int usageError(ParameterException error, String[] args) {
        error.getCommandLine().getErr().println("gale: " + sentence(error));
        return ExitCode.USAGE;
    }

    private static String sentence(ParameterException error) {
        CommandLine line = error.getCommandLine();
        if (error instanceof UnmatchedArgumentException unmatched) {
            String given = unmatched.getUnmatched().getFirst();
            boolean command = !given.startsWith("-") && !line.getSubcommands().isEmpty();
            return InputException.unknown(command ? "command" : "option", given, command
                    ? line.getSubcommands().keySet() : line.getCommandSpec().optionsMap().keySet()).getMessage();
        }
        return error.getMessage().replaceAll("\\s*\\R\\s*", " ");
    }

    private static int failed(Exception error, CommandLine command, boolean stacktrace) {
        if (stacktrace) {
            error.printStackTrace(command.getErr());
        } else {
            command.getErr().println("gale: " + (error.getMessage() == null ? error.toString() : error.getMessage()));
        }
        return error instanceof InputException ? ExitCode.USAGE : ExitCode.SOFTWARE;
    }
}
