package dev.gale.nn;

/// Factors and caps at places where most models have none.
///
/// @param embedding    factor on the embedding
/// @param attention    factor on q·k; 0 is `1 / sqrt(K)`
/// @param residual     factor on what attention and MLP add to the residual stream
/// @param logits       factor on the logits
/// @param attentionCap when positive, scores become `cap * tanh(score / cap)`
/// @param logitsCap    the same for logits
public record Multipliers(double embedding, double attention, double residual, double logits, double attentionCap,
                          double logitsCap) {
    public static final Multipliers NONE = new Multipliers(1, 0, 1, 1, 0, 0);

    Multipliers withAttention(double attention) {
        return new Multipliers(embedding, attention, residual, logits, attentionCap, logitsCap);
    }
}
