package dev.gale.kernels.runtime;

import dev.gale.tensor.ops.KernelTime;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// What `DeviceOps` asks of a device: memory, launches, and words there and back.
interface DeviceLink extends AutoCloseable {

    /// Whether there is a device, rather than a plan of one.
    default boolean computes() {
        return true;
    }

    /// Memory of its own that was never used before.
    ///
    /// @param number counts the chunks
    DeviceChunk chunk(int number, long bytes);

    /// Launches run later, in this order; see `run`.
    void launch(Launch launch);

    /// Runs every launch that waits; the next segment begins.
    void run();

    /// As `Profiled` says.
    default List<KernelTime> takeKernelTimes() {
        return List.of();
    }

    /// Writes a whole number of words of 4 bytes, from `word` of the chunk on.
    void upload(DeviceChunk chunk, int word, MemorySegment bytes);

    /// Reads a whole number of words of 4 bytes, from `word` of the chunk on.
    void download(DeviceChunk chunk, int word, MemorySegment bytes);

    /// Opens what copies beside launches, when it is used for the first time.
    default HostTransfers transfers() {
        return computes() ? HostTransfers.staged(this) : HostTransfers.planned();
    }

    /// Bytes of the device's memory that are in use, by whomever; 0 where nobody says.
    default long usedBytes() {
        return 0;
    }

    @Override
    void close();

    /// A device of TornadoVM.
    static DeviceLink of(Device device) {
        return new DeviceLink() {
            private final Launches queue = device.launches();
            private final Staging staging = new Staging(device);
            private CudaDriver driver;                       // null until somebody asks for the memory in use

            @Override
            public DeviceChunk chunk(int number, long bytes) {
                return new DeviceChunk(number, bytes, device);
            }

            @Override
            public void launch(Launch launch) {
                queue.add(launch);
            }

            @Override
            public void run() {
                queue.run();
            }

            @Override
            public List<KernelTime> takeKernelTimes() {
                return queue.takeKernelTimes();
            }

            @Override
            public void upload(DeviceChunk chunk, int word, MemorySegment bytes) {
                queue.run();
                staging.upload(chunk, word, bytes);
            }

            @Override
            public void download(DeviceChunk chunk, int word, MemorySegment bytes) {
                queue.run();
                staging.download(chunk, word, bytes);
            }

            @Override
            public HostTransfers transfers() {
                return device.isCuda() ? new CudaTransfers(new CudaDriver()) : DeviceLink.super.transfers();
            }

            @Override
            public long usedBytes() {
                if (!device.isCuda()) return 0;
                if (driver == null) driver = new CudaDriver();
                return driver.usedBytes();
            }

            @Override
            public void close() {
                queue.close();
                staging.close();
            }
        };
    }

    /// No device: takes as much memory as one would, in numbers, and does nothing. Reading gives zeros.
    static DeviceLink planned() {
        return new DeviceLink() {
            @Override
            public boolean computes() {
                return false;
            }

            @Override
            public DeviceChunk chunk(int number, long bytes) {
                return DeviceChunk.planned();
            }

            @Override
            public void launch(Launch launch) {}

            @Override
            public void run() {}

            @Override
            public void upload(DeviceChunk chunk, int word, MemorySegment bytes) {}

            @Override
            public void download(DeviceChunk chunk, int word, MemorySegment bytes) {}

            @Override
            public void close() {}
        };
    }
}
