package dev.gale.train.metric;

import java.util.Map;

/// Receives what happens in a run, in order, on the training thread.
public interface MetricSink extends AutoCloseable {

    /// After every optimizer step.
    default void step(StepMetrics metrics) {}

    /// A line of the run's history: the logged means since the last one, an evaluation, or the closing summary. Keys are
    /// those of the Hugging Face Trainer's `log_history`.
    default void log(Map<String, Object> entry) {}

    /// Something a person should read now, one sentence.
    default void note(String sentence) {}

    @Override
    default void close() {}
}
