package dev.gale.kernels.emulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.HalfFloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// Correct kernels pass with the right numbers; each planted mistake is found and named.
class KernelEmulatorTest {
    private static final int GROUP = 64;

    static void ids(KernelContext ctx, IntArray out) {
        int width = ctx.globalGroupSizeX;
        int index = (ctx.globalIdz * ctx.globalGroupSizeY + ctx.globalIdy) * width + ctx.globalIdx;
        int back = ctx.groupIdx * ctx.localGroupSizeX + ctx.localIdx;
        out.set(index, ctx.globalIdx == back ? index * 10 + ctx.localGroupSizeZ : -1);
    }

    static void reverse(KernelContext ctx, FloatArray out, FloatArray in, boolean barrier) {
        float[] tile = ctx.allocateFloatLocalArray(GROUP);
        tile[ctx.localIdx] = in.get(ctx.globalIdx);
        if (barrier) ctx.localBarrier();
        out.set(ctx.globalIdx, tile[GROUP - 1 - ctx.localIdx]);
    }

    /// The tile of the next round is written while others may still read this one.
    static void reuse(KernelContext ctx, FloatArray out, boolean barrier) {
        int[] tile = ctx.allocateIntLocalArray(GROUP);
        int sum = 0;
        for (int round = 0; round < 3; round++) {
            tile[ctx.localIdx] = ctx.localIdx * (round + 1);
            ctx.localBarrier();
            sum += tile[(ctx.localIdx + 7) % GROUP];
            if (barrier) ctx.localBarrier();
        }
        out.set(ctx.globalIdx, sum);
    }

    static void partlyWritten(KernelContext ctx, FloatArray out) {
        float[] tile = ctx.allocateFloatLocalArray(GROUP);
        if (ctx.localIdx != 5) tile[ctx.localIdx] = 1;
        ctx.localBarrier();
        out.set(ctx.globalIdx, tile[ctx.localIdx]);
    }

    static void sameElement(KernelContext ctx, FloatArray out) {
        out.set(ctx.globalIdx / 2, ctx.globalIdx);
    }

    static void earlyReturn(KernelContext ctx, FloatArray out) {
        if (ctx.localIdx >= 60) return;
        ctx.localBarrier();
        out.set(ctx.globalIdx, 1);
    }

    static void twoBarriers(KernelContext ctx, FloatArray out) {
        if (ctx.localIdx < 32) {
            ctx.localBarrier();
        } else {
            out.set(ctx.globalIdx, 2);
            ctx.localBarrier();
        }
    }

    static void barrierAgainstSum(KernelContext ctx, FloatArray out) {
        if (ctx.localIdx < 32) ctx.localBarrier();
        else out.set(ctx.globalIdx, ctx.simdSum(1));
    }

    static void halfAWarp(KernelContext ctx, FloatArray out) {
        if (ctx.localIdx % 32 < 16) out.set(ctx.globalIdx, ctx.simdSum(1));
    }

    static void outOfBounds(KernelContext ctx, FloatArray out) {
        out.set(ctx.globalIdx + 1, 0);
    }

    static void localOutOfBounds(KernelContext ctx, FloatArray out) {
        int[] tile = ctx.allocateIntLocalArray(GROUP);
        tile[ctx.localIdx + 1] = 1;
        out.set(ctx.globalIdx, 1);
    }

    static void unequalLocalArrays(KernelContext ctx, FloatArray out) {
        float[] tile = ctx.allocateFloatLocalArray(ctx.localIdx < 32 ? GROUP : 2 * GROUP);
        out.set(ctx.globalIdx, tile.length);
    }

    static void tooMuchLocalMemory(KernelContext ctx, FloatArray out) {
        float[] tile = ctx.allocateFloatLocalArray(12 * 1024 + 1);
        tile[ctx.localIdx] = 1;
        out.set(ctx.globalIdx, tile[ctx.localIdx]);
    }

    /// One sum a group.
    static void groupSum(KernelContext ctx, FloatArray out, FloatArray in) {
        float[] partial = ctx.allocateFloatLocalArray(GROUP / 32);
        float sum = ctx.simdSum(in.get(ctx.globalIdx));
        if (ctx.localIdx % 32 == 0) partial[ctx.localIdx / 32] = sum;
        ctx.localBarrier();
        if (ctx.localIdx == 0) out.set(ctx.groupIdx, partial[0] + partial[1]);
    }

