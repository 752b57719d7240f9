package dev.gale.tensor;

/// Something that a person gave is wrong: a file, an option, a dataset line. The message is one sentence that names the
/// file, the place in it and the remedy; commands print it without a stack trace and exit with 2.
public final class InputException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public InputException(String message) {
        super(message);
    }

    public InputException(String message, Throwable cause) {
        super(message, cause);
    }
}
