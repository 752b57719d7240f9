package dev.gale.tornado.stub;

import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;

/// Runs every thread of a grid, and libraries, on the JVM. `TornadoExecutionPlan` finds one through `ServiceLoader`.
public interface GridRunner {
    /// @param task      `graph.task`, for messages
    /// @param global    threads in x, y and z
    /// @param local     threads of a work-group in x, y and z
    /// @param kernel    the body of one thread
    /// @param arguments what the task was given, the arrays among them
    void run(String task, long[] global, long[] local, Consumer<KernelContext> kernel, Object[] arguments);

    /// Does what a function of a vendor's library does.
    /// Throws: UnsupportedOperationException when this runner does not know it.
    void library(String task, LibraryTaskDescriptor call);
}
