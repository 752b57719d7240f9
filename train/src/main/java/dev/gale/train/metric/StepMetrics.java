package dev.gale.train.metric;

/// What one optimizer step was.
///
/// @param step          number of the step, from 1
/// @param epoch         passes over the data so far, with fraction
/// @param loss          mean cross-entropy over the trained tokens of the step, in nats
/// @param accuracy      share of trained tokens whose largest logit was right
/// @param gradNorm      global norm of the mean gradient, before clipping
/// @param learningRate  as the schedule gave it for this step
/// @param trainedTokens tokens that entered the loss
/// @param tokens        tokens that went through the model
/// @param seconds       wall time of the step
public record StepMetrics(long step, double epoch, double loss, double accuracy, double gradNorm, double learningRate,
                          long trainedTokens, long tokens, double seconds) {
    public double tokensPerSecond() {
        return tokens / seconds;
    }
}
