package dev.gale.train.cli;

import dev.gale.nn.LoadOptions;
import dev.gale.train.QuantizationOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Option;

/// How a command quantizes the model that it opens; the same options as keys of a run.
public final class QuantizationOption {
    @Option(names = "--load-in-4bit", description = "Quantize the projections of the layers to 4 bits.")
    private boolean loadIn4bit;

    @Option(names = "--load-in-8bit", description = "Quantize the projections of the layers to 8 bits.")
    private boolean loadIn8bit;

    @Option(names = "--bnb-4bit-quant-type", paramLabel = "nf4|fp4",
            description = "With --load-in-4bit: the type of number (nf4).")
    private String quantType;

    @Option(names = "--bnb-4bit-use-double-quant", description = "With --load-in-4bit: quantize the scales too.")
    private boolean doubleQuant;

    @Option(names = "--llm-int8-skip-modules", paramLabel = "NAME", split = ",", description = "Modules that stay dense.")
    private List<String> skipModules = new ArrayList<>();

    /// Throws: InputException when the options contradict each other.
    public LoadOptions loadOptions() {
        Optional<Boolean> four = loadIn4bit ? Optional.of(true) : Optional.empty();
        Optional<Boolean> nested = doubleQuant ? Optional.of(true) : Optional.empty();
        return new QuantizationOptions(four, loadIn8bit, Optional.ofNullable(quantType), nested, Optional.empty(), skipModules)
                .apply(LoadOptions.defaults());
    }
}
