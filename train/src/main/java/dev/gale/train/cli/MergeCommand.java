package dev.gale.train.cli;

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
import java.util.concurrent.Callable;
import java.util.stream.Stream;
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

    @Option(names = "--model", required = true, paramLabel = "DIR", description = "Hugging Face model folder.")
    private Path model;

    @Option(names = "--adapter", required = true, paramLabel = "DIR", description = "PEFT adapter folder.")
    private Path adapter;

    @Option(names = "--output", required = true, paramLabel = "DIR", description = "New folder for the merged model.")
    private Path output;

    @Option(names = "--dtype", paramLabel = "DTYPE", defaultValue = "auto",
            description = "auto (that of the base), float32, bfloat16 or float16 (default: ${DEFAULT-VALUE}).")
    private String dtype;

    @Override
    public Integer call() throws IOException {
        DType target = LoadOptions.dtype(dtype);
        OutputFolder.requireWritable("--output", output);
        requireFree(output);
        try (TensorOps ops = new CpuOps();
             CausalLm base = CausalLm.load(model, LoadOptions.defaults().withDtype(target), ops);
             PeftModel adapted = PeftModel.load(base, adapter, false)) {
            adapted.merge();
            Files.createDirectories(output);
            base.save(output, target);
        }
        TokenizerFiles.copy(model, output);
        TokenizerFiles.copy(adapter, output);                                   // it may have added tokens
        spec.commandLine().getOut().println("merged model: " + output);
        return ExitCode.OK;
    }

    private static void requireFree(Path output) throws IOException {
        if (!Files.exists(output)) return;
        try (Stream<Path> entries = Files.list(output)) {
            if (entries.findAny().isEmpty()) return;
        }
        throw new InputException("--output " + output + " is there already and not empty: name a new folder");
    }
}
