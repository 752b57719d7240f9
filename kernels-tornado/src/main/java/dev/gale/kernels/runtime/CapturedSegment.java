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
    private final int[] slots;
    private final TornadoExecutionPlan plan;

    /// @param slots where the offsets of each launch's operands begin in the table
    CapturedSegment(String name, List<Launch> launches, int[] slots, Device device) {
        this.slots = slots;
        int end = 1;
        for (int i = 0; i < slots.length; i++) end = Math.max(end, slots[i] + launches.get(i).operands().size());
        table = new IntArray(end);
        Map<DeviceChunk, SequencedSet<Object>> views = new LinkedHashMap<>();
        addTasks(new TaskGraph(name), launches, device, views);     // which views there are must be said before the first task
        Object[] resident = views.values().stream().flatMap(SequencedSet::stream).toArray();
        TaskGraph graph = new TaskGraph(name).transferToDevice(DataTransferMode.EVERY_EXECUTION, table)
                .consumeFromDevice(resident);
        addTasks(graph, launches, device, views);
        GridScheduler grids = new GridScheduler();
        for (int i = 0; i < launches.size(); i++) {
            Grid grid = launches.get(i).grid();
            if (grid != null) grids.addWorkerGrid(name + "." + id(i), grid.workers());
        }
        plan = device.plan(graph.persistOnDevice(resident), grids, views);
    }

    private void addTasks(TaskGraph graph, List<Launch> launches, Device device, Map<DeviceChunk, SequencedSet<Object>> views) {
        for (int i = 0; i < launches.size(); i++) {
            List<Launch.Operand> operands = launches.get(i).operands();
            launches.get(i).task()
                    .addTo(graph, id(i), new Launch.Arguments(device.context(), table, slots[i], operands, views));
        }
    }

    private static String id(int launch) {
        return "t" + launch;
    }

    /// Runs launches whose signatures are those that were captured.
    TornadoExecutionResult replay(List<Launch> launches) {
        for (int i = 0; i < slots.length; i++) {
            int slot = slots[i];
            for (Launch.Operand operand : launches.get(i).operands()) table.set(slot++, operand.first());
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
