package dev.gale.tornado.stub;

import java.util.Arrays;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.WorkerGrid;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;
import uk.ac.manchester.tornado.api.exceptions.TornadoRuntimeException;

/// The one runner of this process.
public final class GridRunners {
    private GridRunners() {}

    /// Looked for when the first task needs it.
    private static final class Found {
        static final Optional<GridRunner> RUNNER = ServiceLoader.load(GridRunner.class).findFirst();
    }

    public static void run(String task, WorkerGrid grid, Consumer<KernelContext> kernel, Object[] arguments) {
        long[] local = grid.getLocalWork();
        if (local == null) throw new TornadoRuntimeException("the grid of " + task + " has no local work size");
        long[] global = grid.getGlobalWork();
        for (int i = 0; i < 3; i++) {
            if (global[i] % local[i] != 0) {
                throw new TornadoRuntimeException("the grid of %s, %s, is not a whole number of groups of %s"
                        .formatted(task, Arrays.toString(global), Arrays.toString(local)));
            }
        }
        runner(task, "a KernelContext kernel").run(task, global.clone(), local.clone(), kernel, arguments);
    }

    public static void library(String task, LibraryTaskDescriptor call) {
        runner(task, "a call of a library").library(task, call);
    }

    private static GridRunner runner(String task, String what) {
        return Found.RUNNER.orElseThrow(() -> new TornadoRuntimeException(
                task + " is " + what + ", and no GridRunner is here to run it:"
                + " this is the compile-time stand-in of tornado-api, run with TornadoVM's SDK instead"));
    }
}
