package dev.gale.kernels.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Dynamic8;
import dev.gale.tensor.testing.Fixtures;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Updates of several parameters, of which some become one launch, are those of each alone.
class JoinedUpdatesTest {
    private final List<String> launched = new ArrayList<>();

    private TornadoOps device() {
        DeviceLink link = DeviceLink.of(new Device(TornadoExecutionPlan.getDevice(0, 0),
                new KernelContext(), false));
        DeviceLink noting = (DeviceLink) Proxy.newProxyInstance(DeviceLink.class.getClassLoader(),
                new Class<?>[] {DeviceLink.class}, (proxy, method, arguments) -> {
                    if (arguments != null && arguments[0] instanceof Launch launch) launched.add(launch.kernel());
                    return method.invoke(link, arguments);
                });
        return new TornadoOps(noting, new Abilities(DType.F32, false, false), MemoryPool.CHUNK_BYTES);
    }

    private static List<Tensor> tensors(TensorOps ops, DType dtype, int[] sizes, int share) {
        List<Tensor> tensors = new ArrayList<>();
        for (int size : sizes) {
            Tensor tensor = ops.allocate("t", dtype, Shape.of(Math.ceilDiv(size, share)));
            ops.fill(tensor, 0f);
            tensors.add(tensor);
        }
        return tensors;
    }

    private static List<byte[]> update(TensorOps ops, int[] sizes) {
        List<Tensor> params = tensors(ops, DType.F32, sizes, 1);
        List<Tensor> grads = tensors(ops, DType.F32, sizes, 1);
        List<Tensor> codes = tensors(ops, DType.U8, sizes, 1);
        List<Tensor> absmax = tensors(ops, DType.F32, sizes, Dynamic8.BLOCK);
        Tensor hyper = ops.allocate("hyper", DType.F32, Shape.of(4));
        Tensor factor = ops.allocate("factor", DType.F32, Shape.of(1));
        ops.write(hyper, new float[] {0.5f, 0.5f, 0.75f, 0});
        ops.write(factor, new float[] {1});
        for (int i = 0; i < sizes.length; i++) ops.write(grads.get(i), Fixtures.uniform(sizes[i], i));
        for (int i = 0; i < sizes.length; i++) {
            ops.lion8bit(params.get(i), grads.get(i), new Quantized8(codes.get(i), absmax.get(i)), hyper, factor);
        }
        return IntStream.range(0, sizes.length).mapToObj(i -> {
            byte[] bytes = new byte[sizes[i]];
            ops.readBytes(MemorySegment.ofArray(bytes), codes.get(i));
            return bytes;
        }).toList();
    }

    /// Blocks of 256 elements, tensors on whole 64 bytes: an absmax fills those with 4096 elements.
    @ParameterizedTest
    @CsvSource({"4096 8192 4096, 1", "4096 300 4096, 2", "300 300, 2", "4096 257 257, 2"})
    void tensorsSideBySideAreOneLaunch(String list, int launches) {
        int[] sizes = Arrays.stream(list.split(" ")).mapToInt(Integer::parseInt).toArray();
        try (TensorOps reference = new ReferenceOps(); TornadoOps device = device()) {
            List<byte[]> want = update(reference, sizes);
            List<byte[]> got = update(device, sizes);
            for (int i = 0; i < sizes.length; i++) assertArrayEquals(want.get(i), got.get(i), "parameter " + i);
            assertEquals(launches, launched.stream().filter("lion8bit"::equals).count());
        }
    }
}
