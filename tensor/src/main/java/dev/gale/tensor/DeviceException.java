package dev.gale.tensor;

/// A device failed: it is lost, a launch did not run, or its memory ran out. What it holds is not to be relied on. The
/// message is one sentence.
public final class DeviceException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public DeviceException(String message) {
        super(message);
    }

    public DeviceException(String message, Throwable cause) {
        super(message, cause);
    }
}
