package dev.gale.tensor.ops;

import dev.gale.tensor.testing.OpsContract;
import dev.gale.tensor.testing.Trial;

/// The reference obeys its own contract: what remains after comparing it with itself are the in-place forms, the
/// refusals, untouched inputs, repeatability and memory.
class ReferenceOpsContractTest extends OpsContract {
    @Override
    protected TensorOps createOps() {
        return new ReferenceOps(Trial.CHUNK_BYTES);
    }
}
