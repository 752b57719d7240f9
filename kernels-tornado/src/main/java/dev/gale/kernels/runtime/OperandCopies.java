package dev.gale.kernels.runtime;

import dev.gale.kernels.Elements;
import dev.gale.kernels.MemoryKernels;
import dev.gale.tensor.Tensor;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/// Copies of 16-bit tensors that begin a chunk, for a library that can only read those, and other things that are made of a
/// tensor. A copy serves until its tensor may have changed, so that projections of one input share it; there are few at a time.
final class OperandCopies {
    /// The input of a layer and the gradient of its output.
    private static final int MOST = 2;
    /// Other things are small.
    private static final int MOST_OTHERS = 16;

    private final DeviceOps ops;
    private final List<Copy> copies = new ArrayList<>();           // the one used last stands last
    private boolean copying;

    OperandCopies(DeviceOps ops) {
        this.ops = ops;
    }

    /// @param kind what was made of the tensor, null for a copy
    private record Copy(DeviceStorage place, long size, Object kind, Tensor tensor) {
        boolean isCopy() {
            return kind == null;
        }
    }

    /// Valid until the next call but one, a border, or a launch that the tensor takes part in.
    Tensor of(Tensor tensor) {
        return of(tensor, null, () -> make(tensor));
    }

    /// What launches make of a tensor, or made of it before. Valid for the next launch; see above.
    ///
    /// @param kind what it is: equal ones are the same
    Tensor of(Tensor tensor, Object kind, Supplier<Tensor> made) {
        DeviceStorage place = DeviceStorage.of(tensor);
        for (Copy copy : copies) {
            if (copy.place.equals(place) && copy.size == tensor.size() && Objects.equals(copy.kind, kind)) {
                copies.remove(copy);
                copies.add(copy);
                return copy.tensor;
            }
        }
        List<Copy> alike = copies.stream().filter(copy -> copy.isCopy() == (kind == null)).toList();
        if (alike.size() == (kind == null ? MOST : MOST_OTHERS)) {
            copies.remove(alike.getFirst());
            ops.release(alike.getFirst().tensor);
        }
        copying = true;
        Tensor copy = made.get();
        copying = false;
        copies.add(new Copy(place, tensor.size(), kind, copy));
        return copy;
    }

    /// A copy that the caller releases.
    Tensor make(Tensor tensor) {
        Tensor copy = ops.allocateAlone("operand", tensor.dtype(), tensor.shape());
        int longs = Math.toIntExact(tensor.size() / 4);
        boolean inner = copying;
        copying = true;
        ops.launch("copyLongs", Grid.threads(Math.ceilDiv(longs, Elements.EACH), Elements.GROUP), List.of(longs),
                (graph, id, a) -> graph.task(id, MemoryKernels::copyLongs, a.context(), a.table(), a.slot(), a.longs(0),
                        a.longs(1), longs), copy, tensor);
        copying = inner;
        return copy;
    }

    /// Says that a tensor takes part in a launch, is written by the host, or ends.
    void touched(Tensor tensor) {
        if (copying || copies.isEmpty()) return;
        DeviceStorage place = DeviceStorage.of(tensor);
        for (Iterator<Copy> each = copies.iterator(); each.hasNext();) {
            Copy copy = each.next();
            if (!copy.place.equals(place)) continue;
            each.remove();
            ops.release(copy.tensor);
        }
    }

    void clear() {
        copies.forEach(copy -> ops.release(copy.tensor));
        copies.clear();
    }
}
