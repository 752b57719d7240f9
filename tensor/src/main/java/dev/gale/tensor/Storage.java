package dev.gale.tensor;

import java.lang.foreign.MemorySegment;

/// Where the bytes of a tensor lie. Each `TensorOps` brings its own kind; only that implementation looks inside.
public interface Storage {

    /// Bytes in host memory, off-heap or memory-mapped, 64-byte aligned when allocated by an implementation of
    /// `TensorOps`.
    record Host(MemorySegment segment) implements Storage {}

    /// No bytes at all: what a plan computes with.
    record None() implements Storage {}

    /// The bytes were given back.
    record Released() implements Storage {}
}
