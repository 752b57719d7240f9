package dev.gale.train.cli;

import dev.gale.train.data.read.ReadOptions;
import dev.gale.train.data.report.DataReport;
import dev.gale.train.data.report.ReportOptions;
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

/// `gale data report`: a page about data, to read before training on it.
@Command(name = "report", mixinStandardHelpOptions = true,
        description = "Write an HTML page about data: lengths, duplicates, leakage, languages, personal data, answers, labels, "
                + "examples.")
final class DataReportCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "FILE", description = "File or folder of rows, or org/name after gale pull --dataset.")
    private Path input;
    @Mixin
    private RowsOption rows;

    @Option(names = "--output", paramLabel = "FILE.html", description = "The page (default: FILE with .report.html, here).")
    private Path output;

    @Option(names = "--tokenizer", paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "Model or tokenizer folder, or org/name after gale pull: for exact lengths and what is learned.")
    private Path tokenizer;

    @Option(names = "--max-length", paramLabel = "N", defaultValue = "1024",
            description = "max_length of the training, in tokens (default: ${DEFAULT-VALUE}).")
    private int maxLength;

    @Option(names = "--validation", paramLabel = "FILE", description = "Rows to evaluate on, to look for in the others.")
    private Path validation;
    @Option(names = "--validation-split", paramLabel = "SPLIT",
            description = "Of --validation (default: train), or, without that, of FILE.")
    private String validationSplit;

    @Option(names = "--assistant-only-loss", description = "Show what is learned with assistant_only_loss.")
    private boolean assistantOnly;

    @Option(names = "--near-duplicates", paramLabel = "J", defaultValue = "0.8",
            description = "Texts are one from this Jaccard index of their word triples on (default: ${DEFAULT-VALUE}).")
    private double nearDuplicates;

    @Option(names = "--columns", paramLabel = "NAME", split = ",",
            description = "Columns that carry the text (default: those that formats of training data have, or else all).")
    private List<String> columns = new ArrayList<>();

    @Option(names = "--examples", paramLabel = "N", defaultValue = "6",
            description = "Rows to show (default: ${DEFAULT-VALUE}).")
    private int examples;

    @Override
    public Integer call() {
        Path page = output != null ? output
                : Path.of(input.getFileName().toString().replaceFirst("\\.(jsonl?|gz|zst)(\\.(gz|zst))?$", "")
                + ".report.html");
        ReportOptions options = new ReportOptions(input.getFileName().toString(), rows.of(input), validation(),
                Optional.ofNullable(tokenizer), maxLength, assistantOnly, nearDuplicates, columns, examples);
        List<String> findings = DataReport.write(options, page);
        PrintWriter out = spec.commandLine().getOut();
        findings.forEach(out::println);
        out.println("report: " + page);
        out.flush();
        return ExitCode.OK;
    }

    private Optional<ReadOptions> validation() {
        if (validation == null && validationSplit == null) return Optional.empty();
        return Optional.of(rows.of(validation == null ? input : validation,
                validationSplit == null ? "train" : validationSplit));
    }
}
