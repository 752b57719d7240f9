package dev.gale.kernels.runtime;

import java.util.function.LongConsumer;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.common.Access;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.runtime.common.TornadoXPUDevice;
import uk.ac.manchester.tornado.runtime.library.spi.LibraryContext;
import uk.ac.manchester.tornado.runtime.library.spi.LibraryInvocation;
import uk.ac.manchester.tornado.runtime.library.spi.TornadoLibraryProvider;

/// A library of one function that tells where on a device an array lies: TornadoVM says so to libraries alone.
public final class ChunkAddress implements TornadoLibraryProvider {
    private static final String LIBRARY = "gale/address";

    /// Adds the question to a graph.
    ///
    /// @param answer called when the graph runs
    static void ask(TaskGraph graph, LongArray array, LongConsumer answer) {
        graph.libraryTask("address", asked -> new LibraryTaskDescriptor().withLibrary(LIBRARY).withFunction("address")
                .withParameters(new Object[] {asked}).withAccess(new Access[] {Access.READ_WRITE}).withTuning(answer), array);
    }

    @Override
    public String libraryName() {
        return LIBRARY;
    }

    @Override
    public boolean canHandle(TornadoXPUDevice device) {
        return true;
    }

    @Override
    public LibraryContext createContext(TornadoXPUDevice device, long executionPlanId) {
        return new LibraryContext() {};
    }

    @Override
    public void dispatch(String functionName, LibraryInvocation invocation) {
        ((LongConsumer) invocation.getTuning()).accept(invocation.getDevicePointer(0));
    }

    @Override
    public void destroyContext(LibraryContext context) {}
}
