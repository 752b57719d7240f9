package dev.gale.train.cli;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.SftConfig;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import picocli.CommandLine.Option;

/// Where a command computes.
public final class DeviceOption {
    @Option(names = "--device", paramLabel = "auto|cpu|gpu[:N]", defaultValue = "auto",
            description = "Where to compute; N as `gale devices` counts. auto takes a GPU that TornadoVM sees, else the CPU.")
    private String device;

    @Option(names = "--gpu-memory", paramLabel = "SIZE", converter = MemorySize.class,
            description = "Use the device as if it had so much memory, e.g. 24GB.")
    private Long memory;

    /// Operations on the chosen device.
    /// Throws: InputException when there is no such device.
    TensorOps open() {
        return choose().map(ComputeDevice::open).orElseGet(CpuOps::new);
    }

    /// The chosen device; none is the CPU.
    /// Throws: InputException when there is no such device.
    public Optional<ComputeDevice> choose() {
        return memory == null ? chosen() : chosen().map(found -> new CappedDevice(found, memory));
    }

    /// The memory that a device is to have, if that was said.
    Optional<Long> memory() {
        return Optional.ofNullable(memory);
    }

    private Optional<ComputeDevice> chosen() {
        if (device.equals("cpu")) return Optional.empty();
        List<ComputeDevice> devices = devices();
        if (device.equals("auto")) return devices.stream().findFirst().filter(ComputeDevice::isGpu);
        if (!device.matches("gpu(:\\d{1,4})?")) {
            throw new InputException("--device %s: give auto, cpu, gpu or gpu:N, N as `gale devices` counts".formatted(device));
        }
        if (devices.isEmpty()) throw new InputException("--device %s: %s".formatted(device, remedy()));
        int index = device.startsWith("gpu:") ? Integer.parseInt(device.substring(4)) : 0;
        if (index >= devices.size()) {
            throw new InputException("--device %s: there are %d devices, counted from 0; see `gale devices`"
                    .formatted(device, devices.size()));
        }
        return Optional.of(devices.get(index));
    }

    /// A GPU of so many bytes, to plan for.
    /// Throws: InputException when there is nothing to plan with.
    static ComputeDevice imagined(long memoryBytes) {
        return ServiceLoader.load(ComputeDevice.Provider.class).stream()
                .flatMap(found -> found.get().imagined(memoryBytes).stream())
                .findFirst().orElseThrow(() -> new InputException("planning for a GPU: " + remedy()));
    }

    /// The chosen device with activations in the dtype that a run asks for, if it does.
    /// Throws: InputException when there is no such device, or it does not compute in that dtype.
    Optional<ComputeDevice> choose(SftConfig run) {
        Optional<ComputeDevice> chosen = choose();
        Optional<DType> asked = run.activationType();
        if (asked.isEmpty()) return chosen;
        return Optional.of(chosen.orElseThrow(() -> new InputException(run.onCpu())).computingIn(asked.get()));
    }

    /// What can be chosen with `gpu:N`, in order.
    static List<ComputeDevice> devices() {
        return ServiceLoader.load(ComputeDevice.Provider.class).stream().flatMap(found -> found.get().devices().stream())
                .toList();
    }

    /// One sentence about what is missing.
    static String remedy() {
        return ServiceLoader.load(ComputeDevice.Provider.class).findFirst().map(ComputeDevice.Provider::remedy)
                .orElse("this distribution has no GPU support");
    }
}
