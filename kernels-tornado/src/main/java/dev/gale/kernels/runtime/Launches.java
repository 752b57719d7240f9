package dev.gale.kernels.runtime;

import dev.gale.tensor.ops.KernelTime;
import java.util.List;

/// Runs launches in the order in which they come, now or later.
interface Launches extends AutoCloseable {
    void add(Launch launch);

    /// Runs what waits; the next segment begins.
    void run();

    /// As `Profiled` says.
    default List<KernelTime> takeKernelTimes() {
        return List.of();
    }

    @Override
    void close();
}
