package dev.gale.tensor.ops;

import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.quant.Scales;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/// Implementations whose tensors lie in a `MemoryPool`: computing ones and `NullOps` alike, so that a plan's bytes are
/// a run's bytes.
public abstract class PooledOps implements TensorOps {
    private final MemoryPool pool;
    private final Map<Tensor, MemoryPool.Block> live = new HashMap<>();
    private long limit = Long.MAX_VALUE;

    /// @param chunkBytes smallest chunk of memory to take at once
    protected PooledOps(long chunkBytes) {
        pool = new MemoryPool(chunkBytes, this::growWithinLimit);
    }

    /// Sets how much memory may be taken in all: a device is to be used as if it had less.
    public final void limitMemory(long bytes) {
        limit = bytes;
    }

    private void growWithinLimit(long bytes) {
        if (pool.reservedBytes() + bytes > limit) {
            throw new InputException(String.format(Locale.ROOT,
                    "%,.2f GB of memory are taken and %,.2f GB more are needed, but the limit is %,.2f GB: use smaller batches,"
                            + " or keep more in host memory", pool.reservedBytes() / 1e9, bytes / 1e9, limit / 1e9));
        }
        grow(bytes);
    }

    /// Provides the next chunk of the pool.
    protected abstract void grow(long bytes);

    /// Whether a tensor of so many bytes gets a chunk of its own.
    protected boolean alone(long bytes) {
        return false;
    }

    /// The bytes of a part of a chunk.
    protected abstract Storage storage(int chunk, long offset, long bytes);

    /// A part of a tensor's bytes.
    protected abstract Storage part(Storage whole, long offset, long bytes);

    @Override
    public final Tensor rows(Tensor tensor, int from, int count) {
        boolean vector = tensor.shape().rank() == 1;
        int width = vector ? 1 : tensor.cols();
        Shape shape = vector ? Shape.of(count) : Shape.of(count, width);
        long row = tensor.dtype().bytes(width);
        return new Tensor(tensor.name(), tensor.dtype(), shape, part(tensor.storage(), from * row, count * row));
    }

    @Override
    public final Tensor allocate(String name, DType dtype, Shape shape) {
        return tensor(name, dtype, shape, null, alone(dtype.bytes(shape.size())));
    }

    /// As `allocate`, at the beginning of a chunk that holds nothing else.
    public final Tensor allocateAlone(String name, DType dtype, Shape shape) {
        return tensor(name, dtype, shape, null, true);
    }

    @Override
    public final Tensor allocate(String name, Quantization quantization, Shape shape) {
        return tensor(name, quantization.dtype(), shape, scales(name, quantization, shape, this::allocate), false);
    }

    /// Makes a tensor of undefined content.
    @FunctionalInterface
    protected interface Allocator {
        Tensor allocate(String name, DType dtype, Shape shape);
    }

    /// The scales of a quantized tensor of that name and shape.
    protected static Scales scales(String name, Quantization quantization, Shape shape, Allocator allocator) {
        int blocks = quantization.blocks(name, shape);
        boolean nested = quantization.nested();
        Tensor absmax = allocator.allocate(name + ".absmax", nested ? DType.U8 : DType.F32, Shape.of(blocks));
        if (!nested) return new Scales(absmax, null);
        Shape factors = Shape.of(Quantization.nestedSize(blocks));
        return new Scales(absmax, allocator.allocate(name + ".nested", DType.F32, factors));
    }

    private Tensor tensor(String name, DType dtype, Shape shape, Scales scales, boolean alone) {
        long bytes = dtype.bytes(shape.size());
        MemoryPool.Block block = pool.allocate(bytes, alone);
        Tensor tensor = new Tensor(name, dtype, shape, storage(block.chunk(), block.offset(), bytes), scales);
        live.put(tensor, block);
        return tensor;
    }

    /// Takes a chunk of so many bytes now, for tensors to come.
    protected final void reserveChunk(long bytes) {
        pool.reserve(bytes);
    }

    @Override
    public final void restore(Tensor tensor) {
        if (!(tensor.storage() instanceof Storage.Released)) throw new IllegalStateException(tensor + " was not released");
        MemoryPool.Block block = pool.allocate(tensor.byteSize(), alone(tensor.byteSize()));
        tensor.setStorage(storage(block.chunk(), block.offset(), tensor.byteSize()));
        live.put(tensor, block);
    }

    @Override
    public void release(Tensor tensor) {
        MemoryPool.Block block = live.remove(tensor);
        if (block == null) {
            throw new IllegalStateException(tensor + " was not allocated by this " + name()
                    + " or was released before");
        }
        pool.release(block);
        tensor.setStorage(new Storage.Released());
        if (tensor.scales() != null) tensor.scales().tensors().forEach(this::release);
    }

    @Override
    public final MemoryUse memory() {
        return new MemoryUse(pool.liveBytes(), pool.peakLiveBytes(), pool.reservedBytes(), hostBytes());
    }

    /// Of `MemoryUse`.
    protected long hostBytes() {
        return 0;
    }

    @Override
    public final void resetPeak() {
        pool.resetPeak();
    }
}
