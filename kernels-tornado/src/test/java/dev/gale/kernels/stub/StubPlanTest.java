package dev.gale.kernels.stub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.WorkerGrid;
import uk.ac.manchester.tornado.api.WorkerGrid1D;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.LibraryTask1;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoRuntimeException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/// Plans of the stand-in run their tasks, and refuse what TornadoVM would get silently wrong.
class StubPlanTest {
    private final FloatArray in = FloatArray.fromElements(1, 2, 3, 4);
    private final FloatArray out = new FloatArray(4);

    static void square(KernelContext ctx, FloatArray out, FloatArray in) {
        out.set(ctx.globalIdx, in.get(ctx.globalIdx) * in.get(ctx.globalIdx));
    }

    static void increment(FloatArray values, int n) {
        for (@Parallel int i = 0; i < n; i++) values.set(i, values.get(i) + 1);
    }

    private TaskGraph squares() {
        return new TaskGraph("first").transferToDevice(DataTransferMode.FIRST_EXECUTION, in)
                .task("square", StubPlanTest::square, new KernelContext(), out, in);
    }

    private static GridScheduler grid(String task) {
        WorkerGrid grid = new WorkerGrid1D(4);
        grid.setLocalWork(2, 1, 1);
        return new GridScheduler(task, grid);
    }

    private static void assertRefused(Executable action, String part) {
        String message = assertThrows(TornadoRuntimeException.class, action).getMessage();
        assertTrue(message.contains(part), message);
    }

    @Test
    void tasksRunInOrderOnTheirGrids() throws Exception {
        ImmutableTaskGraph graph = squares().task("more", StubPlanTest::increment, out, 4)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, out).snapshot();
        try (TornadoExecutionPlan plan = new TornadoExecutionPlan(graph).withGridScheduler(grid("first.square"))) {
            assertTrue(plan.execute().isReady());
        }
        assertEquals(17, out.get(3));
    }

    @Test
    void forgottenTransfersAreRefused() {
        assertRefused(() -> squares().snapshot(), "argument 2 of the task first.square, a FloatArray, is never");
    }

    @Test
    void missingAndMisspelledGridsAreRefused() {
        ImmutableTaskGraph graph = squares().persistOnDevice(out).snapshot();
        assertRefused(() -> new TornadoExecutionPlan(graph).execute(), "first.square has no grid");
        assertRefused(() -> new TornadoExecutionPlan(graph).withGridScheduler(grid("first.sqare")).execute(),
                "first.sqare, which is no task");
    }

    @Test
    void consumedArraysComeFromTheGraphThatRanLast() {
        ImmutableTaskGraph first = squares().persistOnDevice(out).snapshot();
        FloatArray apart = new FloatArray(4);
        ImmutableTaskGraph other = new TaskGraph("other").transferToDevice(DataTransferMode.FIRST_EXECUTION, apart)
                .task("more", StubPlanTest::increment, apart, 4).snapshot();
        ImmutableTaskGraph last = new TaskGraph("last").consumeFromDevice("first", out)
                .task("more", StubPlanTest::increment, out, 4).snapshot();
        assertRefused(() -> new TornadoExecutionPlan(last, first).execute(), "the graph first, but none has run");
        TornadoExecutionPlan plan = new TornadoExecutionPlan(first, other, last);
        plan.withGridScheduler(grid("first.square"));
        assertRefused(plan::execute, "the graph other does not hold on the device");
        plan.freeDeviceMemory().withGraph(0).execute();
        plan.withGraph(2).execute();
        assertEquals(17, out.get(3));
    }

    @Test
    void librariesThatAreNotEmulatedNeedTheSdk() {
        LibraryTask1<FloatArray> code = array -> new LibraryTaskDescriptor().withFunction("cublasSgemm").withParameters(
                new Object[] {array});
        ImmutableTaskGraph graph = new TaskGraph("g").persistOnDevice(in).libraryTask("blas", code, in).snapshot();
        assertThrows(UnsupportedOperationException.class, () -> new TornadoExecutionPlan(graph).execute());
    }
}
