package dev.gale.bench.operation;

import dev.gale.bench.RunShape;
import dev.gale.bench.micro.KernelBench;
import dev.gale.bench.report.BenchCsv;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.train.cli.DeviceOption;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.openjdk.jmh.runner.RunnerException;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `gale bench kernels`: JMH on the CPU or, with a GPU, each operation at the shapes of a model.
@Command(name = "kernels", mixinStandardHelpOptions = true, description = {
    "With --device gpu: measure each operation at a model's shapes, one by one; adds rows to gpu-kernels.csv.",
    "Else: JMH's measurements of products, attention and RMSNorm on the CPU; adds rows to cpu.csv."})
public final class KernelsCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private DeviceOption device;

    @Mixin
    private RunShape given;

    @Parameters(paramLabel = "PATTERN", arity = "0..1", defaultValue = "",
            description = "Part of a name, as a regular expression.")
    private String pattern;

    @Override
    public Integer call() throws RunnerException {
        given.check();
        Pattern names = compiled();
        boolean asked = spec.commandLine().getParseResult().hasMatchedOption("--device");
        Optional<ComputeDevice> chosen = asked ? device.choose() : Optional.empty();
        if (chosen.isPresent()) new OperationBench(chosen.get(), given, names, spec.commandLine().getOut()).run();
        else KernelBench.run(pattern, new BenchCsv(given.results().resolve("cpu.csv")));
        return ExitCode.OK;
    }

    private Pattern compiled() {
        try {
            return Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
            throw new InputException("'%s' is no regular expression: %s".formatted(pattern, e.getDescription()));
        }
    }
}
