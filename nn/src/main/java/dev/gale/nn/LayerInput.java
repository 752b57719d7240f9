package dev.gale.nn;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;

/// What a layer needs beside its input.
///
/// @param batch  tokens and where they belong
/// @param rope   rotary table of this layer
/// @param attend how queries meet keys and values
record LayerInput(ModelInput batch, RopeTable rope, Attend attend) {

    /// How queries meet keys and values: within the batch, or over a cache.
    @FunctionalInterface
    interface Attend {
        Tensor attend(Tape tape, Tensor q, Tensor k, Tensor v);
    }
}
