package dev.gale.train.metric;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;

/// What one evaluation found.
///
/// @param loss          `crossEntropy`, and the router's part where the run trains with it
/// @param crossEntropy  mean over all evaluated tokens, in nats
/// @param auxLoss       the router's loss without its coefficient, empty without one
/// @param accuracy      share of evaluated tokens whose largest logit was right
/// @param sequences     examples evaluated
/// @param tokens        tokens that entered the loss
/// @param seconds       wall time
/// @param computed      metrics of `compute_metrics`, by name without `eval_`
public record EvalMetrics(double loss, double crossEntropy, OptionalDouble auxLoss, double accuracy, long sequences,
                          long tokens, double seconds, Map<String, Double> computed) {
    public EvalMetrics {
        computed = Collections.unmodifiableMap(new LinkedHashMap<>(computed));
    }

    /// Cross-entropy alone, without metrics of people's own.
    public EvalMetrics(double loss, double accuracy, long sequences, long tokens, double seconds) {
        this(loss, loss, OptionalDouble.empty(), accuracy, sequences, tokens, seconds, Map.of());
    }

    /// The same with a router's loss, which counts `coef` times.
    public EvalMetrics withAuxLoss(double value, double coef) {
        return new EvalMetrics(crossEntropy + coef * value, crossEntropy, OptionalDouble.of(value), accuracy, sequences, tokens,
                seconds, computed);
    }

    /// The same with these metrics, and the time that they took added.
    public EvalMetrics withComputed(Map<String, Double> metrics, double moreSeconds) {
        return new EvalMetrics(loss, crossEntropy, auxLoss, accuracy, sequences, tokens, seconds + moreSeconds, metrics);
    }

    /// `exp(crossEntropy)`.
    public double perplexity() {
        return Math.exp(crossEntropy);
    }
}
