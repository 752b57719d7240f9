package dev.gale.kernels.emulator;

/// A kernel did what it must not do, or what no device promises anything about.
public final class KernelFault extends RuntimeException {
    public KernelFault(String message) {
        super(message);
    }

    public KernelFault(String message, Throwable cause) {
        super(message, cause);
    }
}
