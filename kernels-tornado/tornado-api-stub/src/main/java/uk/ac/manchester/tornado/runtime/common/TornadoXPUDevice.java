package uk.ac.manchester.tornado.runtime.common;

/// A device as TornadoVM's runtime sees it.
public interface TornadoXPUDevice {
}
