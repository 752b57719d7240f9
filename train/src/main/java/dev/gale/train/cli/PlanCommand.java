package dev.gale.train.cli;

import dev.gale.nn.BitsAndBytesConfig;
import dev.gale.nn.HfConfig;
import dev.gale.nn.ModelConfig;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.train.MemoryPlan;
import dev.gale.train.config.TrainConfig;
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
import picocli.CommandLine.Spec;

/// `gale plan`: what the largest step of a run needs, on the CPU or on a device, or how a model's adapters can be trained in so
/// much memory; without computing anything.
@Command(name = "plan", mixinStandardHelpOptions = true,
        description = "Print the memory and arithmetic of a run's largest step, exactly, without running it; or, with --model "
                + "and --gpu-memory, the fastest setting in which adapters of a model can be trained, and the longest "
                + "sequence.")
final class PlanCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private RunOptions run;

    @Mixin
    private DeviceOption device;

    @Option(names = "--model", paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "Folder of a model, of which its config.json is enough, or org/name after gale pull. Instead of "
                    + "CONFIG.")
    private Path model;

    @Option(names = "--seq", paramLabel = "S", defaultValue = "2048", description = "Tokens of a sequence (${DEFAULT-VALUE}).")
    private int seq;

    @Option(names = "--batch", paramLabel = "B", defaultValue = "1", description = "Sequences side by side (${DEFAULT-VALUE}).")
    private int batch;

    @Option(names = "--lora-r", paramLabel = "R", defaultValue = "16", description = "Rank of the adapters (${DEFAULT-VALUE}).")
    private int rank;

    @Option(names = "--quantization", paramLabel = "none|nf4|nf4_nested|fp4|fp4_nested|int8", defaultValue = "nf4_nested",
            description = "How the weights of layers are held, if the model does not say so (${DEFAULT-VALUE}).")
    private String quantization;

    @Mixin
    private RooflineOption peaks;

    @Option(names = "--link-gbs", paramLabel = "N", defaultValue = "50",
            description = "Between host and device, GB/s each way (${DEFAULT-VALUE}).")
    private double linkGbs;

    @Override
    public Integer call() {
        spec.commandLine().getOut().println(model == null ? plan() : fit());
        return ExitCode.OK;
    }

    private String plan() {
        TrainConfig config = run.load();
        return plan(config, device.choose(config.training()));
    }

    private String fit() {
        if (run.isGiven()) throw new InputException("give a configuration or --model, not both");
        positive("--seq", seq);
        positive("--batch", batch);
        positive("--lora-r", rank);
        peaks.check();
        positive("--link-gbs", linkGbs);
        ModelConfig config = HfConfig.read(model);
        Optional<Quantization> packed = BitsAndBytesConfig.read(model).map(BitsAndBytesConfig::quantization);
        Quantization kind = packed.orElseGet(this::chosenQuantization);
        ComputeDevice target = device.memory().map(DeviceOption::imagined).or(device::choose).orElseThrow(() ->
                new InputException("there is no GPU here to plan for: say with --gpu-memory how much memory one has"));
        return new FitSearch(config, kind, rank, batch, target, peaks.roofline(), linkGbs * 1e9)
                .report(seq, keys(packed.isEmpty() ? kind : null));
    }

    private static void positive(String option, double value) {
        if (!(value > 0)) throw new InputException("%s must be above 0, got %s".formatted(option, value));
    }

    private Quantization chosenQuantization() {
        if (quantization.equals("none")) return null;
        for (Quantization kind : Quantization.values()) {
            if (kind.name().equalsIgnoreCase(quantization)) return kind;
        }
        throw InputException.unknown("--quantization", quantization, List.of("none", "nf4", "nf4_nested", "fp4",
                "fp4_nested", "int8"));
    }

    /// How a configuration asks for a quantization while loading.
    private static List<String> keys(Quantization kind) {
        if (kind == null) return List.of();
        if (kind == Quantization.INT8) return List.of("load_in_8bit: true");
        List<String> keys = new ArrayList<>(List.of("load_in_4bit: true"));
        if (kind == Quantization.FP4 || kind == Quantization.FP4_NESTED) keys.add("bnb_4bit_quant_type: fp4");
        if (kind.nested()) keys.add("bnb_4bit_use_double_quant: true");
        return keys;
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
