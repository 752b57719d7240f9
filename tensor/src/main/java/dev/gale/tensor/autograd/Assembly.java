package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.copyColumns` from one or more matrices into a new one.
record Assembly(Tensor output, List<F.Part> parts) implements Op {

    @Override
    public List<Tensor> inputs() {
        return parts.stream().map(F.Part::source).distinct().toList();
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of();
    }

    @Override
    public void forward(TensorOps ops) {
        if (parts.stream().mapToInt(part -> part.columns().written()).sum() < output.cols()) ops.fill(output, 0f);
        for (F.Part part : parts) ops.copyColumns(output, part.source(), part.columns(), false);
    }

    /// Several such nodes share a source, each with some of its columns: the first to come clears the gradient.
    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        for (F.Part part : parts) {
            if (!grads.wants(part.source())) continue;
            Grads.Sink sink = grads.sink(part.source());
            if (!sink.accumulate()) ops.fill(sink.tensor(), 0f);
            ops.copyColumns(sink.tensor(), dy, part.columns().reversed(), true);
        }
        ops.release(dy);
    }
}
