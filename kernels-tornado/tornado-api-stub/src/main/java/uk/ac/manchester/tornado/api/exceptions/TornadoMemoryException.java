package uk.ac.manchester.tornado.api.exceptions;

/// Device memory could not be had.
public class TornadoMemoryException extends RuntimeException {
    public TornadoMemoryException(String message) {
        super(message);
    }
}
