package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.HashMap;
import java.util.Map;

/// Which of some tokens each token of a batch is.
final class TokenSlots {
    private final TensorOps ops;
    private final int[] ids;
    private int[] chosen;
    private Tensor made;

    /// @param ids of the batch
    TokenSlots(TensorOps ops, int[] ids) {
        this.ops = ops;
        this.ids = ids.clone();
    }

    /// The place of each of the batch's ids among those that are chosen, -1 where it is none of them: I32 `[M]`, kept for the
    /// next call.
    Tensor among(int[] ofThese) {
        if (ofThese == chosen) return made;
        release();
        Map<Integer, Integer> places = new HashMap<>();
        for (int i = 0; i < ofThese.length; i++) places.put(ofThese[i], i);
        int[] slots = new int[ids.length];
        for (int i = 0; i < slots.length; i++) slots[i] = places.getOrDefault(ids[i], -1);
        made = ops.allocate("token slots", DType.I32, Shape.of(slots.length));
        ops.write(made, slots);
        chosen = ofThese;
        return made;
    }

    void release() {
        if (made != null) ops.release(made);
        made = null;
        chosen = null;
    }
}
