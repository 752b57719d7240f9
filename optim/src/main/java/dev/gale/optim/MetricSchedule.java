package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A schedule that follows an evaluation metric. Between evaluations the learning rate stands still.
abstract sealed class MetricSchedule implements LrSchedule permits ReduceOnPlateau, GreedyLr {
    final double factor;
    final double eps;
    final double minLr;
    final long patience;
    final long cooldown;
    private final boolean lowerIsBetter;
    private final boolean relative;
    private final double threshold;

    double lr;
    double best;
    long badEvaluations;
    long cooldownLeft;

    /// Default values of the options that differ between schedules.
    record Defaults(double factor, double threshold, String thresholdMode, double minLr) {}

    MetricSchedule(double learningRate, NamedOptions options, Defaults defaults) {
        factor = options.number("factor", defaults.factor);
        if (!(factor > 0 && factor < 1)) {
            throw new InputException("%s: factor must be in (0, 1), got %s".formatted(options.owner(), factor));
        }
        lowerIsBetter = options.choice("mode", "min", List.of("min", "max")).equals("min");
        relative = options.choice("threshold_mode", defaults.thresholdMode, List.of("rel", "abs")).equals("rel");
        threshold = options.number("threshold", defaults.threshold);
        minLr = options.number("min_lr", defaults.minLr);
        eps = options.number("eps", 1e-8);
        patience = options.count("patience", 10);
        cooldown = options.count("cooldown", 0);
        lr = learningRate;
        best = worst();
    }

    @Override
    public double at(long step) {
        return lr;
    }

    /// What every metric is better than.
    final double worst() {
        return lowerIsBetter ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY;
    }

    final boolean isBetter(double metric) {
        if (lowerIsBetter) return metric < (relative ? best * (1 - threshold) : best - threshold);
        return metric > (relative ? best * (1 + threshold) : best + threshold);
    }

    @Override
    public Map<String, Double> state() {
        Map<String, Double> state = new LinkedHashMap<>();
        state.put("lr", lr);
        if (best != worst()) state.put("best", best);
        state.put("num_bad_epochs", (double) badEvaluations);
        state.put("cooldown_counter", (double) cooldownLeft);
        return state;
    }

    @Override
    public void restore(Map<String, Double> state) {
        lr = state.getOrDefault("lr", lr);
        best = state.getOrDefault("best", worst());
        badEvaluations = count(state, "num_bad_epochs");
        cooldownLeft = count(state, "cooldown_counter");
    }

    static long count(Map<String, Double> state, String name) {
        return Math.round(state.getOrDefault(name, 0.0));
    }
}
