package dev.gale.train.cli;

import dev.gale.train.hub.FileChoice;
import dev.gale.train.hub.HubPull;
import dev.gale.train.hub.HubSettings;
import dev.gale.train.hub.PullProgress;
import dev.gale.train.hub.RepoId;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gale pull`: downloads a model or a dataset from a hub; prints the folder it is in.
@Command(name = "pull", mixinStandardHelpOptions = true,
        description = "Download a model or a dataset from a Hugging Face-compatible hub into the usual cache.",
        footer = {"", "HF_ENDPOINT names another hub, HF_TOKEN shows who asks, HF_HUB_CACHE or HF_HOME names the cache."})
final class PullCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "ORG/NAME[@REVISION]", description = "Repository, and a branch, tag or commit of it.")
    private String repo;

    @Option(names = "--dataset", description = "A dataset instead of a model.")
    private boolean dataset;

    @Option(names = "--include", paramLabel = "PATTERN", description = "Only files like this, e.g. '*.json'; repeatable.")
    private List<String> include = new ArrayList<>();

    @Option(names = "--cache-dir", paramLabel = "DIR", description = "Another cache than that of the environment.")
    private Path cache;

    @Option(names = "--max-workers", paramLabel = "N", defaultValue = "8",
            description = "Files downloaded at once (default: ${DEFAULT-VALUE}).")
    private int workers;

    @Override
    public Integer call() {
        RepoId id = RepoId.parse(dataset ? RepoId.Kind.DATASET : RepoId.Kind.MODEL, repo);
        HubSettings settings = HubEnvironment.settings().withWorkers(workers);
        if (cache != null) settings = settings.withCache(cache);
        PrintWriter err = spec.commandLine().getErr();
        HubPull.Result result = HubPull.run(id, settings, FileChoice.matching(include), new Report(err));
        if (!result.leftOut().isEmpty()) {
            err.printf("left out, being of no use to Gale or not asked for: %s%n", shortened(result.leftOut()));
        }
        spec.commandLine().getOut().println(result.folder());
        return ExitCode.OK;
    }

    private static String shortened(List<String> paths) {
        int shown = Math.min(paths.size(), 5);
        return String.join(", ", paths.subList(0, shown))
                + (shown < paths.size() ? " and %d more".formatted(paths.size() - shown) : "");
    }

    /// A line for each file, and one now and then while large files come.
    private static final class Report implements PullProgress {
        private static final long PAUSE_NANOS = 5_000_000_000L;

        private final PrintWriter err;
        private long total;
        private long received;
        private long said = System.nanoTime();

        Report(PrintWriter err) {
            this.err = err;
        }

        @Override
        public synchronized void begin(int files, long bytes, int present) {
            total = bytes;
            err.printf(Locale.ROOT, "%d files to download, %.1f MB; %d are in the cache%n", files, bytes / 1e6, present);
        }

        @Override
        public synchronized void received(long bytes) {
            received += bytes;
            long now = System.nanoTime();
            if (now - said < PAUSE_NANOS) return;
            said = now;
            err.printf(Locale.ROOT, "%.1f of %.1f MB%n", received / 1e6, total / 1e6);
        }

        @Override
        public synchronized void finished(String path, long bytes) {
            err.printf(Locale.ROOT, "%s, %.1f MB%n", path, bytes / 1e6);
        }

        @Override
        public synchronized void retried(String what, String problem) {
            err.printf("%s: %s, trying again%n", what, problem);
        }
    }
}
