package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;

/// Bytes on a device: a part of one of its chunks.
///
/// @param chunk  that holds the bytes
/// @param offset of the first byte, a multiple of 64
record DeviceStorage(DeviceChunk chunk, long offset) implements Storage {

    /// Throws: IllegalStateException when the tensor was released or lives elsewhere.
    static DeviceStorage of(Tensor tensor) {
        if (tensor.storage() instanceof DeviceStorage storage) return storage;
        throw new IllegalStateException(tensor + " does not live on this device");
    }

    /// Where the tensor begins, in elements of a dtype, or in bytes where elements are less: what kernels add to an index.
    int first(DType dtype) {
        return Math.toIntExact(dtype.quantized() ? offset : offset / dtype.bytes());
    }

    /// The word of the chunk that holds a byte of this storage.
    int word(long byteOffset) {
        return Math.toIntExact((offset + byteOffset) / 4);
    }
}
