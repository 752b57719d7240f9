package dev.gale.train.cli;

import dev.gale.tensor.cpu.CpuOps;
import dev.gale.train.MemoryPlan;
import dev.gale.train.SftTrainer;
import dev.gale.train.config.TrainConfig;
import dev.gale.train.metric.ProgressLine;
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

/// `gale train`: runs what a YAML file describes.
@Command(name = "train", mixinStandardHelpOptions = true, description = "Train adapters, or a whole model, as a YAML file describes.")
final class TrainCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "CONFIG", description = "Run configuration, YAML.")
    private Path config;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "Override one key of the configuration; repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(names = "--dry-run", description = "Check everything, print the memory plan, and exit.")
    private boolean dryRun;

    @Option(names = "--resume", paramLabel = "DIR", arity = "0..1", fallbackValue = "",
            description = "Go on from the newest checkpoint in output_dir, or from DIR.")
    private String resume;

    @Override
    public Integer call() {
        TrainConfig run = TrainConfig.load(config, overrides);
        if (resume != null) {
            run = TrainConfig.load(config, withResume(resume.isEmpty() ? run.training().outputDir().toString() : resume));
        }
        PrintWriter out = spec.commandLine().getOut();
        if (dryRun) {
            MemoryPlan plan = PlanCommand.plan(run);
            out.println(plan);
            return ExitCode.OK;
        }
        try (TrainRun open = TrainRun.open(run, new CpuOps())) {
            open.model().adapter().ifPresent(adapter -> System.err.println(adapter.trainableReport()));
            SftTrainer.Summary summary = open.trainer().observe(ProgressLine::onStandardError).train();
            out.printf(Locale.ROOT, "%d steps, mean loss %.4f, %.1f s; the result is in %s%n", summary.globalStep(),
                    summary.trainLoss(), summary.seconds(), run.training().outputDir());
        }
        return ExitCode.OK;
    }

    private List<String> withResume(String from) {
        List<String> all = new ArrayList<>(overrides);
        all.add("resume_from_checkpoint=" + from);
        return all;
    }
}
