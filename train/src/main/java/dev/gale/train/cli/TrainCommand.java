package dev.gale.train.cli;

import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.train.SftTrainer;
import dev.gale.train.config.TrainConfig;
import dev.gale.train.metric.ProgressLine;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale train`: runs what a YAML file describes.
@Command(name = "train", mixinStandardHelpOptions = true,
        description = "Train adapters, or a whole model, as a YAML file describes.")
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
        TrainConfig config = config(List.of());
        SftTrainer.checkFolders(config.training());
        PrintWriter out = spec.commandLine().getOut();
        Optional<ComputeDevice> chosen = device.choose(config.training());
        if (dryRun) {
            out.println(PlanCommand.plan(config, chosen));
            return ExitCode.OK;
        }
        try (TrainRun open = open(config, chosen)) {
            config.quantization().note(open.model().ops()).ifPresent(System.err::println);
            open.model().adapter().ifPresent(adapter -> System.err.println(adapter.trainableReport()));
            SftTrainer.Summary summary = open.trainer().observe(ProgressLine::onStandardError).train();
            out.printf(Locale.ROOT, "%d steps, mean loss %.4f, %.1f s; the result is in %s%n", summary.globalStep(),
                    summary.trainLoss(), summary.seconds(), config.training().outputDir());
        }
        return ExitCode.OK;
    }

    /// On a device only what fits there.
    private TrainRun open(TrainConfig config, Optional<ComputeDevice> chosen) {
        if (chosen.isEmpty()) return TrainRun.open(config, new CpuOps());
        SftTrainer.Examples examples = DevicePlan.require(this::config, chosen.get());
        return TrainRun.open(config, chosen.get().open(), examples);
    }

    /// @param changes `key=value`
    private TrainConfig config(List<String> changes) {
        TrainConfig config = run.load(changes);
        if (resume == null) return config;
        List<String> all = new ArrayList<>(changes);
        all.add("resume_from_checkpoint=" + (resume.isEmpty() ? config.training().outputDir() : resume));
        return run.load(all);
    }
}
