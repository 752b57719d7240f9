package dev.gale.kernels.runtime;

import static dev.gale.kernels.runtime.NativeLibrary.ADDRESS;
import static dev.gale.kernels.runtime.NativeLibrary.INT;
import static dev.gale.kernels.runtime.NativeLibrary.LONG;

import dev.gale.tensor.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// The few functions of CUDA's driver that TornadoVM does not offer, in the context in which it works.
/// Source: NVIDIA, CUDA Driver API: memory, stream and event management.
final class CudaDriver {
    private static final List<String> FILES = List.of("libcuda.so.1", "nvcuda.dll");
    private static final int STREAM_NON_BLOCKING = 1;
    private static final int EVENT_DISABLE_TIMING = 2;
    private static final int HOST_ALLOC_PORTABLE = 1;

    private final NativeLibrary library;
    private final NativeLibrary.Function setCurrent;
    private final NativeLibrary.Function copyUp;
    private final NativeLibrary.Function copyDown;
    private final NativeLibrary.Function eventCreate;
    private final NativeLibrary.Function eventRecord;
    private final NativeLibrary.Function eventSynchronize;
    private final NativeLibrary.Function eventDestroy;
    private final NativeLibrary.Function memoryInfo;
    private final long context;

    /// Binds to the context that this thread has: that of TornadoVM once it has run something here.
    /// Throws: DeviceException when the driver's library is not there, or too old.
    CudaDriver() {
        library = NativeLibrary.open(FILES)
                .orElseThrow(() -> new DeviceException("CUDA's driver " + FILES + " cannot be opened"));
        context = library.function("cuCtxGetCurrent", ADDRESS).written();
        setCurrent = library.function("cuCtxSetCurrent", LONG);
        copyUp = library.function("cuMemcpyHtoDAsync_v2", LONG, ADDRESS, LONG, LONG);
        copyDown = library.function("cuMemcpyDtoHAsync_v2", ADDRESS, LONG, LONG, LONG);
        eventCreate = library.function("cuEventCreate", ADDRESS, INT);
        eventRecord = library.function("cuEventRecord", LONG, LONG);
        eventSynchronize = library.function("cuEventSynchronize", LONG);
        eventDestroy = library.function("cuEventDestroy_v2", LONG);
        memoryInfo = library.function("cuMemGetInfo_v2", ADDRESS, ADDRESS);
    }

    /// To be called before the other methods, by the thread that calls them.
    void enter() {
        setCurrent.call(context);
    }

    long newStream() {
        return library.function("cuStreamCreate", ADDRESS, INT).written(STREAM_NON_BLOCKING);
    }

    void destroyStream(long stream) {
        library.function("cuStreamDestroy_v2", LONG).call(stream);
    }

    /// Page-locked memory, which copies reach without the processor.
    MemorySegment hostAlloc(long bytes) {
        long address = library.function("cuMemHostAlloc", ADDRESS, LONG, INT).written(bytes, HOST_ALLOC_PORTABLE);
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    void freeHost(MemorySegment memory) {
        library.function("cuMemFreeHost", LONG).call(memory.address());
    }

    /// Memory on the device, which ends with the context.
    long deviceAlloc(long bytes) {
        return library.function("cuMemAlloc_v2", ADDRESS, LONG).written(bytes);
    }

    void copyUp(long device, MemorySegment host, long stream) {
        copyUp.call(device, host, host.byteSize(), stream);
    }

    void copyDown(MemorySegment host, long device, long stream) {
        copyDown.call(host, device, host.byteSize(), stream);
    }

    /// An event that comes when a stream has done all it was given.
    long record(long stream) {
        long event = eventCreate.written(EVENT_DISABLE_TIMING);
        eventRecord.call(event, stream);
        return event;
    }

    /// Waits for an event, which ends with it.
    void await(long event) {
        eventSynchronize.call(event);
        eventDestroy.call(event);
    }

    /// Bytes of the device's memory that are in use, by whomever, in the context that this thread has.
    long usedBytes() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment numbers = arena.allocate(LONG, 2);
            memoryInfo.call(numbers, numbers.asSlice(LONG.byteSize()));
            return numbers.getAtIndex(LONG, 1) - numbers.getAtIndex(LONG, 0);
        }
    }
}
