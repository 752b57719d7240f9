package dev.gale.train.cli;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.LogitsComparison;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale verify`: whether a model computes what another implementation recorded.
@Command(name = "verify", mixinStandardHelpOptions = true,
        description = "Compare a model's logits with recorded ones; exit 1 beyond the tolerance.")
final class VerifyCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private DeviceOption device;

    @Mixin
    private QuantizationOption quantization;

    @Option(names = "--model", required = true, paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "Hugging Face model folder, or org/name after gale pull.")
    private Path model;

    @Option(names = "--adapter", paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "PEFT adapter folder, or org/name after gale pull, to put on it.")
    private Path adapter;

    @Option(names = "--expected", required = true, paramLabel = "FILE.safetensors",
            description = "input_ids, attention_mask and the logits that belong to them.")
    private Path expected;

    @Option(names = "--tolerance", paramLabel = "T", defaultValue = "1e-3",
            description = "Largest difference allowed (default: ${DEFAULT-VALUE}).")
    private double tolerance;

    @Override
    public Integer call() {
        LogitsComparison comparison = compare();
        boolean close = comparison.maxAbsDiff() <= tolerance;
        PrintWriter out = spec.commandLine().getOut();
        out.printf(Locale.ROOT, "max_abs_diff %.3e%nmean_abs_diff %.3e%ntop1_agreement %.4f%n",
                comparison.maxAbsDiff(), comparison.meanAbsDiff(), comparison.top1Agreement());
        out.printf("%s: %d positions, tolerance %s%n", close ? "agrees" : "differs", comparison.positions(), tolerance);
        out.flush();
        return close ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    private LogitsComparison compare() {
        LoadOptions options = quantization.loadOptions();
        try (TensorOps ops = device.open(); CausalLm base = CausalLm.load(model, options, ops)) {
            if (adapter == null) return LogitsComparison.of(base, expected);
            try (PeftModel adapted = PeftModel.load(base, adapter, false)) {
                return LogitsComparison.of(adapted.model(), expected);
            }
        }
    }
}
