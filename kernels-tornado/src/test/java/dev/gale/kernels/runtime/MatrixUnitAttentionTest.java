package dev.gale.kernels.runtime;

import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.kernels.emulator.SharedFloats;
import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.testing.TensorAssert;
import dev.gale.tensor.testing.Trial;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Attention's backward uses the matrix unit where it can, and gives its kernels their operands in the right order.
class MatrixUnitAttentionTest {
    private static final int ROWS = 45;
    private static final int HEADS = 4;
    private static final int KV_HEADS = 2;
    private static final double TOLERANCE = 0.02;                     // of the largest; a wrong operand is off by one

    /// Two sequences side by side.
    private static Trial backward(int dims, DType dtype) {
        AttentionSpec spec = new AttentionSpec(HEADS, KV_HEADS, dims, (float) (1 / Math.sqrt(dims)), 0f);
        int width = spec.queryWidth();
        int keyWidth = spec.keyWidth();
        int[] start = IntStream.range(0, ROWS).map(i -> i < 20 ? 0 : 20).toArray();
        int[] stop = IntStream.range(0, ROWS).map(i -> i + 1).toArray();
        float[] q = uniform(ROWS * width, 1);
        float[] k = uniform(ROWS * keyWidth, 2);
        float[] v = uniform(ROWS * keyWidth, 3);
        Trial.Outputs forward = new Trial((ops, t) -> ops.attentionForward(t.get("o"), t.get("lse"), t.get("q"), t.get("k"),
                t.get("v"), t.get("start"), t.get("stop"), spec)).output("o", ROWS, width).output("lse", HEADS, ROWS)
                .input("q", dtype, q, ROWS, width).input("k", dtype, k, ROWS, keyWidth).input("v", dtype, v, ROWS, keyWidth)
                .ints("start", start).ints("stop", stop).reference();
        return new Trial((ops, t) -> ops.attentionBackward(t.get("dq"), t.get("dk"), t.get("dv"), t.get("dO"), t.get("q"),
                t.get("k"), t.get("v"), t.get("o"), t.get("lse"), t.get("start"), t.get("stop"), spec))
                .output("dq", dtype, ROWS, width).output("dk", dtype, ROWS, keyWidth).output("dv", dtype, ROWS, keyWidth)
                .input("dO", dtype, uniform(ROWS * width, 4), ROWS, width).input("q", dtype, q, ROWS, width)
                .input("k", dtype, k, ROWS, keyWidth).input("v", dtype, v, ROWS, keyWidth)
                .input("o", dtype, forward.get("o"), ROWS, width).input("lse", forward.get("lse"), HEADS, ROWS)
                .ints("start", start).ints("stop", stop);
    }

    /// Called in the class loader of `SharedFloats`.
    static Map<String, float[]> onMatrixUnit(int dims) {
        Device device = new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false);
        TornadoOps ops = new TornadoOps(DeviceLink.of(device), new Abilities(DType.BF16, true, false), MemoryPool.CHUNK_BYTES);
        return backward(dims, DType.BF16).run(ops).byName();
    }

    @ParameterizedTest
    @ValueSource(ints = {64, 128})
    @SuppressWarnings("unchecked")
    void gradientsMatchTheReference(int dims) throws ReflectiveOperationException {
        ClassLoader loader = SharedFloats.loader("dev.gale.kernels.runtime.", "dev.gale.kernels.mma.");
        Method method = loader.loadClass(MatrixUnitAttentionTest.class.getName()).getDeclaredMethod("onMatrixUnit", int.class);
        method.setAccessible(true);
        Map<String, float[]> got = (Map<String, float[]>) method.invoke(null, dims);
        backward(dims, DType.BF16).reference().byName().forEach((name, want) -> {
            double largest = IntStream.range(0, want.length).mapToDouble(i -> Math.abs(want[i])).max().orElseThrow();
            double[] bounds = new double[want.length];
            Arrays.fill(bounds, TOLERANCE * largest);
            TensorAssert.assertClose(name, want, got.get(name), bounds);
        });
    }

    /// The kernels that backward launches.
    private static List<String> kernels(boolean matrixUnit, int dims, DType dtype) {
        List<String> kernels = new ArrayList<>();
        DeviceLink planned = DeviceLink.planned();
        DeviceLink link = new DeviceLink() {
            @Override
            public DeviceChunk chunk(int number, long bytes) {
                return planned.chunk(number, bytes);
            }

            @Override
            public void launch(Launch launch) {
                kernels.add(launch.kernel());
            }

            @Override
            public void run() {}

            @Override
            public void upload(DeviceChunk chunk, int word, MemorySegment bytes) {}

            @Override
            public void download(DeviceChunk chunk, int word, MemorySegment bytes) {}

            @Override
            public void close() {}
        };
        TornadoOps ops = new TornadoOps(link, new Abilities(DType.F32, matrixUnit, false), MemoryPool.CHUNK_BYTES);
        Tensor[] queries = new Tensor[4];
        Tensor[] keys = new Tensor[4];
        Tensor[] bounds = new Tensor[2];
        Arrays.setAll(queries, i -> ops.allocate("queries", dtype, Shape.of(ROWS, HEADS * dims)));
        Arrays.setAll(keys, i -> ops.allocate("keys", dtype, Shape.of(ROWS, KV_HEADS * dims)));
        Arrays.setAll(bounds, i -> ops.allocate("bounds", DType.I32, Shape.of(ROWS)));
        ops.attentionBackward(queries[0], keys[0], keys[1], queries[1], queries[2], keys[2], keys[3], queries[3],
                ops.allocate("lse", DType.F32, Shape.of(HEADS, ROWS)), bounds[0], bounds[1],
                new AttentionSpec(HEADS, KV_HEADS, dims, 0.1f, 0f));
        return kernels;
    }

    @Test
    void theMatrixUnitIsUsedWhereItCanBe() {
        assertEquals(List.of("attentionRanges", "attentionDeltaBf16", "AttentionDkDv64", "AttentionDq64"),
                kernels(true, 64, DType.BF16));
        assertTrue(kernels(true, 128, DType.BF16).containsAll(List.of("AttentionDkDv128", "AttentionDq128")));
        for (List<String> portable : List.of(kernels(true, 32, DType.BF16), kernels(true, 64, DType.F32),
                kernels(false, 64, DType.BF16))) {
            assertTrue(portable.contains("attentionGradient dq"), portable::toString);
        }
    }
}
