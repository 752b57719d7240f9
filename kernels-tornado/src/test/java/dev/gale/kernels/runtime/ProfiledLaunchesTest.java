package dev.gale.kernels.runtime;

import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.KernelTime;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.Profiled;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Measured launches compute what others do and are known by the operation that they belong to.
class ProfiledLaunchesTest {
    private static TornadoOps ops(boolean profiled) {
        Device device = new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false, profiled);
        return new TornadoOps(DeviceLink.of(device), Abilities.NONE, MemoryPool.CHUNK_BYTES);
    }

    private static Tensor random(TornadoOps ops, int seed, int rows, int cols) {
        Tensor tensor = ops.allocate("t" + seed, DType.F32, Shape.of(rows, cols));
        ops.write(tensor, uniform(rows * cols, seed));
        return tensor;
    }

    private static float[] compute(TornadoOps ops) {
        Tensor x = random(ops, 1, 4, 6);
        Tensor y = random(ops, 2, 4, 3);
        LowRank side = new LowRank(x, random(ops, 3, 2, 6), random(ops, 4, 3, 2), random(ops, 5, 4, 2), 0.5f);
        ops.linearForward(y, x, random(ops, 6, 3, 6), null, null, side);
        ops.add(y, y, y);
        ops.add(y, y, y);
        return ops.toFloats(y);
    }

    @Test
    void kernelsAreGroupedByTheOperationThatLaunchedThem() {
        try (TornadoOps measured = ops(true); TornadoOps plain = ops(false)) {
            assertArrayEquals(compute(plain), compute(measured));
            assertEquals(List.of(), plain.takeKernelTimes());
            List<KernelTime> times = measured.takeKernelTimes();
            assertEquals(Map.of("linearForward", 3L, "add", 2L), times.stream()
                    .collect(Collectors.groupingBy(KernelTime::operation, Collectors.summingLong(KernelTime::calls))));
            assertTrue(times.contains(new KernelTime("add", "add", "12", 2, 0)), times::toString);
            assertEquals(List.of(), measured.takeKernelTimes());
        }
    }

    @Test
    void thePropertyTurnsItOn() {
        assertFalse(new Device(null, null, true).profiled());
        System.setProperty(Profiled.PROPERTY, "true");
        try {
            assertTrue(new Device(null, null, true).profiled());
        } finally {
            System.clearProperty(Profiled.PROPERTY);
        }
    }
}
