package dev.gale.train.cli;

import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.NullOps;
import dev.gale.train.MemoryPlan;
import dev.gale.train.config.TrainConfig;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `gale plan`: what the largest step of a run needs, on the CPU or on a device, without computing it.
@Command(name = "plan", mixinStandardHelpOptions = true,
        description = "Print the memory and arithmetic of a run's largest step, exactly, without running it.")
final class PlanCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private RunOptions run;

    @Mixin
    private DeviceOption device;

    @Override
    public Integer call() {
        TrainConfig config = run.load();
        spec.commandLine().getOut().println(plan(config, device.choose(config.training())));
        return ExitCode.OK;
    }

    /// A table for people.
    ///
    /// @param device none is the CPU
    static String plan(TrainConfig config, Optional<ComputeDevice> device) {
        return device.map(chosen -> DevicePlan.of(config, chosen).toString()).orElseGet(() -> onCpu(config).toString());
    }

    private static MemoryPlan onCpu(TrainConfig config) {
        NullOps ops = new NullOps();
        try (TrainRun run = TrainRun.open(config, ops)) {
            return MemoryPlan.of(ops, run.model(), run.trainer());
        }
    }
}
