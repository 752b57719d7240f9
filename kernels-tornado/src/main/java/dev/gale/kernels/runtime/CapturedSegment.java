package dev.gale.kernels.runtime;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.TornadoExecutionResult;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// A sequence of launches that was compiled once and is replayed on other tensors by rewriting its table of offsets.
final class CapturedSegment implements AutoCloseable {
    private final IntArray table;
    private final TornadoExecutionPlan plan;

    CapturedSegment(String name, List<Launch> launches, Device device) {
        table = new IntArray(Math.max(1, launches.stream().mapToInt(launch -> launch.operands().size()).sum()));
        Map<DeviceChunk, SequencedSet<Object>> views = new LinkedHashMap<>();
        addTasks(new TaskGraph(name), launches, device, views);     // which views there are must be said before the first task
        Object[] resident = views.values().stream().flatMap(SequencedSet::stream).toArray();
        TaskGraph graph = new TaskGraph(name).transferToDevice(DataTransferMode.EVERY_EXECUTION, table).consumeFromDevice(resident);
        addTasks(graph, launches, device, views);
        GridScheduler grids = new GridScheduler();
        for (int i = 0; i < launches.size(); i++) {
            Grid grid = launches.get(i).grid();
            if (grid != null) grids.addWorkerGrid(name + "." + id(i), grid.workers());
        }
        plan = device.plan(graph.persistOnDevice(resident), grids, views);
    }

    private void addTasks(TaskGraph graph, List<Launch> launches, Device device, Map<DeviceChunk, SequencedSet<Object>> views) {
        int slot = 0;
        for (int i = 0; i < launches.size(); i++) {
            List<Launch.Operand> operands = launches.get(i).operands();
            launches.get(i).task().addTo(graph, id(i), new Launch.Arguments(device.context(), table, slot, operands, views));
            slot += operands.size();
        }
    }

    private static String id(int launch) {
        return "t" + launch;
    }

    /// Runs launches whose signatures are those that were captured.
    TornadoExecutionResult replay(List<Launch> launches) {
        int slot = 0;
        for (Launch launch : launches) {
            for (Launch.Operand operand : launch.operands()) table.set(slot++, operand.first());
        }
        return plan.execute();
    }

    @Override
    public void close() {
        try {
            plan.close();
        } catch (TornadoExecutionPlanException e) {
            throw new IllegalStateException("the device did not end a plan", e);
        }
    }
}
