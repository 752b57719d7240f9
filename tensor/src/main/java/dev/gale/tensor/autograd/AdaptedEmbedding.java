package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Rows of a table with a low-rank adapter: `y[i] = table[ids[i]] + scale * a[ids[i]] bᵀ`.
/// Source: Hu et al. 2021, arXiv 2106.09685; peft `tuners/lora/layer.py`, `Embedding`.
///
/// @param low what is looked up in a, `[M, R]`
record AdaptedEmbedding(Tensor output, Tensor low, Parameter table, Tensor ids, EmbeddingAdapter adapter) implements Op {
    @Override
    public List<Tensor> inputs() {
        return List.of();
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(table, adapter.a(), adapter.b());
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return adapter.b().trainable() ? List.of(ids, low) : List.of(ids);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.gatherRows(output, table.value(), ids);
        ops.gatherRows(low, adapter.a().value(), ids);
        ops.matmul(output, low, false, adapter.b().value(), true, adapter.scale(), true);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        if (table.trainable()) ops.scatterAddRows(grads.of(table), dy, ids);
        if (adapter.b().trainable()) ops.matmul(grads.of(adapter.b()), dy, true, low, false, adapter.scale(), true);
        if (adapter.a().trainable()) {
            Tensor dLow = grads.like(low);
            ops.matmul(dLow, dy, false, adapter.b().value(), false, adapter.scale(), false);
            ops.scatterAddRows(grads.of(adapter.a()), dLow, ids);
            ops.release(dLow);
        }
        ops.release(dy);
    }
}
