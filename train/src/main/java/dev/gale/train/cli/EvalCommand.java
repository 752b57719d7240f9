package dev.gale.train.cli;

import dev.gale.nn.BitsAndBytesConfig;
import dev.gale.train.QuantizationComparison;
import dev.gale.train.SftConfig;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.DatasetConfig;
import dev.gale.train.data.DatasetConfigBuilder;
import java.io.PrintWriter;
import java.nio.file.Path;
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

/// `gale eval`: measures a model on data.
@Command(name = "eval", mixinStandardHelpOptions = true, description = "Measure a model on data.",
        subcommands = EvalCommand.QuantizationCommand.class)
final class EvalCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCode.USAGE;
    }

    /// `gale eval quantization`: what a model loses when its weights have fewer bits.
    @Command(name = "quantization", mixinStandardHelpOptions = true,
            description = "Compare the perplexity of a model as its files are with that of its 8-bit and 4-bit weights.")
    static final class QuantizationCommand implements Callable<Integer> {
        @Spec
        private CommandSpec spec;

        @Mixin
        private DeviceOption device;

        @Option(names = "--model", required = true, paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
                description = "Dense Hugging Face model folder, or org/name after gale pull.")
        private Path model;

        @Option(names = "--adapter", paramLabel = "DIR", converter = HubEnvironment.ModelFolder.class,
                description = "PEFT adapter folder, or org/name after gale pull, to measure on each.")
        private Path adapter;

        @Option(names = "--data", required = true, paramLabel = "FILE",
                description = "File or folder of rows, or org/name after gale pull --dataset.")
        private Path data;

        @Option(names = "--split", paramLabel = "SPLIT", defaultValue = "train",
                description = "Rows of it, e.g. test[:100] (default: ${DEFAULT-VALUE}).")
        private String split;

        @Option(names = "--where", paramLabel = "SQL", description = "Condition on the rows, e.g. \"length(output) > 20\".")
        private String where;

        @Option(names = "--max-length", paramLabel = "N", defaultValue = "1024",
                description = "Tokens kept of an example (default: ${DEFAULT-VALUE}).")
        private int maxLength;

        @Option(names = "--batch-size", paramLabel = "N", defaultValue = "8",
                description = "Examples evaluated at once (default: ${DEFAULT-VALUE}).")
        private int batchSize;

        @Override
        public Integer call() {
            SftConfig config = SftConfig.builder().maxLength(maxLength).perDeviceEvalBatchSize(batchSize).build();
            DatasetConfigBuilder options = DatasetConfig.builder(HubEnvironment.rows(data)).split(split);
            if (where != null) options.where(where);
            Dataset rows = Dataset.load(options.build());
            BitsAndBytesConfig.requireDense(model);
            print(new QuantizationComparison(model, Optional.ofNullable(adapter), rows, config).rows(device::open));
            return ExitCode.OK;
        }

        private void print(List<QuantizationComparison.Row> rows) {
            PrintWriter out = spec.commandLine().getOut();
            out.printf("%-12s%12s%14s%s%n", "weights", "MB", "perplexity", adapter == null ? "" : "  with adapter");
            for (QuantizationComparison.Row row : rows) {
                out.printf(Locale.ROOT, "%-12s%,12.1f%,14.4f%s%n", row.weights(), row.bytes() / 1e6, row.base().perplexity(),
                        row.adapted().map(adapted -> String.format(Locale.ROOT, "%,14.4f", adapted.perplexity())).orElse(""));
            }
            out.printf("on %d tokens of %d examples%n", rows.getFirst().base().tokens(), rows.getFirst().base().sequences());
            out.flush();
        }
    }
}
