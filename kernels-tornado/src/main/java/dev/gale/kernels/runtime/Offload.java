package dev.gale.kernels.runtime;

import dev.gale.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/// Tensors whose bytes wait in host memory until they are read again. Copies begin when nothing is queued, so that what they
/// read is made and what they write is needed by nobody, and go on beside what is queued then.
final class Offload {
    private final DeviceOps ops;
    private final HostMemory memory;
    private final Map<Tensor, Away> away = new HashMap<>();

    private enum State { LEAVING, HOST, COMING }

    private static final class Away {
        private final HostMemory.Room room;
        private State state = State.LEAVING;
        private HostTransfers.Copy copy;

        private Away(HostMemory.Room room, HostTransfers.Copy copy) {
            this.room = room;
            this.copy = copy;
        }
    }

    Offload(DeviceOps ops, HostMemory memory) {
        this.ops = ops;
        this.memory = memory;
    }

    void offload(Tensor tensor) {
        if (away.containsKey(tensor)) throw new IllegalStateException(tensor + " is offloaded already");
        ops.flush();
        HostMemory.Room room = memory.take(words(tensor));
        DeviceStorage storage = DeviceStorage.of(tensor);
        HostTransfers.Copy copy = ops.transfers().down(storage.chunk(), storage.offset(), room.first(words(tensor)));
        away.put(tensor, new Away(room, copy));
    }

    void evict(Tensor tensor) {
        Away copy = away.get(tensor);
        if (copy == null || copy.state != State.LEAVING) throw new IllegalStateException(tensor + " was not offloaded");
        copy.copy.await();
        copy.state = State.HOST;
        ops.giveMemoryBack(tensor);
    }

    void prefetch(Tensor tensor) {
        Away copy = away.get(tensor);
        if (copy == null || copy.state == State.COMING) return;
        if (copy.state == State.LEAVING) {                    // still here
            end(tensor, copy);
            return;
        }
        ops.flush();
        ops.restore(tensor);
        DeviceStorage storage = DeviceStorage.of(tensor);
        copy.copy = ops.transfers().up(storage.chunk(), storage.offset(), copy.room.first(words(tensor)));
        copy.state = State.COMING;
    }

    void fetch(Tensor tensor) {
        prefetch(tensor);
        Away copy = away.get(tensor);
        if (copy != null) end(tensor, copy);
    }

    /// Says that a tensor ends. Returns whether it has no memory on the device.
    boolean forget(Tensor tensor) {
        Away copy = away.get(tensor);
        if (copy == null) return false;
        boolean onHost = copy.state == State.HOST;
        end(tensor, copy);
        return onHost;
    }

    private void end(Tensor tensor, Away copy) {
        copy.copy.await();
        away.remove(tensor);
        memory.give(copy.room);
    }

    private static long words(Tensor tensor) {
        return Math.ceilDiv(tensor.byteSize(), 4L) * 4;
    }
}
