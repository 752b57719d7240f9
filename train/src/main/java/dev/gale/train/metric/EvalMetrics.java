package dev.gale.train.metric;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/// What one evaluation found.
///
/// @param loss          mean cross-entropy over all evaluated tokens, in nats
/// @param accuracy      share of evaluated tokens whose largest logit was right
/// @param sequences     examples evaluated
/// @param tokens        tokens that entered the loss
/// @param seconds       wall time
/// @param computed      metrics of `compute_metrics`, by name without `eval_`
public record EvalMetrics(double loss, double accuracy, long sequences, long tokens, double seconds,
                          Map<String, Double> computed) {
    public EvalMetrics {
        computed = Collections.unmodifiableMap(new LinkedHashMap<>(computed));
    }

    /// Without metrics of people's own.
    public EvalMetrics(double loss, double accuracy, long sequences, long tokens, double seconds) {
        this(loss, accuracy, sequences, tokens, seconds, Map.of());
    }

    /// The same with these metrics, and the time that they took added.
    public EvalMetrics withComputed(Map<String, Double> metrics, double moreSeconds) {
        return new EvalMetrics(loss, accuracy, sequences, tokens, seconds + moreSeconds, metrics);
    }

    /// `exp(loss)`.
    public double perplexity() {
        return Math.exp(loss);
    }
}
