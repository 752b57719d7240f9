package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.WeightStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Pieces of weights that take turns in two slots of one chunk: while one is used, its neighbour is copied into the other. A
/// single piece has one slot.
final class SlotStream implements WeightStream {
    private static final int NONE = -1;

    private final DeviceOps ops;
    private final List<List<Part>> pieces;
    private final long slotBytes;
    private final int[] held;                            // the piece in each slot, or NONE
    private final HostTransfers.Copy[] copies;
    private Tensor slots;                                // null while nothing is here
    private int last = NONE;                             // the piece that was entered last
    private int direction = 1;

    /// A tensor of a piece, where it waits and where in a slot it comes to lie.
    private record Part(Tensor tensor, Storage onHost, long offset) {}

    SlotStream(DeviceOps ops, List<List<Tensor>> pieces) {
        this.ops = ops;
        this.pieces = pieces.stream().map(SlotStream::parts).toList();
        slotBytes = this.pieces.stream().mapToLong(SlotStream::end).max().orElse(0);
        held = new int[Math.min(2, pieces.size())];
        Arrays.fill(held, NONE);
        copies = new HostTransfers.Copy[held.length];
    }

    private static List<Part> parts(List<Tensor> tensors) {
        List<Part> parts = new ArrayList<>();
        long offset = 0;
        for (Tensor tensor : tensors) {
            List<Tensor> all = new ArrayList<>(List.of(tensor));
            if (tensor.scales() != null) all.addAll(tensor.scales().tensors());
            for (Tensor each : all) {
                parts.add(new Part(each, each.storage(), offset));
                offset += aligned(each.byteSize());
            }
        }
        return parts;
    }

    private static long aligned(long bytes) {
        return Math.ceilDiv(bytes, MemoryPool.ALIGNMENT) * MemoryPool.ALIGNMENT;
    }

    private static long end(List<Part> parts) {
        Part part = parts.getLast();
        return part.offset + aligned(part.tensor.byteSize());
    }

    @Override
    public void enter(int piece) {
        prepare(piece);
        copies[slot(piece)].await();
        copies[slot(piece)] = HostTransfers.Copy.DONE;
        if (last != NONE && piece != last) direction = Integer.signum(piece - last);
        last = piece;
        int next = piece + direction;
        if (next < 0 || next >= pieces.size()) next = piece - direction;              // the way back begins there
        if (next >= 0 && next < pieces.size()) prepare(next);
    }

    @Override
    public void prepare(int piece) {
        if (slot(piece) != NONE) return;
        ops.flush();
        if (slots == null) slots = ops.allocateAlone("streamed weights", DType.I32, words(held.length * slotBytes));
        int slot = free();
        if (held[slot] != NONE) backToHost(slot);
        held[slot] = piece;
        DeviceStorage memory = DeviceStorage.of(slots);
        HostTransfers.Copy copy = HostTransfers.Copy.DONE;
        for (Part part : pieces.get(piece)) {
            long offset = memory.offset() + slot * slotBytes + part.offset;
            part.tensor.setStorage(new DeviceStorage(memory.chunk(), offset));
            if (part.onHost instanceof Storage.Host(var bytes)) copy = ops.transfers().up(memory.chunk(), offset, bytes);
        }
        copies[slot] = copy;                                                          // copies end in their order
    }

    private static Shape words(long bytes) {
        return Shape.of(Math.toIntExact(bytes / MemoryPool.ALIGNMENT), Math.toIntExact(MemoryPool.ALIGNMENT / 4));
    }

    /// The slot that holds a piece, or NONE.
    private int slot(int piece) {
        for (int i = 0; i < held.length; i++) if (held[i] == piece) return i;
        return NONE;
    }

    /// The slot that is not in use.
    private int free() {
        for (int i = 0; i < held.length; i++) if (held[i] == NONE) return i;
        return held.length == 1 || held[0] != last ? 0 : 1;
    }

    private void backToHost(int slot) {
        copies[slot].await();
        pieces.get(held[slot]).forEach(part -> part.tensor.setStorage(part.onHost));
        held[slot] = NONE;
    }

    @Override
    public void leave() {
        if (slots == null) return;
        ops.flush();
        for (int i = 0; i < held.length; i++) if (held[i] != NONE) backToHost(i);
        ops.release(slots);
        slots = null;
        last = NONE;
    }
}
