package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.testing.OpsContract;
import dev.gale.tensor.testing.Trial;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.common.TornadoDevice;

/// The whole contract on TornadoVM's first device; without the SDK, on the emulator.
class TornadoOpsContractTest extends OpsContract {
    private static final TornadoDevice DEVICE = TornadoExecutionPlan.getDevice(0, 0);
    private static final boolean CUDA_GRAPHS = Boolean.getBoolean("gale.cuda.graphs");
    private static final boolean MATRIX_UNIT = Boolean.getBoolean("gale.matrix.unit");

    @Override
    protected TensorOps createOps() {
        DeviceLink link = DeviceLink.of(new Device(DEVICE, new KernelContext(), CUDA_GRAPHS));
        return new TornadoOps(link, new Abilities(DType.F32, MATRIX_UNIT, false), Trial.CHUNK_BYTES);
    }

    @Override
    public boolean seesIds() {
        return false;
    }
}
