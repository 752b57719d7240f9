package dev.gale.train.cli;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.PooledOps;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// A device of which only a part of the memory may be used.
///
/// @param memoryBytes that may be, what is not for tensors included
record CappedDevice(ComputeDevice device, long memoryBytes) implements ComputeDevice {
    CappedDevice {
        if (memoryBytes > device.memoryBytes()) {
            throw new InputException("--gpu-memory is %,d bytes, but %s has %,d".formatted(memoryBytes, device.name(),
                    device.memoryBytes()));
        }
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public String backend() {
        return device.backend();
    }

    @Override
    public boolean isGpu() {
        return device.isGpu();
    }

    @Override
    public List<String> capabilities() {
        return device.capabilities();
    }

    @Override
    public ComputeDevice computingIn(DType activationType) {
        return new CappedDevice(device.computingIn(activationType), memoryBytes);
    }

    @Override
    public TensorOps open() {
        TensorOps ops = device.open();
        if (ops instanceof PooledOps pooled) pooled.limitMemory(memoryBytes - DevicePlan.RUNTIME_BYTES);
        return ops;
    }

    @Override
    public TensorOps plan() {
        return device.plan();
    }
}
