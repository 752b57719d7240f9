package dev.gale.kernels.runtime;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Checks;
import dev.gale.tensor.ops.KernelTime;
import dev.gale.tensor.ops.PooledOps;
import dev.gale.tensor.ops.Profiled;
import dev.gale.tensor.ops.WeightStream;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.quant.Scales;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/// Memory on a device and the way there and back. Operations queue launches; reading a value runs what waits. Launches run in
/// the order in which they were queued, so memory may be released, and be handed out again, while launches that use it wait.
abstract sealed class DeviceOps extends PooledOps implements Profiled permits TornadoOps {
    /// Elements of BF16 are counted with an int.
    private static final long MOST_CHUNK_BYTES = (1L << 32) - (1L << 20);
    /// Embeddings and logits get chunks of their own: a library that takes whole buffers only works on them where they are.
    private static final long ALONE_BYTES = 384L << 20;
    /// So do the widest activations; not those that a layer keeps until backward, since the chunks of tensors are compiled in
    /// and a layer shall be like the next.
    private static final long ALONE_ACTIVATION_BYTES = 96L << 20;
    private static final int LONG = 1 << 14;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

    private final DeviceLink link;
    private final DType activationType;
    private final List<DeviceChunk> chunks = new ArrayList<>();
    private final Ranges ranges = new Ranges();
    private final OperandCopies copies = new OperandCopies(this);
    private long kept;                               // bytes that were reserved and not yet taken
    private final HostMemory hostMemory;
    private final Offload offload;
    private final Set<Tensor> waiting = new HashSet<>(); // from `allocateOnHost`
    private HostTransfers transfers;                 // null until something is offloaded
    private boolean closed;

    /// @param activationType F32, BF16 or F16
    /// @param chunkBytes     smallest chunk of device memory to take at once
    DeviceOps(DeviceLink link, DType activationType, long chunkBytes) {
        super(chunkBytes);
        this.link = link;
        this.activationType = activationType;
        hostMemory = new HostMemory(this::transfers);
        offload = new Offload(this, hostMemory);
    }

    /// A device's context comes with its first memory.
    final HostTransfers transfers() {
        if (transfers == null) {
            if (chunks.isEmpty()) release(allocate("first", DType.F32, Shape.of(1)));
            transfers = link.transfers();
        }
        return transfers;
    }

    /// Runs all that is queued.
    final void flush() {
        ranges.flush();
        link.run();
    }

    /// Queues a kernel.
    final void launch(String kernel, Grid grid, List<Number> constants, Launch.Task task, Tensor... operands) {
        ranges.flush();
        for (Tensor operand : operands) copies.touched(operand);
        link.launch(new Launch(kernel, grid, constants, List.of(operands).stream().map(Launch.Operand::of).toList(), task));
    }

    final OperandCopies copies() {
        return copies;
    }

    /// As `launch`, for work on n elements that may be joined with the same work on what lies behind them.
    final void launchRange(String kernel, List<Number> constants, int n, int ranged, Ranges.Work work, Tensor... operands) {
        int[] each = new int[ranged];
        Arrays.fill(each, 1);
        ranges.add(kernel, constants, n, each, work, operands);
    }

    /// As `launchRange`, where an element of operand i belongs to `each[i]` of the n and the largest of these make a block.
    final void launchBlocks(String kernel, int n, int[] each, Ranges.Work work, Tensor... operands) {
        ranges.add(kernel, List.of(), n, each, work, operands);
    }

    @Override
    public final boolean onHost() {
        return false;
    }

    @Override
    public final void border() {
        ranges.flush();
        copies.clear();
        link.run();
    }

    @Override
    public final void offload(Tensor tensor) {
        offload.offload(tensor);
    }

    @Override
    public final void evict(Tensor tensor) {
        offload.evict(tensor);
    }

    @Override
    public final void prefetch(Tensor tensor) {
        offload.prefetch(tensor);
    }

    @Override
    public final void fetch(Tensor tensor) {
        offload.fetch(tensor);
    }

    @Override
    public final WeightStream stream(List<List<Tensor>> pieces) {
        return pieces.isEmpty() ? WeightStream.NONE : new SlotStream(this, pieces);
    }

    @Override
    public final Tensor allocateOnHost(String name, DType dtype, Shape shape) {
        return onHost(name, dtype, shape, null);
    }

    @Override
    public final Tensor allocateOnHost(String name, Quantization quantization, Shape shape) {
        return onHost(name, quantization.dtype(), shape, scales(name, quantization, shape, this::allocateOnHost));
    }

