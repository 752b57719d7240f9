package dev.gale.tensor.ops;

/// What one kind of operation has done so far.
///
/// @param name  method of `TensorOps`
/// @param calls number of calls
/// @param flops arithmetic by the formulas at `NullOps`
/// @param bytes operands read plus results written, each once
public record OpCount(String name, long calls, long flops, long bytes) {
    OpCount plus(long moreFlops, long moreBytes) {
        return new OpCount(name, calls + 1, flops + moreFlops, bytes + moreBytes);
    }
}
