package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;

/// Divides the learning rate by `factor` after more than `patience` better evaluations in a row, multiplies it after as
/// many worse ones, and starts over after `reset_start` reductions that found it at its minimum.
/// Source: GreedyLR, arXiv 2512.14527; transformers `optimization.py`.
final class GreedyLr extends MetricSchedule {
    static final List<String> OPTIONS = List.of("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown",
            "warmup", "min_lr", "max_lr", "eps", "smooth", "window_size", "reset_start");

    private final double initialLr;
    private final double maxLr;
    private final long warmup;
    private final long resetStart;
    private final long windowSize;
    private final boolean smooth;

    private long goodEvaluations;
    private long warmupLeft;
    private long resetLeft;
    private final Deque<Double> window = new ArrayDeque<>();
    private double windowSum;

    GreedyLr(double learningRate, NamedOptions options) {
        super(learningRate, options, new Defaults(0.95, 1e-6, "abs", 1e-3));
        initialLr = learningRate;
        maxLr = options.number("max_lr", 1);
        warmup = options.count("warmup", 0);
        resetStart = options.count("reset_start", 500);
        windowSize = options.count("window_size", 50);
        smooth = options.flag("smooth", false);
        if (windowSize < 1) throw new InputException("greedy: window_size must be at least 1, got " + windowSize);
        resetLeft = resetStart;
    }

    @Override
    public void observe(double metric) {
        double current = smooth ? average(metric) : metric;
        if (cooldownLeft > 0 || warmupLeft > 0) {
            if (cooldownLeft > 0) cooldownLeft--;
            else warmupLeft--;
            badEvaluations = 0;
            goodEvaluations = 0;
            return;
        }
        if (isBetter(current)) {
            best = current;
            badEvaluations = 0;
            goodEvaluations++;
        } else {
            badEvaluations++;
            goodEvaluations = 0;
        }
        if (goodEvaluations > patience) increase();
        else if (badEvaluations > patience) reduce();
    }

    private double average(double metric) {
        window.addLast(metric);
        windowSum += metric;
        if (window.size() > windowSize) windowSum -= window.removeFirst();
        return windowSum / window.size();
    }

    private void increase() {
        double increased = Math.min(lr / factor, maxLr);
        if (increased - lr > eps) lr = increased;
        resetLeft = resetStart;
        warmupLeft = warmup;
        goodEvaluations = 0;
    }

    private void reduce() {
        double reduced = Math.max(lr * factor, minLr);
        if (lr - reduced > eps) lr = reduced;
        if (lr <= minLr && --resetLeft <= 0) startOver();
        cooldownLeft = cooldown;
        badEvaluations = 0;
    }

    private void startOver() {
        lr = initialLr;
        best = worst();
        goodEvaluations = 0;
        warmupLeft = 0;
        resetLeft = resetStart;
        window.clear();
        windowSum = 0;
    }

    @Override
    public Map<String, Double> state() {
        Map<String, Double> state = super.state();
        state.put("num_good_epochs", (double) goodEvaluations);
        state.put("warmup_counter", (double) warmupLeft);
        state.put("reset_start", (double) resetLeft);
        state.put("window_sum", windowSum);
        int i = 0;
        for (double value : window) state.put("window." + i++, value);
        return state;
    }

    @Override
    public void restore(Map<String, Double> state) {
        super.restore(state);
        goodEvaluations = count(state, "num_good_epochs");
        warmupLeft = count(state, "warmup_counter");
        resetLeft = state.containsKey("reset_start") ? count(state, "reset_start") : resetStart;
        windowSum = state.getOrDefault("window_sum", 0.0);
        window.clear();
        for (int i = 0; state.containsKey("window." + i); i++) window.addLast(state.get("window." + i));
    }
}
