package dev.gale.kernels.runtime;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/// Hands out host memory that a device copies from and to. What is given back is kept: making it costs more than copying.
final class HostMemory {
    private static final long PAGE = 1 << 16;
    /// Batches of a run have many sizes: room is as large again, at most, as what it is given to.
    private static final long MOST_WASTE = 2;

    private final Supplier<HostTransfers> transfers;
    private final TreeMap<Long, Deque<Room>> free = new TreeMap<>();
    private long bytes;

    HostMemory(Supplier<HostTransfers> transfers) {
        this.transfers = transfers;
    }

    /// @param memory at least as large as was asked for; null in a plan
    /// @param size   of the memory
    record Room(MemorySegment memory, long size) {
        /// The first bytes of it; null in a plan.
        MemorySegment first(long bytes) {
            return memory == null ? null : memory.asSlice(0, bytes);
        }
    }

    Room take(long wanted) {
        long size = Math.max(1, Math.ceilDiv(wanted, PAGE)) * PAGE;
        Map.Entry<Long, Deque<Room>> fits = free.ceilingEntry(size);
        if (fits != null && fits.getKey() <= MOST_WASTE * size) {
            Room room = fits.getValue().pop();
            if (fits.getValue().isEmpty()) free.remove(fits.getKey());
            return room;
        }
        bytes += size;
        return new Room(transfers.get().allocate(size), size);
    }

    void give(Room room) {
        free.computeIfAbsent(room.size, size -> new ArrayDeque<>()).push(room);
    }

    /// Bytes that were ever taken.
    long bytes() {
        return bytes;
    }
}
