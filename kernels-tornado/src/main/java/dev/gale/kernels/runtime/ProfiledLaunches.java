package dev.gale.kernels.runtime;

import dev.gale.tensor.ops.KernelTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Runs each launch at once as a graph of its own, waits for it, and keeps what TornadoVM's profiler says of it.
final class ProfiledLaunches implements Launches {
    private final Device device;
    private final Map<Launch.Signature, CapturedSegment> captured = new HashMap<>();
    private final Map<KernelTime, KernelTime> times = new LinkedHashMap<>();       // by what they have in common

    ProfiledLaunches(Device device) {
        this.device = device;
    }

    @Override
    public void add(Launch launch) {
        List<Launch> alone = List.of(launch);
        CapturedSegment segment = captured.computeIfAbsent(launch.signature(),
                key -> new CapturedSegment("profiled" + captured.size(), alone, new int[] {0}, device));
        long nanos = segment.replay(alone).getProfilerResult().getDeviceKernelTime();
        String operation = operation();
        String constants = launch.constants().stream().map(String::valueOf).collect(Collectors.joining(" "));
        times.merge(new KernelTime(operation, launch.kernel(), constants, 0, 0),
                new KernelTime(operation, launch.kernel(), constants, 1, nanos), KernelTime::plus);
    }

    @Override
    public void run() {}

    /// The method of the contract that is running: the outermost one of `TornadoOps` on the stack.
    private static String operation() {
        return StackWalker.getInstance().walk(frames -> frames
                .filter(frame -> frame.getClassName().equals(TornadoOps.class.getName()))
                .reduce((inner, outer) -> outer).map(StackWalker.StackFrame::getMethodName).orElse("?"));
    }

    @Override
    public List<KernelTime> takeKernelTimes() {
        List<KernelTime> taken = new ArrayList<>(times.values());
        times.clear();
        taken.sort(Comparator.comparingLong(KernelTime::nanos).reversed());
        return taken;
    }

    @Override
    public void close() {
        captured.values().forEach(CapturedSegment::close);
        captured.clear();
    }
}
