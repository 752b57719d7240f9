package uk.ac.manchester.tornado.runtime.library.spi;

/// A device that tells where its work is queued.
public interface TornadoNativeStreamSupport {
    long getNativeStream(long executionPlanId);

    long getNativeContext(long executionPlanId);
}
