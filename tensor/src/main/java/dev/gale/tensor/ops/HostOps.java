package dev.gale.tensor.ops;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Codec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/// Implementations that compute in host memory: off-heap chunks of one shared arena, 64-byte aligned, freed by `close`.
/// Memory-mapped tensors are used where they are.
public abstract class HostOps extends PooledOps {
    private final Arena arena = Arena.ofShared();
    private final List<MemorySegment> chunks = new ArrayList<>();

    /// @param chunkBytes smallest chunk of memory to take at once
    protected HostOps(long chunkBytes) {
        super(chunkBytes);
    }

    @Override
    protected final void grow(long bytes) {
        chunks.add(arena.allocate(bytes, MemoryPool.ALIGNMENT));
    }

    @Override
    protected final Storage storage(int chunk, long offset, long bytes) {
        return new Storage.Host(chunks.get(chunk).asSlice(offset, bytes));
    }

    @Override
    protected final Storage part(Storage whole, long offset, long bytes) {
        if (whole instanceof Storage.Host(MemorySegment segment)) return new Storage.Host(segment.asSlice(offset, bytes));
        throw new IllegalStateException("these bytes do not lie in host memory");
    }

    @Override
    public Tensor place(Tensor tensor) {
        if (tensor.storage() instanceof Storage.Host) return tensor;
        throw new IllegalStateException(tensor + " does not live in host memory");
    }

    @Override
    public void write(Tensor dst, long at, float[] values) {
        Checks.write(dst, at, values.length);
        MemorySegment to = dst.segment();
        if (dst.dtype() == DType.F32) {
            MemorySegment.copy(values, 0, to, ValueLayout.JAVA_FLOAT_UNALIGNED, at * Float.BYTES, values.length);
        } else {
            for (int i = 0; i < values.length; i++) Convert.set(to, dst.dtype(), at + i, values[i]);
        }
    }

    @Override
    public void write(Tensor dst, int[] values) {
        Checks.write(dst, values.length, false);
        MemorySegment.copy(values, 0, dst.segment(), ValueLayout.JAVA_INT_UNALIGNED, 0, values.length);
    }

    @Override
    public void writeBytes(Tensor dst, MemorySegment bytes) {
        Checks.bytes("writeBytes", dst, bytes.byteSize());
        dst.segment().copyFrom(bytes);
    }

    @Override
    public void readBytes(MemorySegment bytes, Tensor src) {
        Checks.bytes("readBytes", src, bytes.byteSize());
        MemorySegment.copy(src.segment(), 0, bytes, 0, src.byteSize());
    }

    @Override
    public void quantize(Tensor q, Tensor src) {
        Checks.quantize(q, src);
        Codec.quantize(q, src);
    }

    @Override
    public float[] toFloats(Tensor src) {
        float[] values = new float[Checks.read("toFloats", src, true)];
        MemorySegment from = src.segment();
        if (src.dtype() == DType.F32) {
            MemorySegment.copy(from, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values, 0, values.length);
        } else {
            for (int i = 0; i < values.length; i++) values[i] = Convert.get(from, src.dtype(), i);
        }
        return values;
    }

    @Override
    public int[] toInts(Tensor src) {
        int[] values = new int[Checks.read("toInts", src, false)];
        MemorySegment.copy(src.segment(), ValueLayout.JAVA_INT_UNALIGNED, 0, values, 0, values.length);
        return values;
    }

    @Override
    public float item(Tensor src) {
        Checks.item(src);
        return Convert.get(src.segment(), src.dtype(), 0);
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) arena.close();
    }
}
