package dev.gale.tensor.ops;

import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import java.util.List;

/// How the fused head and loss is computed.
///
/// @param chunkRows rows of logits that exist at once, at least 1
/// @param scale     factor on the logits; 1 for most models
/// @param softcap   when positive, logits become `softcap * tanh(logit / softcap)`; 0 is off
public record CrossEntropySpec(int chunkRows, float scale, float softcap) {
    /// Target value of a row that is not trained.
    public static final int IGNORE = -100;

    public CrossEntropySpec {
        if (chunkRows < 1) throw new IllegalArgumentException("chunkRows must be at least 1, got " + chunkRows);
    }

    /// What a call holds in F32 tensors of its own while it runs: logits of a chunk, then the chunk's rows of x. Computing
    /// implementations allocate and the plan counts these, in this order.
    public List<Shape> scratch(Tensor x, Tensor w) {
        int rows = Math.min(chunkRows, x.rows());
        return List.of(Shape.of(rows, w.rows()), Shape.of(rows, x.cols()));
    }

    public static CrossEntropySpec chunked(int chunkRows) {
        return new CrossEntropySpec(chunkRows, 1f, 0f);
    }
}
