package dev.gale.kernels.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Words come back as they went, whatever the size of the array between, and those beside them stay.
class StagingTest {
    private static final int ROOM = 80_000;
    private static final int FIRST = 5;

    @ParameterizedTest
    @ValueSource(ints = {1, 1024, 1025, 1 << 14, (1 << 14) + 1, 70_001})
    void wordsComeBack(int count) {
        int[] before = new Random(1).ints(ROOM).toArray();
        int[] words = new Random(2).ints(count).toArray();
        DeviceLink link = DeviceLink.of(new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false));
        DeviceChunk chunk = link.chunk(0, 4L * ROOM);
        try {
            link.upload(chunk, 0, MemorySegment.ofArray(before));
            link.upload(chunk, FIRST, MemorySegment.ofArray(words));
            int[] back = new int[count];
            link.download(chunk, FIRST, MemorySegment.ofArray(back));
            assertArrayEquals(words, back);
            int[] all = new int[ROOM];
            link.download(chunk, 0, MemorySegment.ofArray(all));
            System.arraycopy(words, 0, before, FIRST, count);
            assertArrayEquals(before, all);
        } finally {
            link.close();
            chunk.close();
        }
    }
}
