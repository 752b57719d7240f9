package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/// Joins calls that do the same to tensors which lie one behind the other, such as an optimizer's to all adapters: one launch
/// for the range that they cover together.
final class Ranges {
    private Call waiting;

    /// Queues the launches for n elements that begin where the operands do.
    @FunctionalInterface
    interface Work {
        void launch(int n, Tensor[] operands);
    }

    /// @param each of how many of the n elements the first operands have one; the other operands are the same for every call
    private record Call(String name, List<Number> constants, int n, int[] each, Work work, Tensor[] operands,
                        Launch.Operand[] places) {

        /// Whether a call goes on where this one ends.
        boolean meets(Call next) {
            if (!name.equals(next.name) || !constants.equals(next.constants) || !Arrays.equals(each, next.each)) return false;
            for (int share : each) if (n % share != 0) return false;
            for (int i = 0; i < places.length; i++) {
                Launch.Operand place = places[i];
                int end = i < each.length ? place.first() + n / each[i] : place.first();
                if (!next.places[i].equals(new Launch.Operand(place.chunk(), place.dtype(), end))) return false;
            }
            return (long) n + next.n <= Integer.MAX_VALUE;
        }
    }

    /// Joins a call to the one before, or does that one and waits for the next.
    void add(String name, List<Number> constants, int n, int[] each, Work work, Tensor... operands) {
        Launch.Operand[] places = Arrays.stream(operands).map(Launch.Operand::of).toArray(Launch.Operand[]::new);
        Call call = new Call(name, constants, n, each, work, operands, places);
        if (waiting != null && waiting.meets(call)) {
            waiting = new Call(name, constants, waiting.n + n, each, waiting.work, waiting.operands, waiting.places);
        } else {
            flush();
            waiting = call;
        }
    }

    /// Does what waits: before any other launch, and before the host looks.
    void flush() {
        if (waiting == null) return;
        Call call = waiting;
        waiting = null;
        call.work.launch(call.n, at(call));
    }

    /// The operands as they were when they came: one may have been released since.
    private static Tensor[] at(Call call) {
        Tensor[] tensors = new Tensor[call.operands.length];
        for (int i = 0; i < tensors.length; i++) {
            Tensor tensor = call.operands[i];
            DType dtype = tensor.dtype();
            long offset = (long) call.places[i].first() * dtype.bytes();
            tensors[i] = new Tensor(tensor.name(), dtype, tensor.shape(), new DeviceStorage(call.places[i].chunk(), offset));
        }
        return tensors;
    }
}
