package uk.ac.manchester.tornado.runtime.library.spi;

/// What a library keeps for a device and a plan.
public interface LibraryContext {
}
