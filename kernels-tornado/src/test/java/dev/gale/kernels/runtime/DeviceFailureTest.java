package dev.gale.kernels.runtime;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.DeviceException;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.TensorOps;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import uk.ac.manchester.tornado.api.exceptions.TornadoBailoutRuntimeException;

/// A device that cannot be relied on is not opened, and one that fails says so with one type and one sentence.
class DeviceFailureTest {
    private final String before = System.getProperty(TornadoDevices.BAILOUT);

    @AfterEach
    void setBack() {
        set(before);
    }

    private static void set(String value) {
        if (value == null) System.clearProperty(TornadoDevices.BAILOUT);
        else System.setProperty(TornadoDevices.BAILOUT, value);
    }

    @ParameterizedTest
    @CsvSource(value = {"null", "true", "True", "''", "no"}, nullValues = "null")
    void noDeviceOpensWhereKernelsMayFallBackToJava(String value) {
        set(value);
        ComputeDevice device = new TornadoDevices().devices().getFirst();
        String message = assertThrows(InputException.class, device::open).getMessage();
        assertTrue(message.contains("-Dtornado.recover.bailout=False"), message);
        device.plan().close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"false", "False"})
    void aDeviceOpensWhereTheyMayNot(String value) {
        set(value);
        try (TensorOps ops = new TornadoDevices().devices().getFirst().open()) {
            Tensor tensor = ops.allocate("x", DType.F32, Shape.of(3));
            ops.write(tensor, new float[] {1, 2, 3});
            assertEquals(3, ops.toFloats(tensor)[2]);
        }
    }

    /// Throws the same for everything.
    private record Broken(Throwable error) implements DeviceLink {
        @SuppressWarnings("unchecked")
        private <T extends Throwable> void fail() throws T {
            throw (T) error;
        }

        @Override
        public DeviceChunk chunk(int number, long bytes) {
            this.<RuntimeException>fail();
            return null;
        }

        @Override
        public void launch(Launch launch) {}

        @Override
        public void run() {
            this.<RuntimeException>fail();
        }

        @Override
        public void upload(DeviceChunk chunk, int word, MemorySegment bytes) {
            this.<RuntimeException>fail();
        }

        @Override
        public void download(DeviceChunk chunk, int word, MemorySegment bytes) {
            this.<RuntimeException>fail();
        }

        @Override
        public void close() {
            this.<RuntimeException>fail();
        }
    }

    @Test
    void whateverTornadoVmThrowsIsOneSentence() {
        Throwable bailout = new TornadoBailoutRuntimeException("\u001B[31m[Error]\u001B[0m launch failed.\nReason: 700");
        for (Throwable error : List.of(bailout, new Error("not implemented"), new IllegalStateException())) {
            DeviceLink link = new GuardedLink(new Broken(error));
            for (Runnable work : List.<Runnable>of(link::run, link::close, () -> link.chunk(0, 2_500_000_000L),
                    () -> link.upload(null, 0, null), () -> link.download(null, 0, null))) {
                DeviceException failure = assertThrows(DeviceException.class, work::run);
                assertEquals(error, failure.getCause());
                assertTrue(failure.getMessage().startsWith("the device "), failure.getMessage());
                assertFalse(failure.getMessage().matches("(?s).*[\\n\u001B].*"), failure.getMessage());
            }
        }
        DeviceLink link = new GuardedLink(new Broken(bailout));
        assertEquals("the device did not give 2,500.0 MB of its memory: [Error] launch failed. Reason: 700",
                assertThrows(DeviceException.class, () -> link.chunk(0, 2_500_000_000L)).getMessage());
        InputException input = new InputException("wrong");
        assertEquals(input, assertThrows(InputException.class, new GuardedLink(new Broken(input))::run));
    }

    @Test
    void oldValuesAreNotAnAnswer() {
        assertDoesNotThrow(() -> Staging.requireAnswer(7, 7));
        assertThrows(DeviceException.class, () -> Staging.requireAnswer(6, 7));
    }

    @Test
    void whatADeviceCanDependsOnItsGeneration() {
        String info = "id=0x1\nDevice vendor    : NVIDIA\nDevice version   : CUDA %s\nDriver version   : 13.0\n";
        for (String recent : List.of("8.0", "9.0", "12.1")) {
            Abilities abilities = Abilities.cuda(info.formatted(recent));
            assertEquals(List.of("bf16", "mma", "cp.async"), abilities.names());
            assertEquals(DType.BF16, abilities.activationType());
        }
        Abilities old = Abilities.cuda(info.formatted("7.5"));
        assertEquals(List.of(), old.names());
        assertEquals(DType.F16, old.activationType());
        assertEquals(List.of("bf16", "mma", "cp.async", "cublas"), new Abilities(DType.BF16, true, true).names());
    }

    @Test
    void activationsAreInTheDtypeThatIsAskedFor() {
        Abilities recent = Abilities.cuda("Device version   : CUDA 9.0\n");
        Abilities old = Abilities.cuda("Device version   : CUDA 7.5\n");
        assertEquals(new Abilities(DType.F16, true, false), recent.computingIn(DType.F16));
        assertEquals(DType.F32, old.computingIn(DType.F32).activationType());
        assertEquals(DType.F16, Abilities.NONE.computingIn(DType.F16).activationType());
        for (Abilities without : List.of(old, Abilities.NONE)) {
            String message = assertThrows(InputException.class, () -> without.computingIn(DType.BF16)).getMessage();
            assertEquals("this device does not compute in bf16: ask for fp16, or for neither", message);
        }
        assertEquals(recent, recent.asSet());
        System.setProperty(Abilities.ACTIVATIONS, "f16");
        try {
            assertEquals(DType.F16, recent.asSet().activationType());
            assertEquals(DType.F16, Abilities.NONE.asSet().activationType());
            System.setProperty(Abilities.ACTIVATIONS, "fp8");
            String message = assertThrows(InputException.class, recent::asSet).getMessage();
            assertEquals("gale.activations is \"fp8\", but must be f32, f16 or bf16", message);
        } finally {
            System.clearProperty(Abilities.ACTIVATIONS);
        }
    }
}
