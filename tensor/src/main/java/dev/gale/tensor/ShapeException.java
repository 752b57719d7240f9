package dev.gale.tensor;

/// Shapes or dtypes that an operation cannot combine. The message names the operation, each operand and what would fit.
public final class ShapeException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public ShapeException(String message) {
        super(message);
    }
}
