package dev.gale.train.cli;

import dev.gale.train.data.clean.CleanOptions;
import dev.gale.train.data.clean.Cleaner;
import dev.gale.train.data.clean.PersonalData;
import dev.gale.train.data.clean.Reason;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gale data clean`: the rows that are fit to train on, and the others with the reason.
@Command(name = "clean", mixinStandardHelpOptions = true,
        description = "Copy the rows that are fit to train on; put the others, each with its reason, into a second file.")
final class DataCleanCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "FILE", description = "File or folder of rows, or org/name after gale pull --dataset.")
    private Path input;
    @Mixin
    private RowsOption rows;

    @Option(names = "--output", required = true, paramLabel = "FILE.jsonl",
            description = "New file for the rows that are kept.")
    private Path output;

    @Option(names = "--removed", paramLabel = "FILE.jsonl",
            description = "New file for the others (default: --output with .removed.jsonl).")
    private Path removed;

    @Option(names = "--columns", paramLabel = "NAME", split = ",",
            description = "Columns that carry the text (default: those that formats of training data have, or else all).")
    private List<String> columns = new ArrayList<>();

    @Option(names = "--near-duplicates", paramLabel = "J", defaultValue = "0.8",
            description = "Texts are one from this Jaccard index of their word triples on; 0 keeps them (default: "
                    + "${DEFAULT-VALUE}).")
    private double nearDuplicates;

    @Option(names = "--keep-exact-duplicates", description = "Keep rows whose text was there before.")
    private boolean keepExact;

    @Option(names = "--personal-data", paramLabel = "keep|mask|remove", defaultValue = "keep",
            description = "Keep it, put <EMAIL> and the like in its place, or remove its rows (default: ${DEFAULT-VALUE}).")
    private PersonalData.Action personal;

    @Option(names = "--personal-kinds", paramLabel = "KIND", split = ",",
            description = "Of ${COMPLETION-CANDIDATES} (default: all).")
    private List<PersonalData> kinds = new ArrayList<>();

    @Option(names = "--languages", paramLabel = "CODE", split = ",",
            description = "Languages to keep, e.g. en,de (default: all).")
    private List<String> languages = new ArrayList<>();

    @Option(names = "--min-chars", paramLabel = "N", defaultValue = "1",
            description = "Of the whole text (default: ${DEFAULT-VALUE}).")
    private int minChars;

    @Option(names = "--max-chars", paramLabel = "N", defaultValue = "0",
            description = "Of the whole text, 0 for any number (default: ${DEFAULT-VALUE}).")
    private int maxChars;

    @Option(names = "--keep-empty-answers", description = "Keep rows with nothing to learn.")
    private boolean emptyAnswers;

    @Option(names = "--max-symbols", paramLabel = "SHARE", defaultValue = "1",
            description = "Of symbols in a text, e.g. 0.3 (default: ${DEFAULT-VALUE}, any).")
    private double maxSymbols;

    @Option(names = "--max-repetition", paramLabel = "SHARE", defaultValue = "1",
            description = "Of repeated lines or 5-grams of words, e.g. 0.3 (default: ${DEFAULT-VALUE}, any).")
    private double maxRepetition;

    @Option(names = "--max-broken", paramLabel = "SHARE", defaultValue = "1",
            description = "Of characters that a wrong encoding left, e.g. 0.001 (default: ${DEFAULT-VALUE}, any).")
    private double maxBroken;

    @Override
    public Integer call() {
        Set<PersonalData> wanted = kinds.isEmpty() ? EnumSet.allOf(PersonalData.class) : EnumSet.copyOf(kinds);
        CleanOptions options = new CleanOptions(columns, !keepExact, nearDuplicates, personal, wanted,
                new LinkedHashSet<>(languages), minChars, maxChars, emptyAnswers, maxSymbols, maxRepetition, maxBroken);
        Path others = removed != null ? removed
                : output.resolveSibling(output.getFileName().toString().replaceFirst("\\.jsonl$", "") + ".removed.jsonl");
        Cleaner.Summary summary = new Cleaner(options).run(rows.of(input), output, others);
        PrintWriter out = spec.commandLine().getOut();
        out.printf("%,12d rows read%n", summary.rows());
        for (Reason reason : Reason.values()) {
            long count = summary.removed().get(reason);
            if (count > 0) out.printf("%,12d removed: %s, %s%n", count, reason, reason.meaning());
        }
        summary.masked().forEach((kind, count) -> out.printf("%,12d masked: %s%n", count, kind));
        out.printf("%,12d rows kept in %s; the others are in %s%n", summary.kept(), output, others);
        out.flush();
        return ExitCode.OK;
    }
}
