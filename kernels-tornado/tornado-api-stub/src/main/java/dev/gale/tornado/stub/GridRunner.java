package dev.gale.tornado.stub;

import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;

/// Runs every thread of a grid on the JVM. `TornadoExecutionPlan` finds one through `ServiceLoader`.
public interface GridRunner {
    /// @param task      `graph.task`, for messages
    /// @param global    threads in x, y and z
    /// @param local     threads of a work-group in x, y and z
    /// @param kernel    the body of one thread
    /// @param arguments what the task was given, the arrays among them
    void run(String task, long[] global, long[] local, Consumer<KernelContext> kernel, Object[] arguments);
}
