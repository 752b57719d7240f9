package dev.gale.nn;

import dev.gale.tensor.InputException;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Kept;

/// What a forward pass keeps for backward, where, and how much of it is there at once.
///
/// @param checkpointing what backward makes again of each layer instead of keeping it
/// @param offload       whether what checkpoints keep waits in host memory
/// @param mlpShards     into how many parts the tokens of a batch are split in MLPs, one part at a time; 1 for all at once
public record ActivationMemory(Checkpointing checkpointing, boolean offload, int mlpShards) {
    /// Parts draw their random numbers from as many states.
    public static final int MOST_SHARDS = 64;

    public ActivationMemory {
        if (mlpShards < 1 || mlpShards > MOST_SHARDS) {
            throw new InputException("tiled_mlp_num_shards must be from 1 to %d, got %d".formatted(MOST_SHARDS, mlpShards));
        }
        if (offload && checkpointing == Checkpointing.NONE) {
            throw new InputException(
                    "activation_offloading moves what checkpoints keep: set gradient_checkpointing to true or selective");
        }
    }

    /// Where it is made, all tokens at once.
    public static ActivationMemory of(Checkpointing checkpointing) {
        return new ActivationMemory(checkpointing, false, 1);
    }

    Kept kept() {
        return new Kept(checkpointing == Checkpointing.SELECTIVE, offload);
    }

    /// Tokens of a part.
    int mlpRows(int tokens) {
        return Math.ceilDiv(tokens, mlpShards);
    }
}
