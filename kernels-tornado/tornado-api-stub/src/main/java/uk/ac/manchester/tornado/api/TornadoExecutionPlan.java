package uk.ac.manchester.tornado.api;

import dev.gale.tornado.stub.DeviceViews;
import dev.gale.tornado.stub.GridRunners;
import dev.gale.tornado.stub.JvmRuntime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.exceptions.TornadoRuntimeException;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/// Runs graphs in order on the JVM. Devices, compilation, profiling and CUDA graphs are accepted and change nothing.
public class TornadoExecutionPlan implements AutoCloseable {
    public static TornadoDevice DEFAULT_DEVICE = JvmRuntime.DEVICE;
    private static final AtomicInteger PLANS = new AtomicInteger();

    private final List<ImmutableTaskGraph> graphs;
    private final List<TornadoExecutionResult> results = new ArrayList<>();
    private final long id = PLANS.incrementAndGet();
    private GridScheduler grids;
    private int selected = -1;
    private final Map<String, ImmutableTaskGraph> ran = new HashMap<>();
    private final Set<Object> mapped = Collections.newSetFromMap(new IdentityHashMap<>());
    private ImmutableTaskGraph last;
    private boolean closed;

    public TornadoExecutionPlan(ImmutableTaskGraph... graphs) {
        this.graphs = List.of(graphs);
    }

    public static TornadoDevice getDevice(int backend, int device) {
        return getTornadoDeviceMap().getAllBackends().get(backend).getDevice(device);
    }

    public static TornadoDeviceMap getTornadoDeviceMap() {
        return new TornadoDeviceMap();
    }

    public static int getTotalPlans() {
        return PLANS.get();
    }

    /// Runs the selected graph, or all of them.
    /// Throws: TornadoRuntimeException when a task has no grid, a grid no task, or a consumed array is not where the
    /// graph looks for it.
    public TornadoExecutionResult execute() {
        if (closed) throw new TornadoRuntimeException("this plan is closed");
        checkGrids();
        for (int i = 0; i < graphs.size(); i++) if (selected < 0 || selected == i) run(graphs.get(i));
        TornadoExecutionResult result = new TornadoExecutionResult();
        results.add(result);
        return result;
    }

    private void run(ImmutableTaskGraph graph) {
        for (TaskGraph.Consumed consumed : graph.consumed) checkConsumed(graph, consumed);
        for (GraphTask task : graph.tasks) {
            String name = graph.name + "." + task.id();
            if (task.library() != null) {
                GridRunners.library(name, task.library());
            } else if (task.usesContext()) {
                GridRunners.run(name, grid(name), task::run, task.arguments());
            } else {
                task.run(null);
            }
        }
        ran.put(graph.name, graph);
        last = graph;
    }

    private WorkerGrid grid(String name) {
        WorkerGrid grid = grids == null ? null : grids.get(name);
        if (grid == null) throw new TornadoRuntimeException("the task " + name + " has no grid in the GridScheduler");
        return grid;
    }

    /// A misspelled name would leave its task with a grid of the device's choice.
    private void checkGrids() {
        if (grids == null) return;
        for (String key : grids.keySet()) {
            for (ImmutableTaskGraph graph : graphs) {
                String prefix = graph.name + ".";
                if (key.startsWith(prefix) && !graph.hasTask(key.substring(prefix.length()))) {
                    throw new TornadoRuntimeException("the GridScheduler has a grid for " + key + ", which is no task");
                }
            }
        }
    }

    /// TornadoVM takes consumed arrays from the graph that ran last, whatever the name: an array must pass through
    /// every graph between producer and consumer.
    private void checkConsumed(ImmutableTaskGraph graph, TaskGraph.Consumed consumed) {
        if (last == null && mapped.contains(consumed.array())) return;
        ImmutableTaskGraph producer = consumed.producer() == null ? last : ran.get(consumed.producer());
        String array = "the graph " + graph.name + " consumes a " + consumed.array().getClass().getSimpleName();
        if (producer == null) {
            String from = consumed.producer() == null ? "an earlier graph" : "the graph " + consumed.producer();
            throw new TornadoRuntimeException(array + " from " + from + ", but none has run");
        }
        for (ImmutableTaskGraph holder : List.of(producer, last)) {
            if (!holder.held.contains(consumed.array())) {
                throw new TornadoRuntimeException(
                        array + " that the graph " + holder.name + " does not hold on the device");
            }
        }
    }

