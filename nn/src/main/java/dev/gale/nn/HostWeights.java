package dev.gale.nn;

import dev.gale.tensor.InputException;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;

/// Which weights of a model stay in host memory and come to a device when they are needed. Where a model computes on the host,
/// that is where they are anyway.
///
/// @param embedding whether embedding and head do: rows of the one travel, and the other for the loss
/// @param layers    how many layers do, spread evenly; their projections take turns in room for two of them
public record HostWeights(boolean embedding, int layers) {
    /// All weights are on the device.
    public static final HostWeights NONE = new HostWeights(false, 0);

    public HostWeights {
        if (layers < 0) throw new InputException("streamed_layers must be at least 0, got " + layers);
    }

    /// Whether a weight lies in host memory, or in a plan would, where ops do not compute.
    public static boolean waits(TensorOps ops, Tensor weight) {
        return !ops.onHost() && (weight.storage() instanceof Storage.Host || weight.storage() instanceof Storage.None);
    }

    /// How many layers of so many stay on the device.
    int resident(int all) {
        return all - Math.min(layers, all);
    }

    /// The place of a layer among those on the host, or -1.
    public int piece(int layer, int all) {
        int streamed = Math.min(layers, all);
        int before = (int) ((long) layer * streamed / all);
        return (long) (layer + 1) * streamed / all > before ? before : -1;
    }
}
