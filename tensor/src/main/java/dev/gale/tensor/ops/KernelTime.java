package dev.gale.tensor.ops;

/// What launches of one kernel took on a device.
///
/// @param operation method of `TensorOps` that launched it
/// @param kernel    its name
/// @param constants numbers that were compiled into it, sizes among them
/// @param calls     number of launches
/// @param nanos     time on the device, all launches together
public record KernelTime(String operation, String kernel, String constants, long calls, long nanos) {

    /// Both together. Precondition: the same kernel.
    public KernelTime plus(KernelTime other) {
        return new KernelTime(operation, kernel, constants, calls + other.calls, nanos + other.nanos);
    }
}
