package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.attentionForward`.
record Attention(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop, AttentionSpec spec)
        implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of(q, k, v);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return List.of(output, lse, q, k, v, start, stop);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.attentionForward(output, lse, q, k, v, start, stop, spec);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Tensor dq = grads.like(q);
        Tensor dk = grads.like(k);
        Tensor dv = grads.like(v);
        ops.attentionBackward(dq, dk, dv, dy, q, k, v, output, lse, start, stop, spec);
        ops.release(dy);
        grads.giveIfWanted(q, dq);
        grads.giveIfWanted(k, dk);
        grads.giveIfWanted(v, dv);
    }
}
