package dev.gale.optim;

import dev.gale.tensor.InputException;
import java.util.List;
import java.util.Map;

/// Learning rate over the steps of a run: the schedules of Transformers, with its names and options.
/// Source: transformers `optimization.py` (`get_scheduler`).
public sealed interface LrSchedule permits LrCurve, MetricSchedule {

    /// The learning rate of an optimizer step, counted from 0. With a warm-up most schedules give 0 for step 0.
    double at(long step);

    /// Reports what an evaluation measured. Only `reduce_lr_on_plateau` and `greedy` listen.
    default void observe(double metric) {}

    /// What was learned from `observe`, as finite numbers by name; empty for schedules that depend on the step alone.
    default Map<String, Double> state() {
        return Map.of();
    }

    /// Takes over what `state` gave in an earlier run, bit for bit.
    default void restore(Map<String, Double> state) {}

    /// The names that `of` knows, as in `lr_scheduler_type`.
    static List<String> names() {
        return LrSchedules.names();
    }

    /// A schedule by its name.
    /// Throws: InputException for an unknown name or option (the nearest is suggested) or a value out of range.
    ///
    /// @param name         `lr_scheduler_type`
    /// @param learningRate the peak, > 0
    /// @param warmupSteps  steps that climb to it, e.g. from `warmupSteps`
    /// @param totalSteps   optimizer steps of the whole run
    /// @param options      `lr_scheduler_kwargs`: numbers, booleans and strings by their Transformers names
    static LrSchedule of(String name, double learningRate, long warmupSteps, long totalSteps, Map<String, ?> options) {
        return LrSchedules.create(name, learningRate, warmupSteps, totalSteps, options);
    }

    /// Resolves `warmup_steps` (a count, or a share of the run when below 1) and the older `warmup_ratio`, which counts
    /// when no steps are given. A share is rounded up.
    /// Throws: InputException when negative, or a ratio is above 1.
    static long warmupSteps(double warmupSteps, double warmupRatio, long totalSteps) {
        if (!(warmupSteps >= 0)) throw new InputException("warmup_steps must be >= 0, got " + warmupSteps);
        if (!(warmupRatio >= 0 && warmupRatio <= 1)) {
            throw new InputException("warmup_ratio must be in [0, 1], got " + warmupRatio);
        }
        if (warmupSteps >= 1) return (long) warmupSteps;
        return (long) Math.ceil(totalSteps * (warmupSteps > 0 ? warmupSteps : warmupRatio));
    }
}
