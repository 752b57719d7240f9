package dev.gale.peft;

import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;

/// The same goldens by the implementation that trains.
class AdapterGoldenOnCpuTest extends AdapterGoldenTest {
    @Override
    TensorOps create() {
        return new CpuOps();
    }
}
