package dev.gale.train;

import dev.gale.train.metric.StepMetrics;
import java.util.LinkedHashMap;
import java.util.Map;

/// Means over the steps since the last log entry, weighted by trained tokens; a loss that is not finite, of a step that was
/// left out, is not among them. Part of what a resume restores, so that a
/// resumed run logs what an uninterrupted one would.
final class LoggedMeans {
    private double lossSum;
    private double auxSum;
    private double hits;
    private long trainedTokens;
    private StepMetrics last;

    void add(StepMetrics metrics) {
        last = metrics;
        if (!Double.isFinite(metrics.loss())) return;
        lossSum += metrics.loss() * metrics.trainedTokens();
        auxSum += metrics.auxLoss().orElse(0) * metrics.trainedTokens();
        hits += metrics.accuracy() * metrics.trainedTokens();
        trainedTokens += metrics.trainedTokens();
    }

    /// The entry for the history; starts anew.
    Map<String, Object> entry(long tokensSeen) {
        Map<String, Object> entry = new LinkedHashMap<>();
        if (last.auxLoss().isPresent()) entry.put("aux_loss", auxSum / trainedTokens);
        entry.put("epoch", last.epoch());
        entry.put("grad_norm", last.gradNorm());
        entry.put("learning_rate", last.learningRate());
        entry.put("loss", lossSum / trainedTokens);
        last.lossScale().ifPresent(scale -> entry.put("loss_scale", scale));
        entry.put("mean_token_accuracy", hits / trainedTokens);
        entry.put("num_tokens", tokensSeen);
        if (last.lossScale().isPresent()) entry.put("skipped_steps", last.skippedSteps());
        entry.put("step", last.step());
        entry.put("tokens_per_second", last.tokensPerSecond());
        lossSum = 0;
        auxSum = 0;
        hits = 0;
        trainedTokens = 0;
        return entry;
    }

    Map<String, Object> state() {
        Map<String, Object> state = new LinkedHashMap<>();
        state.put("loss_sum", lossSum);
        state.put("aux_sum", auxSum);
        state.put("hits", hits);
        state.put("trained_tokens", trainedTokens);
        return state;
    }

    void restore(Map<String, Object> state) {
        lossSum = ((Number) state.get("loss_sum")).doubleValue();
        auxSum = ((Number) state.getOrDefault("aux_sum", 0)).doubleValue();
        hits = ((Number) state.get("hits")).doubleValue();
        trainedTokens = ((Number) state.get("trained_tokens")).longValue();
    }
}
