package dev.gale.kernels.runtime;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// A sequence of launches that was compiled once and is replayed on other tensors by rewriting its table of offsets.
final class CapturedSegment implements AutoCloseable {
    private final IntArray table;
    private final TornadoExecutionPlan plan;

    CapturedSegment(String name, List<Launch> launches, Device device) {
        table = new IntArray(Math.max(1, launches.stream().mapToInt(launch -> launch.operands().size()).sum()));
        Map<DeviceChunk, SequencedSet<Object>> views = views(launches);
        Object[] resident = views.values().stream().flatMap(SequencedSet::stream).toArray();
        TaskGraph graph = new TaskGraph(name).transferToDevice(DataTransferMode.EVERY_EXECUTION, table).consumeFromDevice(resident);
        GridScheduler grids = new GridScheduler();
        int slot = 0;
        for (int i = 0; i < launches.size(); i++) {
            Launch launch = launches.get(i);
            String id = "t" + i;
            launch.task().addTo(graph, id, new Launch.Arguments(device.context(), table, slot, launch.operands()));
            grids.addWorkerGrid(name + "." + id, launch.grid().workers());
            slot += launch.operands().size();
        }
        plan = device.plan(graph.persistOnDevice(resident), grids, views);
    }

    private static Map<DeviceChunk, SequencedSet<Object>> views(List<Launch> launches) {
        Map<DeviceChunk, SequencedSet<Object>> views = new LinkedHashMap<>();
        for (Launch launch : launches) {
            for (int i = 0; i < launch.operands().size(); i++) {
                Launch.Operand operand = launch.operands().get(i);
                views.computeIfAbsent(operand.chunk(), key -> new LinkedHashSet<>())
                        .addAll(operand.chunk().views(operand.dtype(), i));
            }
        }
        return views;
    }

    /// Runs launches whose signatures are those that were captured.
    void replay(List<Launch> launches) {
        int slot = 0;
        for (Launch launch : launches) {
            for (Launch.Operand operand : launch.operands()) table.set(slot++, operand.first());
        }
        plan.execute();
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
