package dev.gale.kernels.runtime;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Host memory that a device copies from and to, and copies that may go on beside launches. Whoever begins one sees to it that
/// nothing that is queued changes or still needs what is written.
interface HostTransfers extends AutoCloseable {

    /// A copy that was begun.
    @FunctionalInterface
    interface Copy {
        Copy DONE = () -> {};

        /// Returns when the copy is done.
        void await();
    }

    /// Memory that lives until `close`, or null in a plan.
    MemorySegment allocate(long bytes);

    /// Copies to the device, a multiple of 4 bytes.
    Copy up(DeviceChunk chunk, long offset, MemorySegment from);

    /// Copies from the device, a multiple of 4 bytes.
    Copy down(DeviceChunk chunk, long offset, MemorySegment to);

    @Override
    void close();

    /// Through the words that any device takes, each copy done when it returns.
    static HostTransfers staged(DeviceLink link) {
        return new HostTransfers() {
            private final Arena arena = Arena.ofShared();

            @Override
            public MemorySegment allocate(long bytes) {
                return arena.allocate(bytes, 64);
            }

            @Override
            public Copy up(DeviceChunk chunk, long offset, MemorySegment from) {
                link.upload(chunk, Math.toIntExact(offset / 4), from);
                return Copy.DONE;
            }

            @Override
            public Copy down(DeviceChunk chunk, long offset, MemorySegment to) {
                link.download(chunk, Math.toIntExact(offset / 4), to);
                return Copy.DONE;
            }

            @Override
            public void close() {
                arena.close();
            }
        };
    }

    /// No memory, no copies.
    static HostTransfers planned() {
        return new HostTransfers() {
            @Override
            public MemorySegment allocate(long bytes) {
                return null;
            }

            @Override
            public Copy up(DeviceChunk chunk, long offset, MemorySegment from) {
                return Copy.DONE;
            }

            @Override
            public Copy down(DeviceChunk chunk, long offset, MemorySegment to) {
                return Copy.DONE;
            }

            @Override
            public void close() {}
        };
    }
}
