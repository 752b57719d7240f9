package dev.gale.train.cli;

import dev.gale.tensor.ops.ComputeDevice;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// `gale devices`: what `--device` can choose.
@Command(name = "devices", mixinStandardHelpOptions = true, description = "List the devices that --device can choose.")
final class DevicesCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<ComputeDevice> devices = DeviceOption.devices();
        for (int i = 0; i < devices.size(); i++) {
            ComputeDevice device = devices.get(i);
            out.printf(Locale.ROOT, "gpu:%d  %s, %s, %.1f GB%s%n", i, device.name(), device.backend(),
                    device.memoryBytes() / 1e9, device.capabilities().isEmpty() ? "" : ", "
                    + String.join(", ", device.capabilities()));
        }
        out.printf("cpu    %d threads%n", Runtime.getRuntime().availableProcessors());
        if (devices.isEmpty()) out.println(DeviceOption.remedy());
        return ExitCode.OK;
    }
}
