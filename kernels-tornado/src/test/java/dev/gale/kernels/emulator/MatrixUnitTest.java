package dev.gale.kernels.emulator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.BFloat16;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/// Tiles multiplied by a warp equal double dot products, whichever way the operands were loaded.
class MatrixUnitTest {
    private static final int M = 16;
    private static final int N = 8;
    private static final int K = 32;

    /// `C = A B` for A [16, 32] and B [32, 8]; two ints hold what two products need. A's tile has rows of 32 bytes, B's
    /// is two blocks of eight rows of 16 bytes.
    static void plain(KernelContext ctx, FloatArray c, IntArray a, IntArray b, boolean bf16) {
        int[] aTile = ctx.allocateIntLocalArray(256);
        int[] bTile = ctx.allocateIntLocalArray(128);
        int lane = ctx.localIdx;
        for (int i = lane; i < 256; i += 32) aTile[i] = a.get(i / 8 % 16 * 16 + i / 128 * 8 + i % 8);
        for (int i = lane; i < 128; i += 32) bTile[i] = b.get(i);
        ctx.localBarrier();
        float[] sum = ctx.mmaFragment(0f);
        HalfFloat[] a0 = ctx.mmaLoadA(aTile, 16);
        HalfFloat[] b0 = ctx.mmaLoadB(bTile, 16);
        HalfFloat[] a1 = ctx.mmaLoadA(aTile, 16, 512);
        HalfFloat[] b1 = ctx.mmaLoadB(bTile, 16, 256);
        if (bf16) {
            sum = ctx.mmaBF16(a0, b0, sum, MMAShape.M16N8K16);
            sum = ctx.mmaBF16(a1, b1, sum, MMAShape.M16N8K16);
        } else {
            sum = ctx.mma(a0, b0, sum, MMAShape.M16N8K16);
            sum = ctx.mma(a1, b1, sum, MMAShape.M16N8K16);
        }
        ctx.mmaStore(sum, c, 0, 0, N);
    }

    /// The same with A's 8x8 matrices one after the other, found through an offset of each lane, and with `B^T` [8, 32]
    /// loaded as if it were an A.
    static void perLane(KernelContext ctx, FloatArray c, IntArray a, IntArray bT) {
        int[] aTile = ctx.allocateIntLocalArray(256);
        int[] bTile = ctx.allocateIntLocalArray(128);
        int lane = ctx.localIdx;
        for (int i = lane; i < 256; i += 32) {
            int matrix = i / 32 % 4;
            int row = (matrix & 1) * 8 + i / 4 % 8;
            aTile[i] = a.get(row * 16 + i / 128 * 8 + (matrix >> 1) * 4 + i % 4);
        }
        for (int i = lane; i < 128; i += 32) bTile[i] = bT.get(i);
        ctx.localBarrier();
        int fixed = (((lane >> 3 & 1) << 3) + (lane & 7)) * 32 + (lane >> 4) * 16;
        int row = (lane & 7) * K * 2 + (lane >> 3 & 1) * 16;
        float[] sum = ctx.mmaFragment(0f);
        for (int k = 0; k < 2; k++) {
            HalfFloat[] left = ctx.mmaLoadA(aTile, 16, (lane << 4) - fixed + k * 512);
            HalfFloat[] right = ctx.mmaLoadA(bTile, 16, row - fixed + k * 32);
            sum = ctx.mmaBF16(left, right, sum, MMAShape.M16N8K16);
        }
        ctx.mmaStore(sum, c, 0, 0, N);
    }

    /// The accumulator goes to local memory, where each lane finds its own four elements again: at x, x + 1, x + 72 and
    /// x + 73, whatever the lane, with an offset for each.
    static void throughLocalMemory(KernelContext ctx, FloatArray c, IntArray a, IntArray b) {
        int[] aTile = ctx.allocateIntLocalArray(256);
        int[] bTile = ctx.allocateIntLocalArray(128);
        float[] shared = ctx.allocateFloatLocalArray(4 + 144);
        FloatArray target = (FloatArray) (Object) shared;
        int lane = ctx.localIdx;
        for (int i = lane; i < 128; i += 32) aTile[i] = a.get(i / 8 * 16 + i % 8);
        for (int i = lane; i < 64; i += 32) bTile[i] = b.get(i);
        ctx.localBarrier();
        float[] sum = ctx.mmaFragment(0f);
        sum = ctx.mmaBF16(ctx.mmaLoadA(aTile, 16, 0), ctx.mmaLoadB(bTile, 16, 0), sum, MMAShape.M16N8K16);
        int x = 2 * lane + (lane >> 4);
        ctx.mmaStore(sum, target, 0, x - (lane >> 2) * 9 - (lane & 3) * 2, 9);
        int at = (lane >> 2) * N + (lane & 3) * 2;
        c.set(at, shared[4 + x]);
        c.set(at + 1, shared[4 + x + 1]);
        c.set(at + 8 * N, shared[4 + x + 72]);
        c.set(at + 8 * N + 1, shared[4 + x + 73]);
    }

