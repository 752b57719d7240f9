package dev.gale.train.cli;

import dev.gale.nn.HostWeights;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.train.SftConfig;
import dev.gale.train.SftConfigBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// What a run may do to take less of a device's memory, at the cost of time.
///
/// @param shards parts of an MLP, 1 for none
/// @param onHost weights in host memory
record MemorySetting(Checkpointing checkpointing, boolean offload, int shards, HostWeights onHost) {
    private static final int FEW_SHARDS = 8;
    private static final int MANY_SHARDS = 64;

    /// From the fastest to the one that takes least without moving layers; each takes less than those before.
    static List<MemorySetting> ladder() {
        HostWeights embedding = new HostWeights(true, 0);
        return List.of(new MemorySetting(Checkpointing.NONE, false, 1, HostWeights.NONE),
                new MemorySetting(Checkpointing.SELECTIVE, false, 1, HostWeights.NONE),
                new MemorySetting(Checkpointing.LAYER, false, 1, HostWeights.NONE),
                new MemorySetting(Checkpointing.LAYER, true, 1, HostWeights.NONE),
                new MemorySetting(Checkpointing.LAYER, true, 1, embedding),
                new MemorySetting(Checkpointing.LAYER, true, FEW_SHARDS, embedding),
                new MemorySetting(Checkpointing.LAYER, true, MANY_SHARDS, embedding));
    }

    /// The same with so many layers on the host.
    MemorySetting withStreamedLayers(int layers) {
        return new MemorySetting(checkpointing, offload, shards, new HostWeights(onHost.embedding(), layers));
    }

    SftConfigBuilder apply(SftConfigBuilder training) {
        return training.gradientCheckpointing(checkpointing).activationOffloading(offload).tiledMlpNumShards(shards);
    }

    /// As a configuration has it.
    List<String> keys() {
        List<String> keys = new ArrayList<>();
        String value = switch (checkpointing) {
            case NONE -> "false";
            case LAYER -> "true";
            case SELECTIVE -> checkpointing.name().toLowerCase(Locale.ROOT);
        };
        keys.add("gradient_checkpointing: " + value);
        if (offload) keys.add("activation_offloading: true");
        if (onHost.embedding()) keys.add("offload_embedding: true");
        if (shards > 1) keys.add("tiled_mlp_num_shards: " + shards);
        if (onHost.layers() > 0) keys.add("streamed_layers: " + onHost.layers());
        return keys;
    }
}
