package dev.gale.tensor;

import dev.gale.tensor.quant.Scales;
import java.lang.foreign.MemorySegment;

/// A named, dense, row-major array of one dtype. A handle: it neither owns nor frees its storage
/// (`TensorOps.release` does), and equality is identity. A quantized one has scales, tensors that come and go with it.
public final class Tensor {
    private final String name;
    private final DType dtype;
    private final Shape shape;
    private final Scales scales;
    private Storage storage;

    public Tensor(String name, DType dtype, Shape shape, Storage storage) {
        this(name, dtype, shape, storage, null);
    }

    /// @param scales of a quantized dtype, else null
    public Tensor(String name, DType dtype, Shape shape, Storage storage, Scales scales) {
        if (dtype.quantized() != (scales != null)) {
            throw new ShapeException(name + " of " + dtype + " and its scales do not match");
        }
        if (storage instanceof Storage.Host(MemorySegment segment)
                && segment.byteSize() < dtype.bytes(shape.size())) {
            throw new ShapeException("%s: %s of %s needs %d bytes, its storage has %d"
                    .formatted(name, shape, dtype, dtype.bytes(shape.size()), segment.byteSize()));
        }
        this.name = name;
        this.dtype = dtype;
        this.shape = shape;
        this.scales = scales;
        this.storage = storage;
    }

    public String name() {
        return name;
    }

    public DType dtype() {
        return dtype;
    }

    public Shape shape() {
        return shape;
    }

    /// What a quantized tensor's codes are multiplied with, else null.
    public Scales scales() {
        return scales;
    }

    public Storage storage() {
        return storage;
    }

    /// Says where the bytes lie from now on; for implementations of `TensorOps`, which alone know.
    public void setStorage(Storage storage) {
        this.storage = storage;
    }

    /// Product of all extents but the last.
    public int rows() {
        return shape.rows();
    }

    /// Extent of the innermost dimension.
    public int cols() {
        return shape.last();
    }

    public long size() {
        return shape.size();
    }

    /// Bytes of the elements, without scales.
    public long byteSize() {
        return dtype.bytes(shape.size());
    }

    /// The host bytes of this tensor.
    /// Throws: IllegalStateException when the tensor was released or lives elsewhere; `TensorOps.toFloats` reads any tensor.
    public MemorySegment segment() {
        if (storage instanceof Storage.Host(MemorySegment segment)) return segment;
        String reason = storage instanceof Storage.Released ? " was released"
                : " does not live in host memory; read it through its TensorOps";
        throw new IllegalStateException(name + reason);
    }

    @Override
    public String toString() {
        return "%s %s %s".formatted(name, dtype, shape);
    }
}
