package dev.gale.tensor.cpu;

import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.OpsContract;

class CpuOpsContractTest extends OpsContract {
    @Override
    protected TensorOps createOps() {
        return new CpuOps(3);
    }

    @Override
    public boolean makesHalves() {
        return false;
    }
}
