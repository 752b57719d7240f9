package dev.gale.train;

/// A run that cannot go on, through no fault of its input files: the message is one sentence. Checkpoints stay intact.
public final class TrainingException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public TrainingException(String message) {
        super(message);
    }

    public TrainingException(String message, Throwable cause) {
        super(message, cause);
    }
}