    static void shuffles(KernelContext ctx, FloatArray down, FloatArray first) {
        down.set(ctx.globalIdx, ctx.simdShuffleDown(ctx.globalIdx, 3));
        first.set(ctx.globalIdx, ctx.simdBroadcastFirst(ctx.globalIdx));
    }

    static void count(KernelContext ctx, IntArray bins, FloatArray total) {
        ctx.atomicAdd(bins, ctx.globalIdx % 3, 1);
        ctx.atomicAdd(total, 0, 1f / (1 + ctx.globalIdx));
    }

    static void copyAsync(KernelContext ctx, IntArray out, HalfFloatArray in, ByteArray bytes, int left) {
        int[] tile = ctx.allocateIntLocalArray(2 * GROUP);
        ctx.asyncCopyToLocal(tile, ctx.localIdx, in, 2 * ctx.localIdx);
        ctx.asyncCopyCommit();
        ctx.asyncCopyToLocal(tile, GROUP + ctx.localIdx, bytes, 4 * ctx.localIdx);
        ctx.asyncCopyCommit();
        ctx.asyncCopyWaitGroup(left);
        ctx.localBarrier();
        out.set(2 * ctx.localIdx, tile[GROUP - 1 - ctx.localIdx]);
        out.set(2 * ctx.localIdx + 1, tile[GROUP + ctx.localIdx]);
    }

    private static FloatArray numbers(int n) {
        FloatArray array = new FloatArray(n);
        for (int i = 0; i < n; i++) array.set(i, i + 0.5f);
        return array;
    }

    private static KernelEmulator groups(int n) {
        return KernelEmulator.grid(n * GROUP).group(GROUP);
    }

    private static void assertFault(KernelEmulator grid, Consumer<KernelContext> kernel, String... parts) {
        String message = assertThrows(KernelFault.class, () -> grid.run(kernel)).getMessage();
        for (String part : parts) assertTrue(message.contains(part), "no '" + part + "' in: " + message);
    }

    @Test
    void everyThreadHasItsPlace() {
        IntArray out = new IntArray(8 * 6 * 4);
        KernelEmulator.grid(8, 6, 4).group(4, 3, 2).run(ctx -> ids(ctx, out));
        for (int i = 0; i < out.getSize(); i++) assertEquals(i * 10 + 2, out.get(i));
    }

    @Test
    void threadsOfAGroupShareItsLocalArrays() {
        FloatArray in = numbers(3 * GROUP);
        FloatArray out = new FloatArray(3 * GROUP);
        groups(3).run(ctx -> reverse(ctx, out, in, true));
        for (int i = 0; i < out.getSize(); i++) {
            assertEquals(in.get(i / GROUP * GROUP + GROUP - 1 - i % GROUP), out.get(i));
        }
        groups(3).run(ctx -> reuse(ctx, out, true));
        for (int i = 0; i < out.getSize(); i++) assertEquals((i % GROUP + 7) % GROUP * 6, out.get(i));
    }

    @Test
    void missingBarriersAreFound() {
        FloatArray in = numbers(2 * GROUP);
        FloatArray out = new FloatArray(2 * GROUP);
        assertFault(groups(2), ctx -> reverse(ctx, out, in, false), "race: ascending and descending",
                "FloatArray of 128", "has at [0] once NaN");
        assertFault(groups(2), ctx -> reuse(ctx, out, false), "race", "has at [");
    }

    @Test
    void unwrittenLocalMemoryIsFound() {
        FloatArray out = new FloatArray(GROUP);
        assertFault(groups(1), ctx -> partlyWritten(ctx, out), "reads local memory that no thread wrote", "at [5]");
    }

    private record Arrays(FloatArray out) {}

    @Test
    void arraysInFieldsAreComparedToo() {
        Arrays arrays = new Arrays(new FloatArray(GROUP));
        assertFault(groups(1), ctx -> sameElement(ctx, arrays.out()), "race", "at [0] once 1.0, once 0.0");
        assertThrows(IllegalArgumentException.class, () -> groups(1).run(ctx -> sameElement(ctx, null)));
    }

