package dev.gale.kernels.runtime;

import java.lang.foreign.MemorySegment;
import java.util.List;

/// A device that remembers which kernels were launched.
record Remembered(DeviceLink device, List<String> kernels) implements DeviceLink {
    @Override
    public DeviceChunk chunk(int number, long bytes) {
        return device.chunk(number, bytes);
    }

    @Override
    public void launch(Launch launch) {
        kernels.add(launch.kernel());
        device.launch(launch);
    }

    @Override
    public void run() {
        device.run();
    }

    @Override
    public void upload(DeviceChunk chunk, int word, MemorySegment bytes) {
        device.upload(chunk, word, bytes);
    }

    @Override
    public void download(DeviceChunk chunk, int word, MemorySegment bytes) {
        device.download(chunk, word, bytes);
    }

    @Override
    public void close() {
        device.close();
    }
}
