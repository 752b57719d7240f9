package dev.gale.kernels.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Collects launches and runs them a segment at a time. A segment whose launches have the signatures of an earlier one is
/// replayed: the layers of a model, forward and backward, are captured once each.
final class LaunchQueue implements Launches {
    /// What a graph of TornadoVM 5.2.0 has for its tasks.
    private static final int GRAPH_BYTES = 8192;

    private final Device device;
    private final List<Launch> waiting = new ArrayList<>();
    private final Slots slots = new Slots();
    private int bytes;                               // of the waiting launches in a graph
    private final Map<List<Launch.Signature>, CapturedSegment> captured = new HashMap<>();
    private long replays;

    LaunchQueue(Device device) {
        this.device = device;
    }

    @Override
    public void add(Launch launch) {
        if (bytes + bytes(launch) > GRAPH_BYTES) run();
        waiting.add(launch);
        bytes += bytes(launch);
    }

    /// At most: a task takes 15 bytes and 5 for each parameter, of which an operand may be three.
    private static int bytes(Launch launch) {
        int parameters = launch.grid() == null ? Cublas.PARAMETERS
                : Math.min(20, 3 + 3 * launch.operands().size() + launch.constants().size());
        return 15 + 5 * parameters;
    }

    @Override
    public void run() {
        if (waiting.isEmpty()) return;
        List<Launch> launches = List.copyOf(waiting);
        waiting.clear();
        bytes = 0;
        List<Launch.Signature> signature = launches.stream().map(Launch::signature).toList();
        CapturedSegment segment = captured.computeIfAbsent(signature,
                key -> new CapturedSegment("segment" + captured.size(), launches, slots.of(launches), device));
        segment.replay(launches);
        replays++;
    }

    /// How many different segments were compiled.
    int segments() {
        return captured.size();
    }

    long replays() {
        return replays;
    }

    @Override
    public void close() {
        captured.values().forEach(CapturedSegment::close);
        captured.clear();
    }
}
