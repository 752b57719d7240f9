package dev.gale.tensor.ops;

/// The least time that work can take: that of its arithmetic or of its traffic, whichever is longer.
///
/// @param flops a second
/// @param bytes a second
public record Roofline(double flops, double bytes) {
    public double seconds(double flops, double bytes) {
        return Math.max(flops / this.flops, bytes / this.bytes);
    }

    /// Of all operations one after the other.
    public double seconds(Iterable<OpCount> counts) {
        double sum = 0;
        for (OpCount count : counts) sum += seconds(count.flops(), count.bytes());
        return sum;
    }
}
