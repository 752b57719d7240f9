package dev.gale.tensor;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import java.util.function.LongConsumer;

/// Hands out blocks of chunks of memory: best fit, split on allocation, merged with free neighbours on release.
///
/// It knows memory only as (chunk, offset), so the same decisions are made with real memory behind it and with none:
/// equal sequences of requests give equal blocks and equal `reservedBytes`. Not thread-safe.
public final class MemoryPool {
    /// Offsets and sizes of blocks are multiples of this.
    public static final long ALIGNMENT = 64;
    /// Batches of a run have many sizes: a chunk of its own is as large again, at most, as what it is given to.
    private static final long MOST_WASTE = 2;
    /// Smallest chunk on the host.
    public static final long CHUNK_BYTES = 16L << 20;

    private final long chunkBytes;
    private final LongConsumer grow;
    private final TreeSet<Block> free = new TreeSet<>(Block.BY_SIZE);
    private final TreeSet<Block> freeAlone = new TreeSet<>(Block.BY_SIZE);
    private final List<Chunk> chunks = new ArrayList<>();
    private long live;
    private long peakLive;
    private long reserved;

    /// @param chunkBytes smallest chunk; a larger request gets a chunk of its own size
    /// @param grow takes the size of each new chunk and provides it; chunks are numbered from 0 in order of these calls
    public MemoryPool(long chunkBytes, LongConsumer grow) {
        this.chunkBytes = chunkBytes;
        this.grow = grow;
    }

    /// @param alone whether it was made for a block that begins it
    private record Chunk(long bytes, boolean alone) {}

    /// Part of a chunk, good for one release.
    public static final class Block {
        private static final Comparator<Block> BY_SIZE = Comparator.comparingLong(Block::bytes)
                .thenComparingInt(Block::chunk).thenComparingLong(Block::offset);

        private final MemoryPool pool;
        private final int chunk;
        private final long offset;
        private final long bytes;
        private Block before;             // neighbours in the chunk
        private Block after;
        private boolean live;

        private Block(MemoryPool pool, int chunk, long offset, long bytes) {
            this.pool = pool;
            this.chunk = chunk;
            this.offset = offset;
            this.bytes = bytes;
        }

        public int chunk() {
            return chunk;
        }

        public long offset() {
            return offset;
        }

        /// The size that was asked for, rounded up to the alignment, at least one unit; alone, that of the chunk.
        public long bytes() {
            return bytes;
        }
    }

    /// A block of at least this many bytes, of undefined content.
    public Block allocate(long bytes) {
        return allocate(bytes, false);
    }

    /// @param alone whether the block shall be a chunk of its own. Other requests get a part of it, while it is free, only
    ///              where a new chunk would be needed else, which would be half as large at least
    public Block allocate(long bytes, boolean alone) {
        if (bytes < 0) throw new IllegalArgumentException("cannot allocate " + bytes + " bytes");
        long rounded = Math.max(ALIGNMENT, Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT);
        Block found = alone ? freeChunk(rounded) : freePart(rounded);
        if (found == null) found = newChunk(alone ? rounded : Math.max(chunkBytes, rounded), alone);
        if (alone) rounded = found.bytes;
        Block block = new Block(this, found.chunk, found.offset, rounded);
        block.live = true;
        join(found.before, block);
        if (found.bytes == rounded) {
            join(block, found.after);
        } else {
            Block rest = new Block(this, found.chunk, found.offset + rounded, found.bytes - rounded);
            join(block, rest);
            join(rest, found.after);
            free.add(rest);
        }
        live += rounded;
        peakLive = Math.max(peakLive, live);
        return block;
    }

    /// Takes a chunk of this size, rounded up, now: blocks to come are cut from it.
    public void reserve(long bytes) {
        free.add(newChunk(Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT, false));
    }

    /// A part of a chunk, or of one that is for single blocks and free, before a new one is made.
    private Block freePart(long bytes) {
        Block wanted = new Block(this, -1, 0, bytes);
        Block found = free.ceiling(wanted);
        if (found != null) {
            free.remove(found);
            return found;
        }
        Block whole = freeAlone.ceiling(wanted);
        if (whole == null || whole.bytes > MOST_WASTE * Math.max(chunkBytes, bytes)) return null;
        freeAlone.remove(whole);
        return whole;
    }

    /// A chunk of its own, or one of which nothing is in use, not much larger than that.
    private Block freeChunk(long bytes) {
        Block wanted = new Block(this, -1, 0, bytes);
        Block found = freeAlone.ceiling(wanted);
        if (found != null && found.bytes <= MOST_WASTE * bytes) {
            freeAlone.remove(found);
            return found;
        }
        for (Block block : free.tailSet(wanted)) {
            if (block.bytes > MOST_WASTE * bytes) break;
            if (block.bytes != chunks.get(block.chunk).bytes) continue;
            free.remove(block);
            return block;
        }
        return null;
    }

    private Block newChunk(long bytes, boolean alone) {
        grow.accept(bytes);
        reserved += bytes;
        chunks.add(new Chunk(bytes, alone));
        return new Block(this, chunks.size() - 1, 0, bytes);
    }

    /// Back to where its chunk is looked for.
    private void addFree(Block block) {
        Chunk chunk = chunks.get(block.chunk);
        if (chunk.alone && block.bytes == chunk.bytes) freeAlone.add(block);
        else free.add(block);
    }

    private static void join(Block before, Block after) {
        if (before != null) before.after = after;
        if (after != null) after.before = before;
    }

    /// Gives a block back.
    /// Throws: IllegalStateException when it is another pool's or was released before.
    public void release(Block block) {
        if (block.pool != this) throw new IllegalStateException("this block belongs to another memory pool");
        if (!block.live) throw new IllegalStateException("this block was released before");
        block.live = false;
        live -= block.bytes;
        Block first = isFree(block.before) ? block.before : block;
        Block last = isFree(block.after) ? block.after : block;
        if (first != block) free.remove(first);
        if (last != block) free.remove(last);
        Block merged = new Block(this, block.chunk, first.offset, last.offset + last.bytes - first.offset);
        join(first.before, merged);
        join(merged, last.after);
        addFree(merged);
    }

    private static boolean isFree(Block block) {
        return block != null && !block.live;
    }

    /// Bytes of blocks that are not released.
    public long liveBytes() {
        return live;
    }

    /// Highest `liveBytes` since the last `resetPeak`.
    public long peakLiveBytes() {
        return peakLive;
    }

    /// Bytes of all chunks, whether in use or kept for reuse.
    public long reservedBytes() {
        return reserved;
    }

    public void resetPeak() {
        peakLive = live;
    }
}
