package dev.gale.kernels.runtime;

import dev.gale.kernels.MemoryKernels;
import dev.gale.tensor.DType;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// One buffer on the device, seen as F32, BF16 and I32 elements.
///
/// TornadoVM gives every array object a buffer of its own. Here the views are arrays of one element that every graph maps onto
/// the buffer of the first array, so all kernels and all graphs work on the same memory, and nothing is ever copied back
/// and forth. Each operand of a task has a view of its own, since TornadoVM 5.2.0 does not come to an end with a task that is
/// given one array twice. Kernels find their tensors through offsets; no kernel asks a view for its size.
final class DeviceChunk implements AutoCloseable {
    /// Most operands of a task.
    static final int OPERANDS = 10;

    private final LongArray longs;
    private final IntArray[] ints = new IntArray[OPERANDS];
    private final FloatArray[] floats = new FloatArray[OPERANDS];
    private final ShortArray[] halves = new ShortArray[OPERANDS];
    private final ImmutableTaskGraph owner;
    private final TornadoExecutionPlan plan;

    /// @param bytes a multiple of 8, at most 4 GB: the index of a BF16 element is an int
    DeviceChunk(int number, long bytes, Device device) {
        longs = new LongArray(Math.toIntExact(bytes / Long.BYTES));
        Arrays.setAll(ints, i -> new IntArray(1));
        Arrays.setAll(floats, i -> new FloatArray(1));
        Arrays.setAll(halves, i -> new ShortArray(1));
        String name = "chunk" + number;
        owner = new TaskGraph(name).task("touch", MemoryKernels::touch, device.context(), longs).persistOnDevice(longs).snapshot();
        plan = new TornadoExecutionPlan(owner);
        plan.withDevice(device.device()).withGridScheduler(new GridScheduler(name + ".touch", Grid.groups(1, 32).workers())).execute();
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

    /// The views through which a kernel looks at an operand of this dtype.
    List<Object> views(DType dtype, int operand) {
        return dtype == DType.I32 ? List.of(ints[operand]) : List.of(floats[operand], halves[operand]);
    }

    /// The graph that owns the buffer; every plan that uses the chunk must contain it.
    ImmutableTaskGraph owner() {
        return owner;
    }

    /// Lets graph `user` of a plan see this chunk through its views; `owner` is the index of this chunk's graph in the plan.
    void map(TornadoExecutionPlan plan, Collection<Object> views, int owner, int user) {
        for (Object view : views) plan.mapOnDeviceMemoryRegion(view, longs, 0, owner, user);
    }

    @Override
    public void close() {
        try {
            plan.freeDeviceMemory();
            plan.close();
        } catch (TornadoExecutionPlanException e) {
            throw new IllegalStateException("the device did not free its memory", e);
        }
    }
}
