package dev.gale.train.cli;

import dev.gale.nn.BitsAndBytesConfig;
import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.checkpoint.OutputFolder;
import dev.gale.train.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale merge`: makes a base model and its adapter one plain model.
@Command(name = "merge", mixinStandardHelpOptions = true,
        description = "Add an adapter to its base model and write a model of its own.")
final class MergeCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(names = "--model", required = true, paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "Hugging Face model folder, or org/name after gale pull.")
    private Path model;

    @Option(names = "--adapter", required = true, paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
            description = "PEFT adapter folder, or org/name after gale pull.")
    private Path adapter;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New folder for the merged model.")
    private Path output;

    @Option(names = "--dtype", paramLabel = "DTYPE", defaultValue = "auto",
            description = "auto (that of the base), float32, bfloat16 or float16 (default: ${DEFAULT-VALUE}).")
    private String dtype;

    @ArgGroup
    private Quantized quantized;

    /// What the weights of a quantized base become.
    private static final class Quantized {
        @Option(names = "--dequantize", description = "A quantized base: write dense weights.")
        private boolean dense;

        @Option(names = "--requantize", description = "A quantized base: quantize its weights again, the adapter in them.")
        private boolean again;
    }

    @Override
    public Integer call() throws IOException {
        DType target = LoadOptions.dtype(dtype);
        OutputFolder.requireNew("--output", output);
        requireChoice(BitsAndBytesConfig.read(model));
        try (TensorOps ops = new CpuOps();
             CausalLm base = CausalLm.load(model, LoadOptions.defaults().withDtype(target), ops);
             PeftModel adapted = PeftModel.load(base, adapter, false)) {
            merge(base, adapted, target == null ? base.config().dtype() : target);
            Files.createDirectories(output);
            base.save(output, target);
        }
        TokenizerFiles.copy(model, output);
        TokenizerFiles.copy(adapter, output);                                   // it may have added tokens
        spec.commandLine().getOut().println("merged model: " + output);
        return ExitCode.OK;
    }

    private void requireChoice(Optional<BitsAndBytesConfig> base) {
        if (base.isPresent() == (quantized != null)) return;
        throw new InputException(base.isPresent()
                ? ("--model %s has %s weights: say --dequantize for a dense merged model, or --requantize to round the sums to "
                        + "%2$s again").formatted(model, BitsAndBytesConfig.name(base.get().quantization().dtype()))
                : "--model %s is dense: leave out %s".formatted(model, quantized.dense ? "--dequantize" : "--requantize"));
    }

    private void merge(CausalLm base, PeftModel adapted, DType dense) {
        if (quantized == null) {
            adapted.merge();
        } else if (quantized.again) {
            adapted.mergeRequantized();
        } else {
            adapted.mergeDequantized(dense);
            base.dequantize(dense);
        }
    }
}
