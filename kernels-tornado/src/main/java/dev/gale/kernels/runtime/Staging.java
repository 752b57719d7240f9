package dev.gale.kernels.runtime;

import dev.gale.kernels.MemoryKernels;
import dev.gale.tensor.DeviceException;
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

/// Copies words of 4 bytes between the host and chunks of device memory, through arrays of three sizes: a step's ids
/// and learning rate should not travel in megabytes.
///
/// TornadoVM 5.2.0 logs what the driver refuses and goes on, so that a device that is lost, or an address that is none, would
/// show as old values of the array between. Each read therefore takes a new number through the device and must find it behind
/// the words. CUDA refuses every call once its context is broken, so that is found by the next read, whenever it happened; a
/// single launch that is refused for its arguments is not.
final class Staging implements AutoCloseable {
    /// System property; `false` takes whatever is read for an answer: where kernels are compiled for a driver that runs
    /// nothing.
    static final String ANSWERS = "gale.device.answers";
    private static final int SMALL = 1 << 10;
    private static final int MIDDLE = 1 << 14;                          // the ids of a long sequence
    private static final int LARGE = 1 << 22;
    /// Words that a thread copies, at least.
    private static final int EACH = 4;
    private static final int GROUP = 256;
    private static final int THREADS = 64 * GROUP;                     // enough for the bus, which is slower than the device

    private final Device device;
    private final Map<Route, Lane> lanes = new HashMap<>();
    private int reads;

    Staging(Device device) {
        this.device = device;
    }

    /// A chunk, a direction and a size of the array between.
    private record Route(DeviceChunk chunk, boolean up, int capacity) {}

    /// @param words capacity of them, and the number of the read behind them
    /// @param table first word in the chunk, number of words, number of the read
    private record Lane(IntArray words, IntArray table, TornadoExecutionPlan plan) {
        void run(int first, int count, int number) {
            table.set(0, first);
            table.set(1, count);
            table.set(2, number);
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
            lane.run(word + (int) (at / 4), (int) (size / 4), 0);
        }
    }

    /// Reads a whole number of words, from `word` of the chunk on.
    /// Throws: DeviceException when they are not what the device holds.
    void download(DeviceChunk chunk, int word, MemorySegment bytes) {
        int capacity = capacity(bytes);
        Lane lane = lanes.computeIfAbsent(new Route(chunk, false, capacity), this::lane);
        for (long at = 0; at < bytes.byteSize(); at += capacity * 4L) {
            long size = Math.min(capacity * 4L, bytes.byteSize() - at);
            lane.run(word + (int) (at / 4), (int) (size / 4), ++reads);
            requireAnswer(lane.words.get(capacity), reads);
            MemorySegment.copy(lane.words.getSegment(), 0, bytes, at, size);
        }
    }

    /// Throws: DeviceException when the device did not do what it was told.
    static void requireAnswer(int answer, int number) {
        if (answer == number || "false".equals(System.getProperty(ANSWERS))) return;
        throw new DeviceException("the device does not answer: it is lost, or its driver refused a launch or memory, which"
                + " TornadoVM printed before");
    }

    private static int capacity(MemorySegment bytes) {
        long words = bytes.byteSize() / 4;
        return words <= SMALL ? SMALL : words <= MIDDLE ? MIDDLE : LARGE;
    }

    private Lane lane(Route route) {
        IntArray words = new IntArray(route.capacity + 1);
        IntArray table = new IntArray(3);
        IntArray ints = route.chunk.ints(0);
        int threads = Math.min(route.capacity / EACH, THREADS);
        String name = (route.up ? "upload" : "download") + lanes.size();
        TaskGraph graph = new TaskGraph(name);
        if (route.up) {
            graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, table, words).consumeFromDevice(ints)
                    .task("copy", MemoryKernels::upload, device.context(), table, words, ints, threads).persistOnDevice(ints);
        } else {
            graph.transferToDevice(DataTransferMode.EVERY_EXECUTION, table).consumeFromDevice(ints)
                    .task("copy", MemoryKernels::download, device.context(), table, words, ints, threads, route.capacity)
                    .persistOnDevice(ints)
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
