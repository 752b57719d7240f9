package dev.gale.tensor.ops;

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

    public static CrossEntropySpec chunked(int chunkRows) {
        return new CrossEntropySpec(chunkRows, 1f, 0f);
    }
}
