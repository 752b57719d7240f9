package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.Map;
import java.util.TreeMap;

/// Where the keys begin that each token of a batch sees through a sliding window: the last `window` of its range.
final class KeyWindows {
    private final TensorOps ops;
    private final int[] start;
    private final int[] stop;
    private final Map<Integer, Tensor> made = new TreeMap<>();

    /// @param start first key of each token's range, and stop one past the last
    KeyWindows(TensorOps ops, int[] start, int[] stop) {
        this.ops = ops;
        this.start = start.clone();
        this.stop = stop.clone();
    }

    /// I32 `[M]`; made at the first call.
    Tensor start(int window) {
        return made.computeIfAbsent(window, this::make);
    }

    private Tensor make(int window) {
        int[] first = new int[start.length];
        for (int i = 0; i < first.length; i++) first[i] = Math.max(start[i], stop[i] - window);
        Tensor tensor = ops.allocate("window", DType.I32, Shape.of(first.length));
        ops.write(tensor, first);
        return tensor;
    }

    void release() {
        made.values().forEach(ops::release);
        made.clear();
    }
}
