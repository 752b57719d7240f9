package dev.gale.train.cli;

import dev.gale.nn.BitsAndBytesConfig;
import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.SkipModules;
import dev.gale.tensor.InputException;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.train.checkpoint.OutputFolder;
import dev.gale.train.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale quantize`: writes a model with weights of few bits, in bitsandbytes' layout. The model that is read stays mapped, the
/// quantized weights are in memory, and nothing else is but what one weight needs.
@Command(name = "quantize", mixinStandardHelpOptions = true,
        description = "Write a model whose projections have weights of 4 or 8 bits, as bitsandbytes lays them out.")
final class QuantizeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "Hugging Face model folder, or org/name after gale pull.")
    private Path model;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New folder for the quantized model.")
    private Path output;

    @Option(names = "--type", paramLabel = "nf4|fp4|int8", defaultValue = "nf4",
            description = "Of the weights (default: ${DEFAULT-VALUE}).")
    private Type type;

    @Option(names = "--double-quant", description = "With nf4 and fp4: quantize the scales too.")
    private boolean doubleQuant;

    @Option(names = "--llm-int8-skip-modules", paramLabel = "NAME", split = ",", description = "Modules that stay dense.")
    private List<String> skipModules = new ArrayList<>();

    private enum Type { NF4, FP4, INT8 }

    @Override
    public Integer call() throws IOException {
        LoadOptions options = LoadOptions.defaults().withQuantization(quantization())
                .withSkipModules(new SkipModules(skipModules));
        OutputFolder.requireNew("--output", output);
        BitsAndBytesConfig.requireDense(model);
        try (TensorOps ops = new CpuOps(); CausalLm quantized = CausalLm.load(model, options, ops)) {
            Files.createDirectories(output);
            quantized.save(output, null);
        }
        TokenizerFiles.copy(model, output);
        spec.commandLine().getOut().println("quantized model: " + output);
        return ExitCode.OK;
    }

    private Quantization quantization() {
        if (type == Type.INT8 && doubleQuant) {
            throw new InputException("--double-quant goes with --type nf4 and fp4: scales of int8 are not quantized");
        }
        return Quantization.valueOf(type.name() + (doubleQuant ? "_NESTED" : ""));
    }
}
