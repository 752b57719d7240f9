package dev.gale.kernels.runtime;

import dev.gale.kernels.Halves;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoBackend;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;

/// The devices that TornadoVM sees: GPUs first, then everything else that its backends offer.
public final class TornadoDevices implements ComputeDevice.Provider {
    /// System property; `false` launches kernels one by one instead of replaying CUDA graphs.
    public static final String CUDA_GRAPHS = "gale.cuda.graphs";
    /// System property of TornadoVM that must be false; it is true by default.
    static final String BAILOUT = "tornado.recover.bailout";
    private static final String API = "uk.ac.manchester.tornado.api.TornadoExecutionPlan";

    @Override
    public List<ComputeDevice> devices() {
        return installed() ? Found.all() : List.of();
    }

    @Override
    public Optional<ComputeDevice> imagined(long memoryBytes) {
        return installed() ? Optional.of(new Imagined(memoryBytes)) : Optional.empty();
    }

    @Override
    public String remedy() {
        return "a GPU needs TornadoVM's SDK 5.2.0 for JDK 25: install it with SDKMAN (`sdk install tornadovm 5.2.0-jdk25-cuda`)"
                + " or unpack its archive, and set TORNADOVM_HOME to its folder";
    }

    private static boolean installed() {
        try {
            Class.forName(API, false, TornadoDevices.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError e) {
            return false;
        }
    }

    /// Throws: InputException when TornadoVM would run a kernel that it cannot compile as plain Java, every thread id 0.
    static void requireNoFallback() {
        String value = System.getProperty(BAILOUT);
        if ("false".equalsIgnoreCase(value)) return;
        throw new InputException("%s is %s: start Java with -D%s=False, as the gale command does, since TornadoVM would else "
                .formatted(BAILOUT, value == null ? "not set" : value, BAILOUT)
                + "run what it cannot compile with wrong results");
    }

    private record Imagined(long memoryBytes, Abilities abilities) implements ComputeDevice {
        Imagined(long memoryBytes) {
            this(memoryBytes, new Abilities(DType.BF16, true, true));
        }

        @Override
        public ComputeDevice computingIn(DType activationType) {
            return new Imagined(memoryBytes, abilities.computingIn(activationType));
        }

        @Override
        public String name() {
            return String.format(Locale.ROOT, "a GPU of %.1f GB", memoryBytes / 1e9);
        }

        @Override
        public String backend() {
            return TornadoVMBackendType.CUDA.name();
        }

        @Override
        public boolean isGpu() {
            return true;
        }

        @Override
        public List<String> capabilities() {
            return abilities.names();
        }

        @Override
        public TensorOps open() {
            throw new InputException(name() + " is not there: it can only be planned for");
        }

        @Override
        public TensorOps plan() {
            return new TornadoOps(DeviceLink.planned(), abilities, TornadoOps.CHUNK_BYTES);
        }
    }

    /// Apart, so that nothing of TornadoVM is loaded where it is not installed.
    private static final class Found {
        static List<ComputeDevice> all() {
            List<ComputeDevice> found = new ArrayList<>();
            for (TornadoBackend backend : TornadoExecutionPlan.getTornadoDeviceMap().getAllBackends()) {
                for (TornadoDevice device : backend.getAllDevices()) found.add(new Entry(device, null));
            }
            found.sort(Comparator.comparing(device -> !device.isGpu()));
            return List.copyOf(found);
        }
    }

    /// @param activations dtype that a run asks for; null leaves it to the device
    private record Entry(TornadoDevice device, DType activations) implements ComputeDevice {
        @Override
        public boolean isGpu() {
            return device.getDeviceType() == TornadoDeviceType.GPU;
        }

        private boolean isCuda() {
            return device.getTornadoVMBackend() == TornadoVMBackendType.CUDA;
        }

        @Override
        public String name() {
            return device.getPhysicalDevice().getDeviceName();
        }

        @Override
        public String backend() {
            return device.getTornadoVMBackend().name();
        }

        @Override
        public long memoryBytes() {
            return device.getMaxGlobalMemory();
        }

        @Override
        public ComputeDevice computingIn(DType activationType) {
            abilities().computingIn(activationType);
            return new Entry(device, activationType);
        }

        private Abilities abilities() {
            Abilities own = isCuda() ? Abilities.cuda(device.getPhysicalDevice().getDeviceInfo()) : Abilities.NONE;
            return activations == null ? own.asSet() : own.computingIn(activations);
        }

        @Override
        public List<String> capabilities() {
            List<String> names = new ArrayList<>(abilities().names());
            if (isCuda()) names.add("cuda graphs");
            return names;
        }

        @Override
        public TensorOps open() {
            requireNoFallback();
            if (!isCuda()) System.setProperty(Halves.PROPERTY, "false");
            boolean graphs = isCuda() && !"false".equals(System.getProperty(CUDA_GRAPHS));
            return open(new GuardedLink(DeviceLink.of(new Device(device, new KernelContext(), graphs))));
        }

        @Override
        public TensorOps plan() {
            return open(DeviceLink.planned());
        }

        private TensorOps open(DeviceLink link) {
            return new TornadoOps(link, abilities(), TornadoOps.CHUNK_BYTES);
        }
    }
}
