package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import dev.gale.train.data.clean.Mixer;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gale data mix`: one file of several in given shares.
@Command(name = "mix", mixinStandardHelpOptions = true, description = "Make one file of several, in given shares.")
final class DataMixCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(arity = "2..*", paramLabel = "FILE:SHARE", description = "e.g. a.jsonl:0.75 org/name:0.25")
    private List<String> parts;
    @Mixin
    private RowsOption chosen;

    @Option(names = "--output", required = true, paramLabel = "FILE.jsonl", description = "New file.")
    private Path output;

    @Option(names = "--rows", paramLabel = "N", defaultValue = "0",
            description = "Rows of the result; files too small for their share are repeated (default: as many as there are "
                    + "without).")
    private long rows;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "42", description = "Of the choice (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Override
    public Integer call() {
        if (rows < 0) throw new InputException("--rows must be at least 0, got " + rows);
        List<Mixer.Taken> taken = Mixer.run(parts.stream().map(part -> Mixer.Part.parse(part, chosen::of)).toList(),
                output, rows, seed);
        PrintWriter out = spec.commandLine().getOut();
        for (Mixer.Taken part : taken) {
            out.printf("%,12d rows from the %,d of %s%s%n", part.rows(), part.of(), part.part().name(),
                    part.rows() > part.of() ? ", repeated" : "");
        }
        out.printf("%,12d rows in %s%n", taken.stream().mapToLong(Mixer.Taken::rows).sum(), output);
        out.flush();
        return ExitCode.OK;
    }
}
