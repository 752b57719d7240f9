package dev.gale.optim;

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
    /// @param warmupSteps  steps that climb to it
    /// @param totalSteps   optimizer steps of the whole run
    /// @param options      `lr_scheduler_kwargs`: numbers, booleans and strings by their Transformers names
    static LrSchedule of(String name, double learningRate, long warmupSteps, long totalSteps, Map<String, ?> options) {
        return LrSchedules.create(name, learningRate, warmupSteps, totalSteps, options);
    }
}
