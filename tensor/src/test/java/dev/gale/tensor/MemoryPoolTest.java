package dev.gale.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MemoryPoolTest {
    private final List<Long> chunks = new ArrayList<>();
    private final MemoryPool pool = new MemoryPool(MemoryPool.CHUNK_BYTES, chunks::add);

    @Test
    void randomUseNeverOverlapsAndEndsWithOneFreeBlockPerChunk() {
        Random random = new Random(7);
        List<MemoryPool.Block> live = new ArrayList<>();
        long expectedLive = 0;
        long expectedPeak = 0;
        for (int i = 0; i < 4000; i++) {
            if (random.nextInt(5) < 2 && !live.isEmpty()) {
                MemoryPool.Block block = live.remove(random.nextInt(live.size()));
                expectedLive -= block.bytes();
                pool.release(block);
            } else {
                long bytes = i % 100 == 0 ? 20L << 20 : random.nextInt(200_000);
                MemoryPool.Block block = pool.allocate(bytes);
                assertTrue(block.bytes() >= bytes && block.bytes() < bytes + 2 * MemoryPool.ALIGNMENT);
                assertEquals(0, block.offset() % MemoryPool.ALIGNMENT);
                assertTrue(block.offset() + block.bytes() <= chunks.get(block.chunk()));
                expectedLive += block.bytes();
                expectedPeak = Math.max(expectedPeak, expectedLive);
                live.add(block);
            }
        }
        assertDisjoint(live);
        assertEquals(expectedLive, pool.liveBytes());
        assertEquals(expectedPeak, pool.peakLiveBytes());
        live.forEach(pool::release);
        assertEquals(0, pool.liveBytes());
        long reserved = pool.reservedBytes();
        assertEquals(chunks.stream().mapToLong(Long::longValue).sum(), reserved);
        for (long chunk : chunks) pool.allocate(chunk);              // each whole chunk is one block again
        assertEquals(reserved, pool.reservedBytes());
    }

    private static void assertDisjoint(List<MemoryPool.Block> blocks) {
        List<MemoryPool.Block> sorted = new ArrayList<>(blocks);
        sorted.sort((a, b) -> a.chunk() != b.chunk() ? a.chunk() - b.chunk() : Long.compare(a.offset(), b.offset()));
        for (int i = 1; i < sorted.size(); i++) {
            MemoryPool.Block before = sorted.get(i - 1);
            MemoryPool.Block after = sorted.get(i);
            if (before.chunk() == after.chunk()) assertTrue(before.offset() + before.bytes() <= after.offset());
        }
    }

    @Test
    void blocksAloneAreChunksAndComeBackToRequestsOfAboutTheirSize() {
        MemoryPool apart = new MemoryPool(1024, chunks::add);
        MemoryPool.Block large = apart.allocate(4096, true);
        apart.release(large);
        assertEquals(1, apart.allocate(64).chunk());                  // not cut from the large one
        assertEquals(2, apart.allocate(8192, true).chunk());
        MemoryPool.Block again = apart.allocate(4096, true);
        assertEquals(0, again.chunk());
        assertEquals(0, again.offset());
        apart.release(again);
        assertEquals(0, apart.allocate(2048, true).chunk());          // half of it is not too little
        assertEquals(3, apart.allocate(1984, true).chunk());
        assertEquals(List.of(4096L, 1024L, 8192L, 1984L), chunks);
    }

    @Test
    void reservedBytesAreUsedBeforeNewChunks() {
        pool.reserve(100);
        assertEquals(List.of(128L), chunks);
        assertEquals(0, pool.allocate(128).chunk());
        assertEquals(1, pool.allocate(64).chunk());
    }

    @Test
    void theSmallestFreeBlockThatFitsIsTaken() {
        MemoryPool.Block large = pool.allocate(4096);
        pool.allocate(64);
        MemoryPool.Block small = pool.allocate(1024);
        pool.allocate(64);
        pool.release(large);
        pool.release(small);
        assertEquals(small.offset(), pool.allocate(1000).offset());
        assertEquals(large.offset(), pool.allocate(1000).offset());
    }

    @Test
    void aBlockIsReleasedOnceAndByItsOwnPoolOnly() {
        MemoryPool.Block block = pool.allocate(0);
        assertEquals(MemoryPool.ALIGNMENT, pool.liveBytes());
        assertThrows(IllegalStateException.class, () -> new MemoryPool(MemoryPool.CHUNK_BYTES, bytes -> {}).release(block));
        pool.release(block);
        assertThrows(IllegalStateException.class, () -> pool.release(block));
        MemoryPool.Block again = pool.allocate(0);                   // same place, another block
        assertEquals(block.offset(), again.offset());
        assertThrows(IllegalStateException.class, () -> pool.release(block));
        assertThrows(IllegalArgumentException.class, () -> pool.allocate(-1));
    }

    @Test
    void aChunkThatCannotBeProvidedLeavesThePoolAsItWas() {
        MemoryPool poor = new MemoryPool(MemoryPool.CHUNK_BYTES, bytes -> {
            if (bytes > MemoryPool.CHUNK_BYTES) throw new OutOfMemoryError("no more");
        });
        assertThrows(OutOfMemoryError.class, () -> poor.allocate(1L << 30));
        assertEquals(0, poor.reservedBytes());
        assertEquals(0, poor.liveBytes());
        assertEquals(0, poor.allocate(10).chunk());
    }

    @Test
    void peakFollowsResetPeak() {
        MemoryPool.Block block = pool.allocate(6400);
        pool.release(block);
        assertEquals(6400, pool.peakLiveBytes());
        pool.resetPeak();
        assertEquals(0, pool.peakLiveBytes());
    }
}