    /// Its room is never given to others: weights stay as long as their model.
    private Tensor onHost(String name, DType dtype, Shape shape, Scales scales) {
        long bytes = Math.ceilDiv(dtype.bytes(shape.size()), 4L) * 4;
        MemorySegment memory = hostMemory.take(bytes).first(bytes);
        Tensor tensor = new Tensor(name, dtype, shape, memory == null ? new Storage.None() : new Storage.Host(memory), scales);
        waiting.add(tensor);
        return tensor;
    }

    /// Whether it waits where this device does not compute, or in a plan would.
    static boolean isOnHost(Tensor tensor) {
        return tensor.storage() instanceof Storage.Host || tensor.storage() instanceof Storage.None;
    }

    /// As `gatherRows`, of a table in host memory: only the rows that are asked for travel.
    final void gatherFromHost(Tensor y, Tensor table, Tensor ids) {
        int[] rows = toInts(ids);
        long bytes = Math.ceilDiv(y.byteSize(), 4L) * 4;
        HostMemory.Room room = hostMemory.take(bytes);
        copies.touched(y);
        DeviceStorage place = DeviceStorage.of(y);
        if (table.storage() instanceof Storage.Host(MemorySegment from)) {
            Tensor gathered = new Tensor(y.name(), y.dtype(), y.shape(), new Storage.Host(room.memory()));
            HostRows.gather(gathered, new Tensor(table.name(), table.dtype(), table.shape(), new Storage.Host(from)), rows);
        }
        transfers().up(place.chunk(), place.offset(), room.first(bytes)).await();
        hostMemory.give(room);
    }

    @Override
    protected final long hostBytes() {
        return hostMemory.bytes();
    }

    @Override
    public final long usedBytes() {
        return link.usedBytes();
    }

    @Override
    public final List<KernelTime> takeKernelTimes() {
        return link.takeKernelTimes();
    }

    @Override
    public final boolean computes() {
        return link.computes();
    }

    @Override
    public final DType activationType() {
        return activationType;
    }

    /// The next of 64, 96, 128, 192, 256 and so on: half as many kernels more than powers of two, a sixth of the rows in vain
    /// on average. Long ones grow by an eighth of a power of two.
    @Override
    public final int batchRows(int tokens) {
        int power = Math.max(64, Integer.highestOneBit(tokens));
        if (tokens > LONG) return Math.ceilDiv(tokens, power / 8) * (power / 8);
        if (tokens <= power) return power;
        return tokens <= power + power / 2 ? power + power / 2 : 2 * power;
    }

    @Override
    public final long scratchBytes() {
        return 256L << 20;
    }

    @Override
    public final void release(Tensor tensor) {
        if (waiting.remove(tensor)) {
            tensor.setStorage(new Storage.Released());
            if (tensor.scales() != null) tensor.scales().tensors().forEach(this::release);
        } else if (!offload.forget(tensor)) {
            giveMemoryBack(tensor);
        }
    }

    /// As `release`, of a tensor that lives on, or of which nobody else knows.
    final void giveMemoryBack(Tensor tensor) {
        if (tensor.storage() instanceof DeviceStorage) copies.touched(tensor);
        super.release(tensor);
    }

    @Override
    protected final boolean alone(long bytes) {
        if (bytes >= ALONE_BYTES) return true;
        if (kept == 0) return bytes >= ALONE_ACTIVATION_BYTES;
        kept = Math.max(0, kept - bytes);
        return false;
    }

    @Override
    public final void reserve(long bytes) {
        kept += bytes;
        for (long left = bytes; left > 0; left -= MOST_CHUNK_BYTES) reserveChunk(Math.min(left, MOST_CHUNK_BYTES));
    }

    @Override
    protected final void grow(long bytes) {
        if (bytes > MOST_CHUNK_BYTES) {
            throw new InputException("a tensor of %,d bytes is larger than the %,d that a kernel can reach; use smaller batches"
                    .formatted(bytes, MOST_CHUNK_BYTES));
        }
        chunks.add(link.chunk(chunks.size(), bytes));
    }

    @Override
    protected final Storage storage(int chunk, long offset, long bytes) {
        return new DeviceStorage(chunks.get(chunk), offset);
    }

    @Override
    protected final Storage part(Storage whole, long offset, long bytes) {
        if (whole instanceof DeviceStorage place) return new DeviceStorage(place.chunk(), place.offset() + offset);
        throw new IllegalStateException("these bytes do not lie on this device");
    }

    @Override
    public Tensor place(Tensor tensor) {
        if (tensor.storage() instanceof DeviceStorage) return tensor;
        Tensor placed = tensor.scales() == null ? allocate(tensor.name(), tensor.dtype(), tensor.shape())
                : allocate(tensor.name(), Quantization.of(tensor), tensor.shape());
        uploadAll(placed, tensor);
        return placed;
    }

