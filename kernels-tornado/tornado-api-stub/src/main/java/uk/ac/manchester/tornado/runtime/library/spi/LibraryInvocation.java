package uk.ac.manchester.tornado.runtime.library.spi;

import uk.ac.manchester.tornado.runtime.common.TornadoXPUDevice;

/// One call of a library, its arrays as addresses on the device. Made by TornadoVM alone.
public final class LibraryInvocation {
    private LibraryInvocation() {}

    /// An argument as the descriptor has it.
    public Object getArg(int index) {
        throw new UnsupportedOperationException("the stand-in calls no library");
    }

    public TornadoXPUDevice getDevice() {
        throw new UnsupportedOperationException("the stand-in calls no library");
    }

    public long getExecutionPlanId() {
        throw new UnsupportedOperationException("the stand-in calls no library");
    }

    /// Address of the first element of an argument that is an array.
    public long getDevicePointer(int index) {
        throw new UnsupportedOperationException("the stand-in calls no library");
    }

    /// What the descriptor was given to take along.
    public Object getTuning() {
        throw new UnsupportedOperationException("the stand-in calls no library");
    }
}