    @Test
    void racesAreFound() {
        FloatArray out = new FloatArray(GROUP);
        assertFault(groups(1), ctx -> sameElement(ctx, out), "race", "at [0] once 1.0, once 0.0");
        assertEquals(1, out.get(0), "results of the ascending order remain");
    }

    @Test
    void divergenceIsFound() {
        FloatArray out = new FloatArray(GROUP);
        assertFault(groups(1), ctx -> earlyReturn(ctx, out), "thread (0, 0, 0) waits at localBarrier",
                "KernelEmulatorTest.java", "thread (60, 0, 0) has ended");
        assertFault(groups(1), ctx -> twoBarriers(ctx, out), "divergence", "thread (0, 0, 0)", "thread (32, 0, 0)");
        assertFault(groups(1), ctx -> barrierAgainstSum(ctx, out), "thread (0, 0, 0) waits at localBarrier",
                "thread (32, 0, 0) has ended");
        assertFault(groups(1), ctx -> halfAWarp(ctx, out), "waits at simdSum", "thread (16, 0, 0) has ended");
        assertFault(KernelEmulator.grid(48).group(16), ctx -> halfAWarp(ctx, out), "no multiple of 32");
    }

    @Test
    void indicesOutOfBoundsAreFound() {
        FloatArray out = new FloatArray(GROUP);
        assertFault(groups(1), ctx -> outOfBounds(ctx, out), "thread (63, 0, 0) of group (0, 0, 0)",
                "KernelEmulatorTest.java", "IndexOutOfBounds");
        assertFault(groups(1), ctx -> localOutOfBounds(ctx, out), "thread (63, 0, 0)", "Index 64", "int[64]");
        assertFault(groups(1), ctx -> tooMuchLocalMemory(ctx, out), "49156 bytes of local memory");
        assertFault(groups(1), ctx -> unequalLocalArrays(ctx, out), "local array 0 is float[64] for other threads");
    }

    @Test
    void sumOfAGroup() {
        FloatArray in = numbers(2 * GROUP);
        FloatArray out = new FloatArray(2);
        groups(2).run(ctx -> groupSum(ctx, out, in));
        assertEquals(GROUP * GROUP / 2f, out.get(0));
        assertEquals(GROUP * GROUP * 1.5f, out.get(1));
    }

    @Test
    void lanesExchangeValues() {
        FloatArray down = new FloatArray(GROUP);
        FloatArray first = new FloatArray(GROUP);
        groups(1).run(ctx -> shuffles(ctx, down, first));
        for (int i = 0; i < GROUP; i++) {
            assertEquals(i % 32 + 3 < 32 ? i + 3 : i, down.get(i));
            assertEquals(i / 32 * 32, first.get(i));
        }
    }

    @Test
    void atomicsNeedToleranceForFloats() {
        IntArray bins = new IntArray(3);
        FloatArray total = new FloatArray(1);
        groups(3).tolerance(1e-5).run(ctx -> count(ctx, bins, total));
        assertEquals(GROUP, bins.get(2));
        bins.clear();
        total.clear();
        assertFault(groups(3), ctx -> count(ctx, bins, total), "race", "array 1");
    }

    @Test
    void asyncCopiesAreThereAfterTheWait() {
        HalfFloatArray in = new HalfFloatArray(2 * GROUP);
        ByteArray bytes = new ByteArray(4 * GROUP);
        for (int i = 0; i < 2 * GROUP; i++) in.set(i, new HalfFloat((short) (i + 1)));
        for (int i = 0; i < 4 * GROUP; i++) bytes.set(i, (byte) i);
        IntArray out = new IntArray(2 * GROUP);
        groups(1).run(ctx -> copyAsync(ctx, out, in, bytes, 0));
        for (int i = 0; i < GROUP; i++) {
            int source = 2 * (GROUP - 1 - i);
            assertEquals(source + 1 | source + 2 << 16, out.get(2 * i));
            assertEquals((byte) (4 * i + 3), (byte) (out.get(2 * i + 1) >>> 24));
        }
        assertFault(groups(1), ctx -> copyAsync(ctx, out, in, bytes, 1), "local memory that no thread wrote", "at [1]");
    }
}
