package uk.ac.manchester.tornado.api.exceptions;

/// A failure while a plan runs.
public class TornadoRuntimeException extends RuntimeException {
    public TornadoRuntimeException(String message) {
        super(message);
    }

    public TornadoRuntimeException(Exception cause) {
        super(cause);
    }
}
