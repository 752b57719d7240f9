package dev.gale.tensor.ops;

/// Bytes that an implementation of `TensorOps` holds for tensors it allocated (memory-mapped weights are not among
/// them).
///
/// @param liveBytes     allocated and not yet released
/// @param peakLiveBytes highest `liveBytes` since the last `resetPeak`
/// @param reservedBytes taken from the system, live or kept for reuse
/// @param hostBytes     of host memory beside a device's, for what is not on the device all the time
public record MemoryUse(long liveBytes, long peakLiveBytes, long reservedBytes, long hostBytes) {}
