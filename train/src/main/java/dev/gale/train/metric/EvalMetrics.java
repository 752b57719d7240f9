package dev.gale.train.metric;

/// What one evaluation found.
///
/// @param loss          mean cross-entropy over all evaluated tokens, in nats
/// @param accuracy      share of evaluated tokens whose largest logit was right
/// @param sequences     examples evaluated
/// @param tokens        tokens that entered the loss
/// @param seconds       wall time
public record EvalMetrics(double loss, double accuracy, long sequences, long tokens, double seconds) {

    /// `exp(loss)`.
    public double perplexity() {
        return Math.exp(loss);
    }
}
