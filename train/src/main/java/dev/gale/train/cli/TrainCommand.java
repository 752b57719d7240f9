package dev.gale.train.cli;

import dev.gale.train.SftTrainer;
import dev.gale.train.config.TrainConfig;
import dev.gale.train.metric.ProgressLine;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale train`: runs what a YAML file describes.
@Command(name = "train", mixinStandardHelpOptions = true, description = "Train adapters, or a whole model, as a YAML file describes.")
final class TrainCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private RunOptions run;

    @Mixin
    private DeviceOption device;

    @Option(names = "--dry-run", description = "Check everything, print the memory plan, and exit.")
    private boolean dryRun;

    @Option(names = "--resume", paramLabel = "DIR", arity = "0..1", fallbackValue = "",
            description = "Go on from the newest checkpoint in output_dir, or from DIR.")
    private String resume;

    @Override
    public Integer call() {
        TrainConfig config = config();
        SftTrainer.checkFolders(config.training());
        PrintWriter out = spec.commandLine().getOut();
        if (dryRun) {
            out.println(PlanCommand.plan(config));
            return ExitCode.OK;
        }
        try (TrainRun open = TrainRun.open(config, device.open())) {
            open.model().adapter().ifPresent(adapter -> System.err.println(adapter.trainableReport()));
            SftTrainer.Summary summary = open.trainer().observe(ProgressLine::onStandardError).train();
            out.printf(Locale.ROOT, "%d steps, mean loss %.4f, %.1f s; the result is in %s%n", summary.globalStep(),
                    summary.trainLoss(), summary.seconds(), config.training().outputDir());
        }
        return ExitCode.OK;
    }

    private TrainConfig config() {
        TrainConfig config = run.load();
        if (resume == null) return config;
        String from = resume.isEmpty() ? config.training().outputDir().toString() : resume;
        return run.load("resume_from_checkpoint=" + from);
    }
}
