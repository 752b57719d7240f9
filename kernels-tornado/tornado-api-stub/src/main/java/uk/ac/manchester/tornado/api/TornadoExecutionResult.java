package uk.ac.manchester.tornado.api;

/// What a run of a plan gives back.
public class TornadoExecutionResult {
    private final TornadoProfilerResult profile = new TornadoProfilerResult();

    TornadoExecutionResult() {}

    public TornadoProfilerResult getProfilerResult() {
        return profile;
    }

    /// Brings arrays of mode UNDER_DEMAND to the host; on the JVM they are there.
    public TornadoExecutionResult transferToHost(Object... objects) {
        return this;
    }

    public TornadoExecutionResult transferToHost(DataRange range) {
        return this;
    }

    public boolean isReady() {
        return true;
    }
}
