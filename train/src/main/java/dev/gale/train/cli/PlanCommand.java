package dev.gale.train.cli;

import dev.gale.tensor.ops.NullOps;
import dev.gale.train.MemoryPlan;
import dev.gale.train.config.TrainConfig;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `gale plan`: what the largest step of a run needs, without computing it.
@Command(name = "plan", mixinStandardHelpOptions = true,
        description = "Print the memory and arithmetic of a run's largest step, exactly, without running it.")
final class PlanCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private RunOptions run;

    @Override
    public Integer call() {
        spec.commandLine().getOut().println(plan(run.load()));
        return ExitCode.OK;
    }

    static MemoryPlan plan(TrainConfig config) {
        NullOps ops = new NullOps();
        try (TrainRun run = TrainRun.open(config, ops)) {
            return MemoryPlan.of(ops, run.model(), run.trainer());
        }
    }
}
