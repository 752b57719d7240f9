package dev.gale.tensor.autograd;

/// What a checkpointed segment leaves until backward, beside its input, and where.
///
/// @param selective whether it keeps what costly operations made, attention for one
/// @param offload   whether all it keeps waits in host memory
public record Kept(boolean selective, boolean offload) {
    /// The input alone, where it is.
    public static final Kept INPUT = new Kept(false, false);
}
