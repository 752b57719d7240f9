package dev.gale.kernels.runtime;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Copies by CUDA's copy engines, a stream for each direction, from and to page-locked memory.
final class CudaTransfers implements HostTransfers {
    private final CudaDriver driver;
    private final long up;
    private final long down;
    private final List<MemorySegment> allocated = new ArrayList<>();

    /// @param driver bound to the context in which launches run
    CudaTransfers(CudaDriver driver) {
        this.driver = driver;
        driver.enter();
        up = driver.newStream();
        down = driver.newStream();
    }

    @Override
    public MemorySegment allocate(long bytes) {
        driver.enter();
        MemorySegment memory = driver.hostAlloc(bytes);
        allocated.add(memory);
        return memory;
    }

    @Override
    public Copy up(DeviceChunk chunk, long offset, MemorySegment from) {
        driver.enter();
        driver.copyUp(chunk.address() + offset, from, up);
        return ended(up);
    }

    @Override
    public Copy down(DeviceChunk chunk, long offset, MemorySegment to) {
        driver.enter();
        driver.copyDown(to, chunk.address() + offset, down);
        return ended(down);
    }

    private Copy ended(long stream) {
        long event = driver.record(stream);
        return () -> driver.await(event);
    }

    @Override
    public void close() {
        driver.enter();
        driver.destroyStream(up);
        driver.destroyStream(down);
        allocated.forEach(driver::freeHost);
    }
}
