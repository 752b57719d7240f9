package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Matrices in host memory, F32, that nobody has to release: what is written to a file or read from one.
final class HostTensor {
    private HostTensor() {}

    static Tensor of(String name, float[] values, int rows, int cols) {
        MemorySegment segment = Arena.ofAuto().allocate((long) Float.BYTES * values.length, Float.BYTES);
        MemorySegment.copy(values, 0, segment, ValueLayout.JAVA_FLOAT, 0, values.length);
        return new Tensor(name, DType.F32, Shape.of(rows, cols), new Storage.Host(segment));
    }

    static float[] values(Tensor tensor) {
        return tensor.segment().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }
}
