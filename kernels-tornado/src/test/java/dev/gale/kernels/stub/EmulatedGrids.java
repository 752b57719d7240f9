package dev.gale.kernels.stub;

import dev.gale.kernels.emulator.KernelEmulator;
import dev.gale.tornado.stub.GridRunner;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;

/// Lets plans of the stand-in run their kernels on the emulator, once each.
public final class EmulatedGrids implements GridRunner {
    @Override
    public void run(String task, long[] global, long[] local, Consumer<KernelContext> kernel, Object[] arguments) {
        KernelEmulator.grid(Math.toIntExact(global[0]), Math.toIntExact(global[1]), Math.toIntExact(global[2]))
                .group(Math.toIntExact(local[0]), Math.toIntExact(local[1]), Math.toIntExact(local[2]))
                .arrays(arguments).once().run(kernel);
    }
}
