package dev.gale.kernels.mma;

import dev.gale.tensor.quant.Nf4;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Written by `MmaGenerator`: change that, not this. Tiles of 64 x 64, warps of 32 x 32, steps of 32 along k;
/// local memory holds the tiles of two steps.
public final class Nf4Backward64x64 {
    private Nf4Backward64x64() {}

    /// `sums = x w` on the matrix unit.
    /// Shapes: x `[m, k]`, BF16, seen as longs of four elements; w `[k, n]`, codes of `Nf4`,
    /// seen as shorts of four; absmax F32, one of every 64 elements of w; k a multiple of 4, n of 64; sums F32
    /// `[m up to a multiple of 64, n up to a multiple of 64]`, of no use beyond m and n. Operands in the table: sums,
    /// x, w (a quarter of the offset of its first byte), absmax.
    /// Launch: `MmaTiles.groups(m, n, 64, 64)` groups of 128 threads; 17.1 KB of local memory.
    /// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of k: an element's bits depend on its row
    /// of x, its column of op(w) and k alone. w is rounded to BF16. Writes: `=`.
    public static void nf4Backward64x64(KernelContext context, IntArray table, int slot, FloatArray sums,
            LongArray x, ShortArray w, FloatArray absmax, int m, int n, int k) {
        int[] xTile = context.allocateIntLocalArray(2048);
        int[] wTile = context.allocateIntLocalArray(2304);
        float[] values = context.allocateFloatLocalArray(16);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        float zero = pin[0];
        float[] s00 = context.mmaFragment(zero);
        float[] s01 = context.mmaFragment(zero);
        float[] s02 = context.mmaFragment(zero);
        float[] s03 = context.mmaFragment(zero);
        float[] s10 = context.mmaFragment(zero);
        float[] s11 = context.mmaFragment(zero);
        float[] s12 = context.mmaFragment(zero);
        float[] s13 = context.mmaFragment(zero);
        int thread = context.localIdx;
        int group = context.groupIdx;
        int lane = thread & 31;
        int warpRow = thread >> 6 & 1;
        int warpCol = thread >> 5 & 1;
        int top = MmaTiles.top(group, m, n, 64, 64);
        int left = MmaTiles.left(group, m, n, 64, 64);
        int steps = (k + 31) / 32;
        if (thread < 16) values[thread] = Nf4.value(thread);

        // What this thread reads of each tile, four elements at a time.
        int xColumn = thread & 7;
        int xRow = thread >> 3 & 15;
        int xFirst = MmaTiles.clamp(top + xRow, m, 64);
        int xRoom = MmaTiles.room(xFirst, m, 64);
        int xAt = table.get(slot + 1) / 4 + xFirst * (k / 4);
        int wColumn = thread & 15;
        int wRow = thread >> 4 & 7;
        int wAt = table.get(slot + 2) * 2 + MmaTiles.clamp(left / 4 + wColumn, n / 4, 16);
        int scaleAt = table.get(slot + 3) + MmaTiles.clamp(left / 4 + wColumn, n / 4, 16) / 16;
        int xIndex = xAt + MmaTiles.clamp(xColumn, k / 4, 8);
        int wDepth = MmaTiles.clamp(wRow, k, 32);
        int wRoom = MmaTiles.room(wDepth, k, 32);
        int wIndex = wAt + wDepth * (n / 4);
        int scaleIndex = scaleAt + wDepth * (n / 64);
        long xNext0 = x.get(xIndex);
        long xNext1 = x.get(xIndex + Math.min(16, xRoom) * (k / 4));
        long xNext2 = x.get(xIndex + Math.min(32, xRoom) * (k / 4));
        long xNext3 = x.get(xIndex + Math.min(48, xRoom) * (k / 4));
        int wNext0 = w.get(wIndex);
        int wNext1 = w.get(wIndex + Math.min(8, wRoom) * (n / 4));
        int wNext2 = w.get(wIndex + Math.min(16, wRoom) * (n / 4));
        int wNext3 = w.get(wIndex + Math.min(24, wRoom) * (n / 4));
        float scaleNext0 = absmax.get(scaleIndex);
        float scaleNext1 = absmax.get(scaleIndex + Math.min(8, wRoom) * (n / 64));
        float scaleNext2 = absmax.get(scaleIndex + Math.min(16, wRoom) * (n / 64));
        float scaleNext3 = absmax.get(scaleIndex + Math.min(24, wRoom) * (n / 64));

        // Where it goes in local memory, and where the lane's registers of the matrix unit come from: byte offsets,
        // less those that the loads add by themselves. The 16-byte pieces of x's rows are exchanged so that eight rows
        // lie in different banks.
        int xPut = xRow * 16 + ((xColumn >> 1 & 3 ^ (xRow >> 1 & 1) * 2 + (xRow >> 2 & 1)) * 4) + (xColumn & 1) * 2;
        int swap = (lane >> 1 & 1) * 2 + (lane >> 2 & 1);
        int xLane = warpRow * 2048 + (lane & 15) * 32 - (lane >> 4 & 1) * 16;
        int xGet0 = xLane + ((lane >> 4 & 1) ^ swap) * 16;
        int xGet1 = xLane + (2 + (lane >> 4 & 1) ^ swap) * 16;
        int wPut = wRow * 36 + wColumn * 2;
        int wGet = warpCol * 64 + (lane & 15) * 128;

        context.localBarrier();                      // the values stand
        for (int step = 0; step < steps; step++) {
            int xBuffer = (step & 1) * 1024;
            int wBuffer = (step & 1) * 1152;
            int keep = MmaTiles.keep(step * 8 + xColumn, k / 4, 8);
            xTile[xBuffer + xPut] = (int) xNext0 & keep;
            xTile[xBuffer + xPut + 1] = (int) (xNext0 >>> 32) & keep;
            xTile[xBuffer + xPut + 256] = (int) xNext1 & keep;
            xTile[xBuffer + xPut + 257] = (int) (xNext1 >>> 32) & keep;
            xTile[xBuffer + xPut + 512] = (int) xNext2 & keep;
            xTile[xBuffer + xPut + 513] = (int) (xNext2 >>> 32) & keep;
            xTile[xBuffer + xPut + 768] = (int) xNext3 & keep;
            xTile[xBuffer + xPut + 769] = (int) (xNext3 >>> 32) & keep;
            int keep0 = MmaTiles.keep(step * 32 + wRow + 0, k, 32);
            wTile[wBuffer + wPut] = AttentionTiles.pair(values[wNext0 >> 4 & 15] * scaleNext0,
                    values[wNext0 & 15] * scaleNext0) & keep0;
            wTile[wBuffer + wPut + 1] = AttentionTiles.pair(values[wNext0 >> 12 & 15] * scaleNext0,
                    values[wNext0 >> 8 & 15] * scaleNext0) & keep0;
            int keep1 = MmaTiles.keep(step * 32 + wRow + 8, k, 32);
            wTile[wBuffer + wPut + 288] = AttentionTiles.pair(values[wNext1 >> 4 & 15] * scaleNext1,
                    values[wNext1 & 15] * scaleNext1) & keep1;
            wTile[wBuffer + wPut + 289] = AttentionTiles.pair(values[wNext1 >> 12 & 15] * scaleNext1,
                    values[wNext1 >> 8 & 15] * scaleNext1) & keep1;
            int keep2 = MmaTiles.keep(step * 32 + wRow + 16, k, 32);
            wTile[wBuffer + wPut + 576] = AttentionTiles.pair(values[wNext2 >> 4 & 15] * scaleNext2,
                    values[wNext2 & 15] * scaleNext2) & keep2;
            wTile[wBuffer + wPut + 577] = AttentionTiles.pair(values[wNext2 >> 12 & 15] * scaleNext2,
                    values[wNext2 >> 8 & 15] * scaleNext2) & keep2;
            int keep3 = MmaTiles.keep(step * 32 + wRow + 24, k, 32);
            wTile[wBuffer + wPut + 864] = AttentionTiles.pair(values[wNext3 >> 4 & 15] * scaleNext3,
                    values[wNext3 & 15] * scaleNext3) & keep3;
            wTile[wBuffer + wPut + 865] = AttentionTiles.pair(values[wNext3 >> 12 & 15] * scaleNext3,
                    values[wNext3 >> 8 & 15] * scaleNext3) & keep3;
            int next = Math.min(step + 1, steps - 1);
            xIndex = xAt + MmaTiles.clamp(next * 8 + xColumn, k / 4, 8);
            wDepth = MmaTiles.clamp(next * 32 + wRow, k, 32);
            wRoom = MmaTiles.room(wDepth, k, 32);
            wIndex = wAt + wDepth * (n / 4);
            scaleIndex = scaleAt + wDepth * (n / 64);
            xNext0 = x.get(xIndex);
            xNext1 = x.get(xIndex + Math.min(16, xRoom) * (k / 4));
            xNext2 = x.get(xIndex + Math.min(32, xRoom) * (k / 4));
            xNext3 = x.get(xIndex + Math.min(48, xRoom) * (k / 4));
            wNext0 = w.get(wIndex);
            wNext1 = w.get(wIndex + Math.min(8, wRoom) * (n / 4));
            wNext2 = w.get(wIndex + Math.min(16, wRoom) * (n / 4));
            wNext3 = w.get(wIndex + Math.min(24, wRoom) * (n / 4));
            scaleNext0 = absmax.get(scaleIndex);
            scaleNext1 = absmax.get(scaleIndex + Math.min(8, wRoom) * (n / 64));
            scaleNext2 = absmax.get(scaleIndex + Math.min(16, wRoom) * (n / 64));
            scaleNext3 = absmax.get(scaleIndex + Math.min(24, wRoom) * (n / 64));
            context.localBarrier();
            HalfFloat[] a00 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0);
            HalfFloat[] a01 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0 + 1024);
            HalfFloat[] b00 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet);
            HalfFloat[] b01 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 16);
            HalfFloat[] b02 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 32);
            HalfFloat[] b03 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 48);
            s00 = context.mmaBF16(a00, b00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a00, b01, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a00, b02, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a00, b03, s03, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a01, b03, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a01, b02, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a01, b01, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a01, b00, s10, MMAShape.M16N8K16);
            HalfFloat[] a10 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet1);
            HalfFloat[] a11 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet1 + 1024);
            HalfFloat[] b10 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 2304);
            HalfFloat[] b11 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 2320);
            HalfFloat[] b12 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 2336);
            HalfFloat[] b13 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 2352);
            s00 = context.mmaBF16(a10, b10, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a10, b11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a10, b12, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a10, b13, s03, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a11, b13, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a11, b12, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a11, b11, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a11, b10, s10, MMAShape.M16N8K16);
        }

        int row = top + warpRow * 32;
        int column = table.get(slot) + left + warpCol * 32;
        int stride = (n + 63) / 64 * 64;
        context.mmaStore(s00, sums, row, column, stride);
        context.mmaStore(s01, sums, row, column + 8, stride);
        context.mmaStore(s02, sums, row, column + 16, stride);
        context.mmaStore(s03, sums, row, column + 24, stride);
        context.mmaStore(s10, sums, row + 16, column, stride);
        context.mmaStore(s11, sums, row + 16, column + 8, stride);
        context.mmaStore(s12, sums, row + 16, column + 16, stride);
        context.mmaStore(s13, sums, row + 16, column + 24, stride);
    }
}
