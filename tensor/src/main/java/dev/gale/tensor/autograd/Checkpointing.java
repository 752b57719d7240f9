package dev.gale.tensor.autograd;

/// What backward makes again instead of keeping it.
public enum Checkpointing {
    /// Nothing.
    NONE,
    /// All that is in a layer: only the layer's input is kept.
    LAYER,
    /// All that is in a layer but the results of attention, which cost more and more as sequences grow, and of which each token
    /// has no more than of the layer's input.
    SELECTIVE
}
