package dev.gale.kernels.runtime;

import dev.gale.tensor.ops.Profiled;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;

/// A device of TornadoVM and how graphs are run on it.
///
/// @param cudaGraphs whether graphs are replayed as CUDA graphs
/// @param profiled   whether each launch runs alone and is measured; then nothing is a CUDA graph
record Device(TornadoDevice device, KernelContext context, boolean cudaGraphs, boolean profiled) {

    /// Measures launches where `Profiled.PROPERTY` says so.
    Device(TornadoDevice device, KernelContext context, boolean cudaGraphs) {
        this(device, context, cudaGraphs, Boolean.getBoolean(Profiled.PROPERTY));
    }

    boolean isCuda() {
        return device.getTornadoVMBackend() == TornadoVMBackendType.CUDA;
    }

    /// How launches run on it.
    Launches launches() {
        return profiled ? new ProfiledLaunches(this) : new LaunchQueue(this);
    }

    /// Makes a graph executable that works on chunks.
    ///
    /// @param views of each chunk that the graph's tasks use
    TornadoExecutionPlan plan(TaskGraph graph, GridScheduler grids, Map<DeviceChunk, ? extends Collection<Object>> views) {
        List<DeviceChunk> chunks = List.copyOf(views.keySet());
        int last = chunks.size();
        ImmutableTaskGraph[] graphs = new ImmutableTaskGraph[last + 1];
        for (int i = 0; i < last; i++) graphs[i] = chunks.get(i).owner();
        graphs[last] = graph.snapshot();
        TornadoExecutionPlan plan = new TornadoExecutionPlan(graphs);
        for (int i = 0; i < last; i++) chunks.get(i).map(plan, views.get(chunks.get(i)), i, last);
        TornadoExecutionPlan chosen = plan.withDevice(device);
        if (!grids.keySet().isEmpty()) chosen = chosen.withGridScheduler(grids);       // a library's call alone has none
        if (profiled) chosen = chosen.withProfiler(ProfilerMode.SILENT);
        else if (cudaGraphs) chosen = chosen.withCUDAGraph();
        return chosen.withGraph(last);
    }
}
