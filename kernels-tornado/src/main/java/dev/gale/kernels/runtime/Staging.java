package dev.gale.kernels.runtime;

import dev.gale.kernels.MemoryKernels;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// Copies words of 4 bytes between the host and chunks of device memory, through arrays of two sizes: a step's ids and
/// learning rate should not travel in megabytes.
final class Staging implements AutoCloseable {
    private static final int SMALL = 1 << 10;
    private static final int LARGE = 1 << 22;
    private static final int GROUP = 256;
    private static final int THREADS = 64 * GROUP;                     // enough for the bus, which is slower than the device

    private final Device device;
    private final Map<Route, Lane> lanes = new HashMap<>();

    Staging(Device device) {
        this.device = device;
    }

    /// A chunk, a direction and a size of the array between.
    private record Route(DeviceChunk chunk, boolean up, int capacity) {}

    /// @param table first word in the chunk, number of words
    private record Lane(IntArray words, IntArray table, TornadoExecutionPlan plan) {
        void run(int first, int count) {
            table.set(0, first);
            table.set(1, count);
            plan.execute();
        }
    }

    /// Writes a whole number of words, from `word` of the chunk on.
    void upload(DeviceChunk chunk, int word, MemorySegment bytes) {
        int capacity = capacity(bytes);
        Lane lane = lanes.computeIfAbsent(new Route(chunk, true, capacity), this::lane);
        for (long at = 0; at < bytes.byteSize(); at += capacity * 4L) {
            long size = Math.min(capacity * 4L, bytes.byteSize() - at);
            MemorySegment.copy(bytes, at, lane.words.getSegment(), 0, size);
            lane.run(word + (int) (at / 4), (int) (size / 4));
        }
    }

    /// Reads a whole number of words, from `word` of the chunk on.
    void download(DeviceChunk chunk, int word, MemorySegment bytes) {
        int capacity = capacity(bytes);
        Lane lane = lanes.computeIfAbsent(new Route(chunk, false, capacity), this::lane);
        for (long at = 0; at < bytes.byteSize(); at += capacity * 4L) {
            long size = Math.min(capacity * 4L, bytes.byteSize() - at);
            lane.run(word + (int) (at / 4), (int) (size / 4));
            MemorySegment.copy(lane.words.getSegment(), 0, bytes, at, size);
        }
    }

    private static int capacity(MemorySegment bytes) {
        return bytes.byteSize() <= SMALL * 4L ? SMALL : LARGE;
    }

    private Lane lane(Route route) {
        IntArray words = new IntArray(route.capacity);
        IntArray table = new IntArray(2);
        IntArray ints = route.chunk.ints(0);
        int threads = Math.min(route.capacity, THREADS);
        String name = (route.up ? "upload" : "download") + lanes.size();
        TaskGraph graph = new TaskGraph(name);
        if (route.up) {
            graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, table, words).consumeFromDevice(ints)
                    .task("copy", MemoryKernels::upload, device.context(), table, words, ints, threads).persistOnDevice(ints);
        } else {
            graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, table).consumeFromDevice(ints)
                    .task("copy", MemoryKernels::download, device.context(), table, words, ints, threads).persistOnDevice(ints)
                    .transferToHost(DataTransferMode.EVERY_EXECUTION, words);
        }
        GridScheduler grids = new GridScheduler(name + ".copy", Grid.threads(threads, GROUP).workers());
        return new Lane(words, table, device.plan(graph, grids, Map.of(route.chunk, List.of(ints))));
    }

    @Override
    public void close() {
        for (Lane lane : lanes.values()) {
            try {
                lane.plan.close();
            } catch (TornadoExecutionPlanException e) {
                throw new IllegalStateException("the device did not end a plan", e);
            }
        }
        lanes.clear();
    }
}
