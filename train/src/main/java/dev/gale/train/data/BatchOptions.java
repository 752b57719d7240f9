package dev.gale.train.data;

import dev.gale.tensor.InputException;

/// How examples become micro-batches.
///
/// @param batchSize     examples of a micro-batch; when packing, bins
/// @param packing       put several examples into one bin of `maxLength` tokens
/// @param maxLength     token budget of a bin; no example is longer
/// @param groupByLength let a micro-batch hold examples of similar length
/// @param dropLast      leave out the last micro-batch of an epoch when it is not full
/// @param seed          of the order
public record BatchOptions(int batchSize, boolean packing, int maxLength, boolean groupByLength, boolean dropLast,
                           long seed) {
    public BatchOptions {
        if (batchSize < 1) throw new InputException("per_device_train_batch_size must be at least 1, got " + batchSize);
        if (packing && maxLength < 1) throw new InputException("max_length must be at least 1, got " + maxLength);
    }

    /// Shuffled examples, not packed.
    public static BatchOptions of(int batchSize, long seed) {
        return new BatchOptions(batchSize, false, 0, false, false, seed);
    }

    /// Shuffled bins of at most `maxLength` tokens.
    public static BatchOptions packed(int batchSize, int maxLength, long seed) {
        return new BatchOptions(batchSize, true, maxLength, false, false, seed);
    }
}
