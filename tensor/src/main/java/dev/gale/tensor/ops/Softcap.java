package dev.gale.tensor.ops;

/// `cap * tanh(x / cap)` when cap is positive, else x.
final class Softcap {
    private Softcap() {}

    static double of(double x, double cap) {
        return cap > 0 ? cap * Math.tanh(x / cap) : x;
    }

    /// The derivative where the capped value is y: `1 - (y / cap)²`.
    static double slope(double y, double cap) {
        return cap > 0 ? 1 - y / cap * (y / cap) : 1;
    }
}
