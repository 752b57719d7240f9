package dev.gale.train.cli;

import dev.gale.train.data.clean.SplitOptions;
import dev.gale.train.data.clean.Splitter;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gale data split`: parts to train and to test on that share nothing.
@Command(name = "split", mixinStandardHelpOptions = true,
        description = "Divide rows into train.jsonl, test.jsonl and perhaps validation.jsonl; near-duplicates stay together.")
final class DataSplitCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "FILE", description = "File or folder of rows, or org/name after gale pull --dataset.")
    private Path input;
    @Mixin
    private RowsOption rows;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "Folder for the parts.")
    private Path output;

    @Option(names = "--test-size", paramLabel = "SIZE", defaultValue = "0.1",
            description = "Share of the rows, or their number (default: ${DEFAULT-VALUE}).")
    private double testSize;

    @Option(names = "--validation-size", paramLabel = "SIZE", defaultValue = "0",
            description = "The same for a third part (default: ${DEFAULT-VALUE}, none).")
    private double validationSize;

    @Option(names = "--stratify", paramLabel = "COLUMN", description = "Give its values the same shares in all parts.")
    private String stratify;

    @Option(names = "--by-time", paramLabel = "COLUMN", description = "Test on the newest rows.")
    private String byTime;

    @Option(names = "--by-group", paramLabel = "COLUMN", description = "Keep rows with the same value together.")
    private String byGroup;

    @Option(names = "--near-duplicates", paramLabel = "J", defaultValue = "0.8",
            description = "Rows stay together from this Jaccard index of their word triples on; 0: equal texts only (default: "
                    + "${DEFAULT-VALUE}).")
    private double nearDuplicates;

    @Option(names = "--columns", paramLabel = "NAME", split = ",",
            description = "Columns that carry the text (default: those that formats of training data have, or else all).")
    private List<String> columns = new ArrayList<>();

    @Option(names = "--seed", paramLabel = "N", defaultValue = "42", description = "Of the choice (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Override
    public Integer call() {
        SplitOptions options = new SplitOptions(testSize, validationSize, Optional.ofNullable(stratify),
                Optional.ofNullable(byTime), Optional.ofNullable(byGroup), nearDuplicates, columns, seed);
        Splitter.Summary summary = new Splitter(options).run(rows.of(input), output);
        PrintWriter out = spec.commandLine().getOut();
        summary.rows().forEach((part, rows) -> out.printf("%,12d rows in %s%n", rows, output.resolve(part + ".jsonl")));
        summary.strata().forEach((value, rows) -> out.printf("%14s%s: %s%n", "", value, rows));
        if (summary.together() > 0) out.printf("%,12d rows are in groups that stayed together%n", summary.together());
        out.flush();
        return ExitCode.OK;
    }
}
