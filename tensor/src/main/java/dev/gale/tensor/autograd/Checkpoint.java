package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/// A segment whose forward was run without recording: its input is kept, with what its costly operations made if `kept` is
/// not null, and backward runs it again.
/// Source: Chen et al. 2016, arXiv 1604.06174.
record Checkpoint(Tape tape, Segment segment, Tensor x, Tensor output, Deque<List<Tensor>> kept) implements Op {
    /// All that waits for backward.
    List<Tensor> keeps() {
        List<Tensor> all = new ArrayList<>(List.of(x));
        if (kept != null) kept.forEach(all::addAll);
        return all;
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(x);
    }

    @Override
    public void forward(TensorOps ops) {
        throw new IllegalStateException("Tape.checkpoint runs the segment");
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        tape.recomputeAndBackward(this, dy);
    }
}
