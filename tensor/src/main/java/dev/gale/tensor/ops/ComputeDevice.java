package dev.gale.tensor.ops;

import dev.gale.tensor.DType;
import java.util.List;
import java.util.Optional;

/// A device on which tensors can live and be computed with. Implementations are found through `Provider`.
public interface ComputeDevice {

    /// What people recognise it by, e.g. `NVIDIA H200`.
    String name();

    /// How it is reached, e.g. `CUDA`.
    String backend();

    /// True when it is worth preferring to the CPU.
    boolean isGpu();

    /// Bytes of its memory.
    long memoryBytes();

    /// What it can beyond the common, e.g. `mma`; for people.
    List<String> capabilities();

    /// The same device with activations and their gradients in a dtype that a run asks for.
    /// Throws: InputException when it does not compute in it.
    ComputeDevice computingIn(DType activationType);

    /// Operations on this device; the caller closes them.
    TensorOps open();

    /// Operations that take memory as those of `open` do, scratch included, and compute nothing: running a step on them
    /// plans it.
    TensorOps plan();

    /// Finds devices; registered with `ServiceLoader`.
    interface Provider {

        /// Devices, best first; empty when what they need is not installed.
        List<ComputeDevice> devices();

        /// A recent GPU of so many bytes that is not there, to plan for; empty when what that needs is not installed.
        default Optional<ComputeDevice> imagined(long memoryBytes) {
            return Optional.empty();
        }

        /// One sentence that says how to get what is missing.
        String remedy();
    }
}
