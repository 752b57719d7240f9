package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;

/// A piece of a forward pass from one activation to the next, such as a decoder layer, that can be run again:
/// the same input gives the same output.
@FunctionalInterface
public interface Segment {
    Tensor run(Tape tape, Tensor x);
}
