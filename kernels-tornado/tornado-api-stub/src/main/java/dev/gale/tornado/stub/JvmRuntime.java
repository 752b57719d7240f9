package dev.gale.tornado.stub;

import java.util.List;
import uk.ac.manchester.tornado.api.TornadoBackend;
import uk.ac.manchester.tornado.api.TornadoRuntime;
import uk.ac.manchester.tornado.api.TornadoTargetDevice;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;

/// The only backend and device of the stand-in: this JVM.
public final class JvmRuntime implements TornadoRuntime, TornadoBackend, TornadoDevice, TornadoTargetDevice {
    private static final JvmRuntime INSTANCE = new JvmRuntime();
    public static final TornadoRuntime RUNTIME = INSTANCE;
    public static final TornadoDevice DEVICE = INSTANCE;
    private static final int LOCAL_BYTES = 48 << 10;
    private static final int GROUP_THREADS = 1024;

    private JvmRuntime() {}

    @Override
    public int getNumBackends() {
        return 1;
    }

    @Override
    public TornadoBackend getBackend(int index) {
        return this;
    }

    @Override
    public TornadoVMBackendType getBackendType(int index) {
        return TornadoVMBackendType.JAVA;
    }

    @Override
    public TornadoDevice getDefaultDevice() {
        return this;
    }

    @Override
    public String getName() {
        return "JVM";
    }

    @Override
    public TornadoVMBackendType getBackendType() {
        return TornadoVMBackendType.JAVA;
    }

    @Override
    public TornadoDevice getDevice(int index) {
        return this;
    }

    @Override
    public List<TornadoDevice> getAllDevices() {
        return List.of(this);
    }

    @Override
    public int getNumDevices() {
        return 1;
    }

    @Override
    public String getDeviceName() {
        return "JVM";
    }

    @Override
    public String getDescription() {
        return getDeviceInfo();
    }

    @Override
    public String getPlatformName() {
        return "JVM";
    }

    @Override
    public TornadoDeviceType getDeviceType() {
        return TornadoDeviceType.CPU;
    }

    @Override
    public TornadoTargetDevice getPhysicalDevice() {
        return this;
    }

    @Override
    public TornadoVMBackendType getTornadoVMBackend() {
        return TornadoVMBackendType.JAVA;
    }

    @Override
    public int getBackendIndex() {
        return 0;
    }

    @Override
    public long getMaxAllocMemory() {
        return Runtime.getRuntime().maxMemory();
    }

    @Override
    public long getMaxGlobalMemory() {
        return Runtime.getRuntime().maxMemory();
    }

    @Override
    public long getDeviceGlobalMemorySize() {
        return Runtime.getRuntime().maxMemory();
    }

    @Override
    public long getDeviceMaxAllocationSize() {
        return Runtime.getRuntime().maxMemory();
    }

    @Override
    public long getDeviceLocalMemorySize() {
        return LOCAL_BYTES;
    }

    @Override
    public long[] getDeviceMaxWorkgroupDimensions() {
        return new long[] {GROUP_THREADS, GROUP_THREADS, GROUP_THREADS};
    }

    @Override
    public int getDeviceMaxComputeUnits() {
        return Runtime.getRuntime().availableProcessors();
    }

    @Override
    public int getMaxThreadsPerBlock() {
        return GROUP_THREADS;
    }

    @Override
    public int getDeviceMaxClockFrequency() {
        return 0;
    }

    @Override
    public String getDeviceInfo() {
        return "emulated on the JVM";
    }
}
