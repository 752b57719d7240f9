package dev.gale.tensor.ops;

import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import java.util.List;

/// How the fused head and loss is computed.
///
/// @param chunkRows rows of logits that exist at once, at least 1
/// @param scale     factor on the logits; 1 for most models
/// @param softcap   when positive, logits become `softcap * tanh(logit / softcap)`; 0 is off
/// @param rows      I32 `[n]`, the rows of the head that its gradient is wanted of; null for all
public record CrossEntropySpec(int chunkRows, float scale, float softcap, Tensor rows) {
    /// Target value of a row that is not trained.
    public static final int IGNORE = -100;

    public CrossEntropySpec {
        if (chunkRows < 1) throw new IllegalArgumentException("chunkRows must be at least 1, got " + chunkRows);
    }

    /// Of all rows of the head.
    public CrossEntropySpec(int chunkRows, float scale, float softcap) {
        this(chunkRows, scale, softcap, null);
    }

    /// As this one, with the gradient of some rows of the head.
    public CrossEntropySpec ofRows(Tensor wanted) {
        return new CrossEntropySpec(chunkRows, scale, softcap, wanted);
    }

    /// What a call holds in F32 tensors of its own while it runs: logits of a chunk, then the chunk's rows of x, then what the
    /// gradient of some rows of w takes of the logits. Computing implementations allocate and the plan counts these, in this
    /// order.
    public List<Shape> scratch(Tensor x, Tensor w) {
        int count = Math.min(chunkRows, x.rows());
        Shape logits = Shape.of(count, w.rows());
        Shape hidden = Shape.of(count, x.cols());
        return rows == null ? List.of(logits, hidden) : List.of(logits, hidden, Shape.of(count, Math.toIntExact(rows.size())));
    }

    public static CrossEntropySpec chunked(int chunkRows) {
        return new CrossEntropySpec(chunkRows, 1f, 0f);
    }
}
