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

    /// Where the tensor begins, in elements of a dtype or, where those are bytes or less, in words of 4 bytes, as an int does
    /// not count all bytes of a chunk: what kernels add to an index.
    int first(DType dtype) {
        return Math.toIntExact(offset / (dtype == DType.BF16 || dtype == DType.F16 ? 2 : 4));
    }

    /// The word of the chunk that holds a byte of this storage.
    int word(long byteOffset) {
        return Math.toIntExact((offset + byteOffset) / 4);
    }
}
