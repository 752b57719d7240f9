package uk.ac.manchester.tornado.api;

import java.util.List;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;

/// A code generator and its devices.
public interface TornadoBackend {
    String getName();

    TornadoVMBackendType getBackendType();

    TornadoDevice getDefaultDevice();

    TornadoDevice getDevice(int index);

    List<TornadoDevice> getAllDevices();

    int getNumDevices();
}
