package dev.gale.kernels.runtime;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Collects launches and runs them a segment at a time. A segment whose launches have the signatures of an earlier one is
/// replayed: the layers of a model, forward and backward, are captured once each.
final class LaunchQueue implements Launches {
    /// A graph of TornadoVM 5.2.0 has 8 KB for its tasks, of which one takes 15 bytes and 5 for each of its up to 20 parameters.
    private static final int MOST_LAUNCHES = 8192 / (15 + 5 * 20);

    private final Device device;
    private final List<Launch> waiting = new ArrayList<>();
    private final Map<List<Launch.Signature>, CapturedSegment> captured = new HashMap<>();
    private long replays;

    LaunchQueue(Device device) {
        this.device = device;
    }

    @Override
    public void add(Launch launch) {
        waiting.add(launch);
        if (waiting.size() == MOST_LAUNCHES) run();
    }

    @Override
    public void run() {
        if (waiting.isEmpty()) return;
        List<Launch> launches = List.copyOf(waiting);
        waiting.clear();
        List<Launch.Signature> signature = launches.stream().map(Launch::signature).toList();
        CapturedSegment segment = captured.computeIfAbsent(signature,
                key -> new CapturedSegment("segment" + captured.size(), launches, device));
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
