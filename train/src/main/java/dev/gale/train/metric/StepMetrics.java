package dev.gale.train.metric;

import java.util.OptionalDouble;

/// What one optimizer step was.
///
/// @param step          number of the step, from 1
/// @param epoch         passes over the data so far, with fraction
/// @param loss          mean cross-entropy over the trained tokens of the step, in nats, and the router's part if there is one
/// @param auxLoss       the router's loss without its coefficient, empty without one
/// @param accuracy      share of trained tokens whose largest logit was right
/// @param gradNorm      global norm of the mean gradient, before clipping
/// @param learningRate  as the schedule gave it for this step
/// @param trainedTokens tokens that entered the loss
/// @param tokens        tokens that went through the model
/// @param seconds       wall time of the step
/// @param lossScale     what the mean loss was multiplied by for its gradients to fit F16; empty without F16
/// @param skippedSteps  steps so far that changed nothing, because a gradient did not fit
public record StepMetrics(long step, double epoch, double loss, OptionalDouble auxLoss, double accuracy, double gradNorm,
                          double learningRate, long trainedTokens, long tokens, double seconds, OptionalDouble lossScale,
                          int skippedSteps) {
    public double tokensPerSecond() {
        return tokens / seconds;
    }
}
