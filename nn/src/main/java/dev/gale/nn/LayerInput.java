package dev.gale.nn;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.TensorOps;

/// What a layer needs beside its input.
///
/// @param batch  tokens and where they belong
/// @param rope   rotary table of this layer
/// @param attend how queries meet keys and values
record LayerInput(ModelInput batch, RopeTable rope, Attend attend) {
    /// For work on a part of the tokens; see `ModelInput.part`.
    LayerInput part(TensorOps ops, int number, int from, int count) {
        return new LayerInput(batch.part(ops, number, from, count), rope, attend);
    }

    /// How queries meet keys and values: within the batch, or over a cache.
    @FunctionalInterface
    interface Attend {
        Tensor attend(Tape tape, Tensor q, Tensor k, Tensor v);
    }
}
