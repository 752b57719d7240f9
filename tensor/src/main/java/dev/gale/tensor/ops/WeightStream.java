package dev.gale.tensor.ops;

/// Weights that stay in host memory and come to a device by turns: one piece of them is there while it is used, and the next
/// one in the direction of the last steps is copied meanwhile.
public interface WeightStream extends AutoCloseable {
    /// Where weights need not move.
    WeightStream NONE = new WeightStream() {};

    /// The weights of a piece can be read from now on, those of the pieces before no longer. What was queued before a border
    /// has run; what uses another piece must not wait.
    default void enter(int piece) {}

    /// As `enter`, without waiting for the copy.
    default void prepare(int piece) {}

    /// Gives the device's memory back until the next `enter`.
    default void leave() {}

    /// As `leave`; the weights are on the host alone then.
    @Override
    default void close() {
        leave();
    }
}