    /// Writes `dst =` src, which is in host memory, with its scales.
    final void uploadAll(Tensor dst, Tensor src) {
        if (src.storage() instanceof Storage.None) return;                              // a plan
        upload(dst, src.segment());
        if (src.scales() == null) return;
        upload(dst.scales().absmax(), src.scales().absmax().segment());
        if (src.scales().nested() != null) upload(dst.scales().nested(), src.scales().nested().segment());
    }

    @Override
    public void write(Tensor dst, long at, float[] values) {
        Checks.write(dst, at, values.length);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate((long) values.length * dst.dtype().bytes(), 8);
            for (int i = 0; i < values.length; i++) Convert.set(bytes, dst.dtype(), i, values[i]);
            upload(dst, at * dst.dtype().bytes(), bytes);
        }
    }

    @Override
    public void write(Tensor dst, int[] values) {
        Checks.write(dst, values.length, false);
        upload(dst, 0, MemorySegment.ofArray(values));
    }

    /// Writes all bytes of a tensor.
    final void upload(Tensor dst, MemorySegment bytes) {
        upload(dst, 0, bytes.asSlice(0, dst.byteSize()));
    }

    /// Writes bytes from a byte of a tensor on: whole words directly, the rest of a word after reading it.
    private void upload(Tensor dst, long from, MemorySegment bytes) {
        if (bytes.byteSize() == 0) return;
        ranges.flush();
        copies.touched(dst);
        DeviceStorage storage = DeviceStorage.of(dst);
        long first = from / 4 * 4;
        long end = Math.ceilDiv(from + bytes.byteSize(), 4L) * 4;
        if (first == from && end == from + bytes.byteSize()) {
            link.upload(storage.chunk(), storage.word(first), bytes);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment words = arena.allocate(end - first, 8);
            link.download(storage.chunk(), storage.word(first), words.asSlice(0, 4));
            link.download(storage.chunk(), storage.word(end - 4), words.asSlice(end - first - 4, 4));
            MemorySegment.copy(bytes, 0, words, from - first, bytes.byteSize());
            link.upload(storage.chunk(), storage.word(first), words);
        }
    }

    final MemorySegment download(Tensor src, Arena arena) {
        if (src.storage() instanceof Storage.Host(MemorySegment bytes)) return bytes;
        ranges.flush();
        MemorySegment words = arena.allocate(Math.ceilDiv(src.byteSize(), 4L) * 4, 8);
        DeviceStorage storage = DeviceStorage.of(src);
        if (words.byteSize() > 0) link.download(storage.chunk(), storage.word(0), words);
        return words;
    }

    @Override
    public void writeBytes(Tensor dst, MemorySegment bytes) {
        Checks.bytes("writeBytes", dst, bytes.byteSize());
        if (dst.storage() instanceof Storage.Host(MemorySegment memory)) memory.copyFrom(bytes);
        else if (!isOnHost(dst)) upload(dst, 0, bytes);
    }

    @Override
    public void readBytes(MemorySegment bytes, Tensor src) {
        Checks.bytes("readBytes", src, bytes.byteSize());
        if (isOnHost(src)) {
            if (src.storage() instanceof Storage.Host(MemorySegment memory)) {
                bytes.copyFrom(memory.asSlice(0, bytes.byteSize()));
            }
            return;
        }
        if (bytes.byteSize() % 4 == 0) {
            ranges.flush();
            DeviceStorage storage = DeviceStorage.of(src);
            if (bytes.byteSize() > 0) link.download(storage.chunk(), storage.word(0), bytes);
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment.copy(download(src, arena), 0, bytes, 0, bytes.byteSize());
        }
    }

    @Override
    public float[] toFloats(Tensor src) {
        float[] values = new float[Checks.read("toFloats", src, true)];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = download(src, arena);
            for (int i = 0; i < values.length; i++) values[i] = Convert.get(bytes, src.dtype(), i);
        }
        return values;
    }

    @Override
    public int[] toInts(Tensor src) {
        int[] values = new int[Checks.read("toInts", src, false)];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment.copy(download(src, arena), INT, 0, values, 0, values.length);
        }
        return values;
    }

    @Override
    public float item(Tensor src) {
        Checks.item(src);
        return toFloats(src)[0];
    }

    @Override
    public void close() {
        if (closed) return;
        closed = true;
        if (transfers != null) transfers.close();
        link.close();
        chunks.stream().filter(Objects::nonNull).forEach(DeviceChunk::close);
    }
}
