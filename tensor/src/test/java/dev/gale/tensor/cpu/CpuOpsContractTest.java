package dev.gale.tensor.cpu;

import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.OpsContract;
import dev.gale.tensor.testing.Trial;

class CpuOpsContractTest extends OpsContract {
    @Override
    protected TensorOps createOps() {
        return new CpuOps(3, Trial.CHUNK_BYTES);
    }

    @Override
    public boolean makesHalves() {
        return false;
    }
}
