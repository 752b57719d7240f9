package uk.ac.manchester.tornado.api;

/// Times in nanoseconds; the JVM measures none.
public class TornadoProfilerResult {
    TornadoProfilerResult() {}

    public long getTotalTime() {
        return 0;
    }

    public long getCompileTime() {
        return 0;
    }

    public long getTornadoCompilerTime() {
        return 0;
    }

    public long getDriverInstallTime() {
        return 0;
    }

    public long getDataTransfersTime() {
        return 0;
    }

    public long getDeviceWriteTime() {
        return 0;
    }

    public long getDeviceReadTime() {
        return 0;
    }

    public long getDataTransferDispatchTime() {
        return 0;
    }

    public long getKernelDispatchTime() {
        return 0;
    }

    public long getDeviceKernelTime() {
        return 0;
    }

    public long getTotalBytesCopyIn() {
        return 0;
    }

    public long getTotalBytesCopyOut() {
        return 0;
    }

    public long getTotalBytesTransferred() {
        return 0;
    }

    public long getTotalDeviceMemoryUsage() {
        return 0;
    }

    public String getProfileLog() {
        return "";
    }
}