    /// Makes an array of graph `to` a view of the memory of an array of graph `from`. Only whole arrays are mapped in place.
    public void mapOnDeviceMemoryRegion(Object view, Object onto, long offset, int from, int to) {
        if (graphs.size() < 2) throw new TornadoRuntimeException("mapping needs a plan of at least two graphs");
        if (offset != 0) throw new UnsupportedOperationException("TornadoVM copies from an offset instead of mapping");
        if (!graphs.get(from).held.contains(onto)) {
            throw new TornadoRuntimeException("the graph " + graphs.get(from).name + " does not hold the array to map onto");
        }
        DeviceViews.map((TornadoNativeArray) view, (TornadoNativeArray) onto);
        mapped.add(view);
    }

    public TornadoExecutionPlan withGraph(int index) {
        if (index < 0 || index >= graphs.size()) {
            throw new TornadoRuntimeException("graph " + index + " of a plan of " + graphs.size());
        }
        selected = index;
        return this;
    }

    public TornadoExecutionPlan withAllGraphs() {
        selected = -1;
        return this;
    }

    public TornadoExecutionPlan withGridScheduler(GridScheduler scheduler) {
        grids = scheduler;
        return this;
    }

    public TornadoExecutionPlan withDefaultScheduler() {
        grids = null;
        return this;
    }

    public TornadoExecutionPlan withDevice(TornadoDevice device) {
        return this;
    }

    public TornadoExecutionPlan withDevice(String taskName, TornadoDevice device) {
        return this;
    }

    public TornadoDevice getDevice(int graph) {
        return JvmRuntime.DEVICE;
    }

    public TornadoExecutionPlan withPreCompilation() {
        return this;
    }

    /// Throws: TornadoRuntimeException after the first execution, when a graph can no longer be captured.
    public TornadoExecutionPlan withCUDAGraph() {
        if (!ran.isEmpty()) throw new TornadoRuntimeException("withCUDAGraph must come before the first execution");
        return this;
    }

    public TornadoExecutionPlan withProfiler(ProfilerMode mode) {
        return this;
    }

    public TornadoExecutionPlan withoutProfiler() {
        return this;
    }

    public TornadoExecutionPlan withPrintKernel() {
        return this;
    }

    public TornadoExecutionPlan withoutPrintKernel() {
        return this;
    }

    public TornadoExecutionPlan withThreadInfo() {
        return this;
    }

    public TornadoExecutionPlan withoutThreadInfo() {
        return this;
    }

    public TornadoExecutionPlan withCompilerFlags(TornadoVMBackendType backend, String flags) {
        return this;
    }

    public TornadoExecutionPlan withMemoryLimit(String limit) {
        return this;
    }

    public TornadoExecutionPlan withoutMemoryLimit() {
        return this;
    }

    public TornadoExecutionPlan withStagedTransfers() {
        return this;
    }

    public TornadoExecutionPlan withoutStagedTransfers() {
        return this;
    }

    public TornadoExecutionPlan withWarmUpIterations(int iterations) {
        for (int i = 0; i < iterations; i++) execute();
        return this;
    }

    public TornadoExecutionPlan clearProfiles() {
        return this;
    }

    public TornadoExecutionPlan resetDevice() {
        return freeDeviceMemory();
    }

    public TornadoExecutionPlan freeDeviceMemory() {
        ran.clear();
        last = null;
        return this;
    }

    public long getCurrentDeviceMemoryUsage() {
        return 0;
    }

    public TornadoExecutionResult getPlanResult(int index) {
        return results.get(index);
    }

    public long getId() {
        return id;
    }

    @Override
    public void close() throws TornadoExecutionPlanException {
        freeDeviceMemory();
        closed = true;
    }
}