    /// Half of the lanes leave the product out.
    static void halfAProduct(KernelContext ctx, FloatArray c, boolean store) {
        int[] tile = ctx.allocateIntLocalArray(128);
        for (int i = ctx.localIdx; i < 128; i += 32) tile[i] = 0;
        ctx.localBarrier();
        HalfFloat[] a = ctx.mmaLoadA(tile, 16);
        HalfFloat[] b = ctx.mmaLoadB(tile, 16);
        float[] sum = ctx.mmaFragment(0f);
        if (ctx.localIdx < 16) sum = ctx.mmaBF16(a, b, sum, MMAShape.M16N8K16);
        if (store) ctx.mmaStore(sum, c, 0, 0, N);
    }

    static void load(KernelContext ctx, FloatArray c, int byteOffset) {
        int[] tile = ctx.allocateIntLocalArray(256);
        for (int i = ctx.localIdx; i < 256; i += 32) tile[i] = 0;
        ctx.localBarrier();
        HalfFloat[] a = ctx.mmaLoadA(tile, 16, byteOffset);
        c.set(ctx.localIdx, a.length);
    }

    private static float[] random(int n, long seed) {
        Random random = new Random(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) values[i] = BFloat16.bf16ToFloat(BFloat16.bf16FromFloat(random.nextFloat() - 0.5f));
        return values;
    }

    private static IntArray pack(float[] values, boolean bf16) {
        IntArray packed = new IntArray(values.length / 2);
        for (int i = 0; i < packed.getSize(); i++) {
            packed.set(i, bits(values[2 * i], bf16) | bits(values[2 * i + 1], bf16) << 16);
        }
        return packed;
    }

    private static int bits(float value, boolean bf16) {
        return (bf16 ? BFloat16.bf16FromFloat(value) : Float.floatToFloat16(value)) & 0xffff;
    }

    private static float[] transpose(float[] b) {
        float[] transposed = new float[b.length];
        for (int k = 0; k < K; k++) for (int n = 0; n < N; n++) transposed[n * K + k] = b[k * N + n];
        return transposed;
    }

    private static void assertProduct(float[] a, float[] b, FloatArray c) {
        for (int m = 0; m < M; m++) {
            for (int n = 0; n < N; n++) {
                double sum = 0;
                for (int k = 0; k < K; k++) sum += (double) a[m * K + k] * b[k * N + n];
                assertEquals(sum, c.get(m * N + n), 1e-6, "row " + m + ", column " + n);
            }
        }
    }

    @Test
    void productOfTiles() {
        float[] a = random(M * K, 1);
        float[] b = random(K * N, 2);
        for (boolean bf16 : new boolean[] {true, false}) {
            FloatArray c = new FloatArray(M * N);
            IntArray left = pack(a, bf16);
            IntArray right = pack(b, bf16);
            KernelEmulator.grid(32).group(32).run(ctx -> plain(ctx, c, left, right, bf16));
            assertProduct(a, b, c);
        }
    }

    @Test
    void lanesMayNameAnyRow() {
        float[] a = random(M * K, 3);
        float[] b = random(K * N, 4);
        FloatArray c = new FloatArray(M * N);
        IntArray left = pack(a, true);
        IntArray right = pack(transpose(b), true);
        KernelEmulator.grid(32).group(32).run(ctx -> perLane(ctx, c, left, right));
        assertProduct(a, b, c);
    }

    @Test
    void accumulatorsMayGoToLocalMemory() {
        float[] a = random(M * K, 5);
        float[] b = random(K * N, 6);
        for (int m = 0; m < M; m++) for (int k = 16; k < K; k++) a[m * K + k] = 0;
        FloatArray c = new FloatArray(M * N);
        IntArray left = pack(a, true);
        IntArray right = pack(b, true);
        KernelEmulator.grid(32).group(32).run(MatrixUnitTest.class, "throughLocalMemory", c, left, right);
        assertProduct(a, b, c);
    }

    @Test
    void rowsLieWithinTheTileAtMultiplesOfSixteenBytes() {
        FloatArray c = new FloatArray(32);
        assertFault(ctx -> load(ctx, c, 8), "which is not a multiple of 16");
        assertFault(ctx -> load(ctx, c, 528), "reads 16 bytes at byte 1024 of a local array of 1024 bytes");
        assertFault(ctx -> load(ctx, c, -16), "at byte -16");
    }

    @Test
    void everyLaneTakesPartInAProduct() {
        FloatArray c = new FloatArray(M * N);
        assertFault(ctx -> halfAProduct(ctx, c, true), "thread (0, 0, 0) waits at mmaStore, MatrixUnitTest.java:");
        assertFault(ctx -> halfAProduct(ctx, c, false), "mma number 1 of a warp was reached by 16 of its 32 lanes");
    }

    private static void assertFault(Consumer<KernelContext> kernel, String part) {
        KernelFault fault = assertThrows(KernelFault.class, () -> KernelEmulator.grid(32).group(32).run(kernel));
        assertTrue(fault.getMessage().contains(part), fault.getMessage());
    }
}
