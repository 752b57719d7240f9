package dev.gale.train.hub;

/// A hub or the way to it failed, though nothing that was asked for is wrong. The message is one sentence.
public final class HubException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public HubException(String message) {
        super(message);
    }

    public HubException(String message, Throwable cause) {
        super(message, cause);
    }
}
