package dev.gale.peft;

import dev.gale.tensor.Parameter;
import java.util.List;
import java.util.Locale;

/// How much of a model is trained.
///
/// @param trainable elements of trainable parameters
/// @param all       elements of all parameters, those of adapters too
public record TrainableReport(long trainable, long all) {
    public static TrainableReport of(List<Parameter> parameters) {
        long trainable = parameters.stream().filter(Parameter::trainable).mapToLong(p -> p.value().size()).sum();
        return new TrainableReport(trainable, parameters.stream().mapToLong(p -> p.value().size()).sum());
    }

    /// As PEFT prints it.
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "trainable params: %,d || all params: %,d || trainable%%: %.4f",
                trainable, all, 100.0 * trainable / Math.max(1, all));
    }
}
