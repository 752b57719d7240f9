package dev.gale.kernels.runtime;

import static dev.gale.kernels.runtime.NativeLibrary.ADDRESS;
import static dev.gale.kernels.runtime.NativeLibrary.FLOAT;
import static dev.gale.kernels.runtime.NativeLibrary.INT;
import static dev.gale.kernels.runtime.NativeLibrary.LONG;

import dev.gale.tensor.DeviceException;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import uk.ac.manchester.tornado.runtime.common.TornadoXPUDevice;
import uk.ac.manchester.tornado.runtime.library.spi.LibraryContext;
import uk.ac.manchester.tornado.runtime.library.spi.LibraryInvocation;
import uk.ac.manchester.tornado.runtime.library.spi.TornadoLibraryProvider;
import uk.ac.manchester.tornado.runtime.library.spi.TornadoNativeStreamSupport;

/// cuBLAS as a library of TornadoVM's tasks, with one handle and one workspace for all graphs of a device: TornadoVM's own
/// binding has them for each graph, which takes gigabytes where there are a hundred.
/// Source: NVIDIA, cuBLAS: cublasGemmEx, cublasSetWorkspace.
public final class CublasLibrary implements TornadoLibraryProvider {
    static final String NAME = "gale/cublas";
    static final String GEMM = "cublasGemmEx";
    private static final List<String> FILES = List.of("libcublas.so.13", "libcublas.so.12", "cublas64_13.dll",
            "cublas64_12.dll");
    /// What cuBLAS takes on such devices if nobody says.
    private static final long WORKSPACE_BYTES = 32L << 20;
    private static final int BF16 = 14;
    private static final int COMPUTE_F32 = 68;
    private static final int DEFAULT_ALGORITHM = -1;

    private final Map<TornadoXPUDevice, Handle> handles = new HashMap<>();

    /// Whether the library is there.
    static boolean isPresent() {
        return Found.LIBRARY != null;
    }

    private static final class Found {
        private static final NativeLibrary LIBRARY = NativeLibrary.open(FILES).orElse(null);
    }

    /// What graphs of a device share. They run one after the other, so one workspace is enough.
    private record Handle(long handle, long workspace, NativeLibrary.Function setStream, NativeLibrary.Function setWorkspace,
                          NativeLibrary.Function gemm) implements LibraryContext {
        static Handle create() {
            NativeLibrary library = Found.LIBRARY;
            if (library == null) throw new DeviceException("cuBLAS " + FILES + " cannot be opened");
            return new Handle(library.function("cublasCreate_v2", ADDRESS).written(),
                    new CudaDriver().deviceAlloc(WORKSPACE_BYTES),
                    library.function("cublasSetStream_v2", LONG, LONG),
                    library.function("cublasSetWorkspace_v2", LONG, LONG, LONG),
                    library.function(GEMM, LONG, INT, INT, INT, INT, INT, ADDRESS, LONG, INT, INT, LONG, INT, INT, ADDRESS,
                            LONG, INT, INT, INT, INT));
        }
    }

    @Override
    public String libraryName() {
        return NAME;
    }

    @Override
    public boolean canHandle(TornadoXPUDevice device) {
        return device instanceof TornadoNativeStreamSupport;
    }

    @Override
    public LibraryContext createContext(TornadoXPUDevice device, long executionPlanId) {
        return handles.computeIfAbsent(device, key -> Handle.create());
    }

    /// Arguments: op(a), op(b), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, as cuBLAS has them; a, b and c are BF16.
    @Override
    public void dispatch(String functionName, LibraryInvocation call) {
        Handle handle = handles.get(call.getDevice());
        long stream = ((TornadoNativeStreamSupport) call.getDevice()).getNativeStream(call.getExecutionPlanId());
        handle.setStream.call(handle.handle, stream);
        handle.setWorkspace.call(handle.handle, handle.workspace, WORKSPACE_BYTES);
        try (Arena arena = Arena.ofConfined()) {
            handle.gemm.call(handle.handle, call.getArg(0), call.getArg(1), call.getArg(2), call.getArg(3), call.getArg(4),
                    arena.allocateFrom(FLOAT, (float) call.getArg(5)), call.getDevicePointer(6), BF16, call.getArg(7),
                    call.getDevicePointer(8), BF16, call.getArg(9), arena.allocateFrom(FLOAT, (float) call.getArg(10)),
                    call.getDevicePointer(11), BF16, call.getArg(12), COMPUTE_F32, DEFAULT_ALGORITHM);
        }
    }

    /// The handle is everyone's.
    @Override
    public void destroyContext(LibraryContext context) {}
}
