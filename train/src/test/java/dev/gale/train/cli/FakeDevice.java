package dev.gale.train.cli;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.FailingOps;
import java.util.List;
import java.util.ServiceLoader;
import java.util.function.Supplier;

/// A device of some size that plans as the CPU does, in smaller chunks.
record FakeDevice(long memoryBytes, Supplier<TensorOps> operations, DType activationType) implements ComputeDevice {
    private static final long CHUNK_BYTES = 1 << 16;
    /// What commands see; nothing unless a test says so.
    static List<ComputeDevice> present = List.of();

    FakeDevice(long memoryBytes, Supplier<TensorOps> operations) {
        this(memoryBytes, operations, DType.F32);
    }

    @Override
    public String name() {
        return "Fake 1";
    }

    @Override
    public String backend() {
        return "FAKE";
    }

    @Override
    public boolean isGpu() {
        return true;
    }

    @Override
    public List<String> capabilities() {
        return List.of("nothing");
    }

    /// Without BF16.
    @Override
    public ComputeDevice computingIn(DType activationType) {
        if (activationType == DType.BF16) throw new InputException("Fake 1 knows no bf16");
        return new FakeDevice(memoryBytes, operations, activationType);
    }

    private TensorOps inDtype(TensorOps ops) {
        return FailingOps.replacing(ops, "activationType", args -> activationType);
    }

    @Override
    public TensorOps open() {
        return activationType == DType.F32 ? operations.get() : inDtype(operations.get());
    }

    @Override
    public TensorOps plan() {
        return activationType == DType.F32 ? new NullOps(CHUNK_BYTES) : inDtype(new NullOps(CHUNK_BYTES));
    }

    /// Found through `ServiceLoader`.
    public static final class Provider implements ComputeDevice.Provider {
        @Override
        public List<ComputeDevice> devices() {
            return present;
        }

        /// That of the other providers.
        @Override
        public String remedy() {
            return ServiceLoader.load(ComputeDevice.Provider.class).stream().filter(found -> found.type() != Provider.class)
                    .findFirst().orElseThrow().get().remedy();
        }
    }
}
