package dev.gale.train;

import java.util.List;
import java.util.Map;

/// Metrics beside loss and accuracy, computed from what a model predicts.
@FunctionalInterface
public interface EvalFunction extends AutoCloseable {

    /// Metrics by name, without `eval_`.
    ///
    /// @param predictions one for each evaluated example, in their order
    Map<String, Double> metrics(List<Prediction> predictions);

    @Override
    default void close() {}
}
