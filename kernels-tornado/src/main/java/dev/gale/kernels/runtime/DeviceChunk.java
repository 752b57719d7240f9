package dev.gale.kernels.runtime;

import dev.gale.kernels.MemoryKernels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.BFloat16Array;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/// One buffer on the device, seen as F32, BF16 and I32 elements and as words of 8 bytes.
///
/// TornadoVM gives every array object a buffer of its own. Here the views are arrays of one element that every graph maps onto
/// the buffer of the first array, so all kernels and all graphs work on the same memory, and nothing is ever copied back
/// and forth. Each operand of a task has a view of its own, since TornadoVM 5.2.0 does not come to an end with a task that is
/// given one array twice. Kernels find their tensors through offsets; no kernel asks a view for its size.
/// TornadoVM wants as much memory on the host as on the device: it gets pages of a sparse file that nobody touches.
final class DeviceChunk implements AutoCloseable {
    /// Most operands of a task.
    static final int OPERANDS = 10;

    private final LongArray whole;
    private final LongArray[] longs = new LongArray[OPERANDS];
    private final IntArray[] ints = new IntArray[OPERANDS];
    private final FloatArray[] floats = new FloatArray[OPERANDS];
    private final ShortArray[] halves = new ShortArray[OPERANDS];
    private final BFloat16Array[] brains = new BFloat16Array[OPERANDS];
    private final Arena host = Arena.ofShared();
    private final ImmutableTaskGraph owner;
    private final TornadoExecutionPlan plan;
    private final Device device;
    private TornadoExecutionPlan asking;                 // null until somebody asks for the address
    private long address;

    /// @param bytes a multiple of 8, less than 4 GB: the index of a BF16 element is an int
    DeviceChunk(int number, long bytes, Device device) {
        whole = LongArray.fromSegmentShallow(untouched(TornadoNativeArray.ARRAY_HEADER + bytes, host));
        Arrays.setAll(longs, i -> new LongArray(1));
        Arrays.setAll(ints, i -> new IntArray(1));
        Arrays.setAll(floats, i -> new FloatArray(1));
        Arrays.setAll(halves, i -> new ShortArray(1));
        Arrays.setAll(brains, i -> new BFloat16Array(1));
        this.device = device;
        String name = "chunk" + number;
        owner = new TaskGraph(name).task("look", MemoryKernels::look, device.context(), whole, ints[0])
                .persistOnDevice(whole, ints[0]).snapshot();
        plan = new TornadoExecutionPlan(owner);
        plan.withDevice(device.device()).withGridScheduler(new GridScheduler(name + ".look", Grid.groups(1, 32).workers()))
                .withStagedTransfers().execute();
    }

    private DeviceChunk() {
        whole = null;
        device = null;
        owner = null;
        plan = null;
    }

    /// A chunk that nobody computes on: only one that differs from all others.
    static DeviceChunk planned() {
        return new DeviceChunk();
    }

    /// Zeros that take no memory until they are written.
    private static MemorySegment untouched(long bytes, Arena arena) {
        try {
            Path file = Files.createTempFile("gale", ".chunk");
            Files.delete(file);
            try (FileChannel channel = FileChannel.open(file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.SPARSE,
                    StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE))) {
                return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot map a sparse file of %,d bytes: %s".formatted(bytes, e.getMessage()), e);
        }
    }

    LongArray longs(int operand) {
        return longs[operand];
    }

    IntArray ints(int operand) {
        return ints[operand];
    }

    FloatArray floats(int operand) {
        return floats[operand];
    }

    ShortArray halves(int operand) {
        return halves[operand];
    }

    /// For libraries; kernels see BF16 as `halves`.
    BFloat16Array brains(int operand) {
        return brains[operand];
    }

    /// Where the first byte lies, as the driver counts.
    long address() {
        if (address == 0) locate();
        return address;
    }

    /// The plan is kept: its end would free what it looked at.
    private void locate() {
        TaskGraph graph = new TaskGraph("address").consumeFromDevice(longs[0]);
        ChunkAddress.ask(graph, longs[0], found -> address = found);
        Device plain = new Device(device.device(), device.context(), false, false);
        asking = plain.plan(graph.persistOnDevice(longs[0]), new GridScheduler(), Map.of(this, List.of(longs[0])));
        asking.execute();
    }

    /// The graph that owns the buffer; every plan that uses the chunk must contain it.
    ImmutableTaskGraph owner() {
        return owner;
    }

    /// Lets graph `user` of a plan see this chunk through its views; `owner` is the index of this chunk's graph in the plan.
    void map(TornadoExecutionPlan plan, Collection<Object> views, int owner, int user) {
        for (Object view : views) plan.mapOnDeviceMemoryRegion(view, whole, 0, owner, user);
    }

    @Override
    public void close() {
        if (plan == null) return;
        try {
            if (asking != null) asking.close();
            plan.freeDeviceMemory();
            plan.close();
            host.close();
        } catch (TornadoExecutionPlanException e) {
            throw new IllegalStateException("the device did not free its memory", e);
        }
    }
}
