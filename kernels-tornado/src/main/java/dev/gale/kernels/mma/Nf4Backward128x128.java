package dev.gale.kernels.mma;

import dev.gale.tensor.quant.Nf4;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Written by `MmaGenerator`: change that, not this. Tiles of 128 x 128, warps of 64 x 64, steps of 32 along k;
/// local memory holds the tiles of two steps.
public final class Nf4Backward128x128 {
    private Nf4Backward128x128() {}

    /// `sums = x w` on the matrix unit.
    /// Shapes: x `[m, k]`, BF16, seen as longs of four elements; w `[k, n]`, codes of `Nf4`,
    /// seen as shorts of four; absmax F32, one of every 64 elements of w; k a multiple of 4, n of 64; sums F32
    /// `[m up to a multiple of 128, n up to a multiple of 128]`, of no use beyond m and n. Operands in the table: sums,
    /// x, w (a quarter of the offset of its first byte), absmax.
    /// Launch: `MmaTiles.groups(m, n, 128, 128)` groups of 128 threads; 33.1 KB of local memory.
    /// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of k: an element's bits depend on its row
    /// of x, its column of op(w) and k alone. w is rounded to BF16. Writes: `=`.
    public static void nf4Backward128x128(KernelContext context, IntArray table, int slot, FloatArray sums,
            LongArray x, ShortArray w, FloatArray absmax, int m, int n, int k) {
        int[] xTile = context.allocateIntLocalArray(4096);
        int[] wTile = context.allocateIntLocalArray(4352);
        float[] values = context.allocateFloatLocalArray(16);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        float zero = pin[0];
        float[] s00 = context.mmaFragment(zero);
        float[] s01 = context.mmaFragment(zero);
        float[] s02 = context.mmaFragment(zero);
        float[] s03 = context.mmaFragment(zero);
        float[] s04 = context.mmaFragment(zero);
        float[] s05 = context.mmaFragment(zero);
        float[] s06 = context.mmaFragment(zero);
        float[] s07 = context.mmaFragment(zero);
        float[] s10 = context.mmaFragment(zero);
        float[] s11 = context.mmaFragment(zero);
        float[] s12 = context.mmaFragment(zero);
        float[] s13 = context.mmaFragment(zero);
        float[] s14 = context.mmaFragment(zero);
        float[] s15 = context.mmaFragment(zero);
        float[] s16 = context.mmaFragment(zero);
        float[] s17 = context.mmaFragment(zero);
        float[] s20 = context.mmaFragment(zero);
        float[] s21 = context.mmaFragment(zero);
        float[] s22 = context.mmaFragment(zero);
        float[] s23 = context.mmaFragment(zero);
        float[] s24 = context.mmaFragment(zero);
        float[] s25 = context.mmaFragment(zero);
        float[] s26 = context.mmaFragment(zero);
        float[] s27 = context.mmaFragment(zero);
        float[] s30 = context.mmaFragment(zero);
        float[] s31 = context.mmaFragment(zero);
        float[] s32 = context.mmaFragment(zero);
        float[] s33 = context.mmaFragment(zero);
        float[] s34 = context.mmaFragment(zero);
        float[] s35 = context.mmaFragment(zero);
        float[] s36 = context.mmaFragment(zero);
        float[] s37 = context.mmaFragment(zero);
        int thread = context.localIdx;
        int group = context.groupIdx;
        int lane = thread & 31;
        int warpRow = thread >> 6 & 1;
        int warpCol = thread >> 5 & 1;
        int top = MmaTiles.top(group, m, n, 128, 128);
        int left = MmaTiles.left(group, m, n, 128, 128);
        int steps = (k + 31) / 32;
        if (thread < 16) values[thread] = Nf4.value(thread);

        // What this thread reads of each tile, four elements at a time.
        int xColumn = thread & 7;
        int xRow = thread >> 3 & 15;
        int xFirst = MmaTiles.clamp(top + xRow, m, 128);
        int xRoom = MmaTiles.room(xFirst, m, 128);
        int xAt = table.get(slot + 1) / 4 + xFirst * (k / 4);
        int wColumn = thread & 31;
        int wRow = thread >> 5 & 3;
        int wAt = table.get(slot + 2) * 2 + MmaTiles.clamp(left / 4 + wColumn, n / 4, 32);
        int scaleAt = table.get(slot + 3) + MmaTiles.clamp(left / 4 + wColumn, n / 4, 32) / 16;
        int xIndex = xAt + MmaTiles.clamp(xColumn, k / 4, 8);
        int wDepth = MmaTiles.clamp(wRow, k, 32);
        int wRoom = MmaTiles.room(wDepth, k, 32);
        int wIndex = wAt + wDepth * (n / 4);
        int scaleIndex = scaleAt + wDepth * (n / 64);
        long xNext0 = x.get(xIndex);
        long xNext1 = x.get(xIndex + Math.min(16, xRoom) * (k / 4));
        long xNext2 = x.get(xIndex + Math.min(32, xRoom) * (k / 4));
        long xNext3 = x.get(xIndex + Math.min(48, xRoom) * (k / 4));
        long xNext4 = x.get(xIndex + Math.min(64, xRoom) * (k / 4));
        long xNext5 = x.get(xIndex + Math.min(80, xRoom) * (k / 4));
        long xNext6 = x.get(xIndex + Math.min(96, xRoom) * (k / 4));
        long xNext7 = x.get(xIndex + Math.min(112, xRoom) * (k / 4));
        int wNext0 = w.get(wIndex);
        int wNext1 = w.get(wIndex + Math.min(4, wRoom) * (n / 4));
        int wNext2 = w.get(wIndex + Math.min(8, wRoom) * (n / 4));
        int wNext3 = w.get(wIndex + Math.min(12, wRoom) * (n / 4));
        int wNext4 = w.get(wIndex + Math.min(16, wRoom) * (n / 4));
        int wNext5 = w.get(wIndex + Math.min(20, wRoom) * (n / 4));
        int wNext6 = w.get(wIndex + Math.min(24, wRoom) * (n / 4));
        int wNext7 = w.get(wIndex + Math.min(28, wRoom) * (n / 4));
        float scaleNext0 = absmax.get(scaleIndex);
        float scaleNext1 = absmax.get(scaleIndex + Math.min(4, wRoom) * (n / 64));
        float scaleNext2 = absmax.get(scaleIndex + Math.min(8, wRoom) * (n / 64));
        float scaleNext3 = absmax.get(scaleIndex + Math.min(12, wRoom) * (n / 64));
        float scaleNext4 = absmax.get(scaleIndex + Math.min(16, wRoom) * (n / 64));
        float scaleNext5 = absmax.get(scaleIndex + Math.min(20, wRoom) * (n / 64));
        float scaleNext6 = absmax.get(scaleIndex + Math.min(24, wRoom) * (n / 64));
        float scaleNext7 = absmax.get(scaleIndex + Math.min(28, wRoom) * (n / 64));

        // Where it goes in local memory, and where the lane's registers of the matrix unit come from: byte offsets,
        // less those that the loads add by themselves. The 16-byte pieces of x's rows are exchanged so that eight rows
        // lie in different banks.
        int xPut = xRow * 16 + ((xColumn >> 1 & 3 ^ (xRow >> 1 & 1) * 2 + (xRow >> 2 & 1)) * 4) + (xColumn & 1) * 2;
        int swap = (lane >> 1 & 1) * 2 + (lane >> 2 & 1);
        int xLane = warpRow * 4096 + (lane & 15) * 32 - (lane >> 4 & 1) * 16;
        int xGet0 = xLane + ((lane >> 4 & 1) ^ swap) * 16;
        int xGet1 = xLane + (2 + (lane >> 4 & 1) ^ swap) * 16;
        int wPut = wRow * 68 + wColumn * 2;
        int wGet = warpCol * 128 + (lane & 15) * 256;

        context.localBarrier();                      // the values stand
        for (int step = 0; step < steps; step++) {
            int xBuffer = (step & 1) * 2048;
            int wBuffer = (step & 1) * 2176;
            int keep = MmaTiles.keep(step * 8 + xColumn, k / 4, 8);
            xTile[xBuffer + xPut] = (int) xNext0 & keep;
            xTile[xBuffer + xPut + 1] = (int) (xNext0 >>> 32) & keep;
            xTile[xBuffer + xPut + 256] = (int) xNext1 & keep;
            xTile[xBuffer + xPut + 257] = (int) (xNext1 >>> 32) & keep;
            xTile[xBuffer + xPut + 512] = (int) xNext2 & keep;
            xTile[xBuffer + xPut + 513] = (int) (xNext2 >>> 32) & keep;
            xTile[xBuffer + xPut + 768] = (int) xNext3 & keep;
            xTile[xBuffer + xPut + 769] = (int) (xNext3 >>> 32) & keep;
            xTile[xBuffer + xPut + 1024] = (int) xNext4 & keep;
            xTile[xBuffer + xPut + 1025] = (int) (xNext4 >>> 32) & keep;
            xTile[xBuffer + xPut + 1280] = (int) xNext5 & keep;
            xTile[xBuffer + xPut + 1281] = (int) (xNext5 >>> 32) & keep;
            xTile[xBuffer + xPut + 1536] = (int) xNext6 & keep;
            xTile[xBuffer + xPut + 1537] = (int) (xNext6 >>> 32) & keep;
            xTile[xBuffer + xPut + 1792] = (int) xNext7 & keep;
            xTile[xBuffer + xPut + 1793] = (int) (xNext7 >>> 32) & keep;
            int keep0 = MmaTiles.keep(step * 32 + wRow + 0, k, 32);
            wTile[wBuffer + wPut] = AttentionTiles.pair(values[wNext0 >> 4 & 15] * scaleNext0,
                    values[wNext0 & 15] * scaleNext0) & keep0;
            wTile[wBuffer + wPut + 1] = AttentionTiles.pair(values[wNext0 >> 12 & 15] * scaleNext0,
                    values[wNext0 >> 8 & 15] * scaleNext0) & keep0;
            int keep1 = MmaTiles.keep(step * 32 + wRow + 4, k, 32);
            wTile[wBuffer + wPut + 272] = AttentionTiles.pair(values[wNext1 >> 4 & 15] * scaleNext1,
                    values[wNext1 & 15] * scaleNext1) & keep1;
            wTile[wBuffer + wPut + 273] = AttentionTiles.pair(values[wNext1 >> 12 & 15] * scaleNext1,
                    values[wNext1 >> 8 & 15] * scaleNext1) & keep1;
            int keep2 = MmaTiles.keep(step * 32 + wRow + 8, k, 32);
            wTile[wBuffer + wPut + 544] = AttentionTiles.pair(values[wNext2 >> 4 & 15] * scaleNext2,
                    values[wNext2 & 15] * scaleNext2) & keep2;
            wTile[wBuffer + wPut + 545] = AttentionTiles.pair(values[wNext2 >> 12 & 15] * scaleNext2,
                    values[wNext2 >> 8 & 15] * scaleNext2) & keep2;
            int keep3 = MmaTiles.keep(step * 32 + wRow + 12, k, 32);
            wTile[wBuffer + wPut + 816] = AttentionTiles.pair(values[wNext3 >> 4 & 15] * scaleNext3,
                    values[wNext3 & 15] * scaleNext3) & keep3;
            wTile[wBuffer + wPut + 817] = AttentionTiles.pair(values[wNext3 >> 12 & 15] * scaleNext3,
                    values[wNext3 >> 8 & 15] * scaleNext3) & keep3;
            int keep4 = MmaTiles.keep(step * 32 + wRow + 16, k, 32);
            wTile[wBuffer + wPut + 1088] = AttentionTiles.pair(values[wNext4 >> 4 & 15] * scaleNext4,
                    values[wNext4 & 15] * scaleNext4) & keep4;
            wTile[wBuffer + wPut + 1089] = AttentionTiles.pair(values[wNext4 >> 12 & 15] * scaleNext4,
                    values[wNext4 >> 8 & 15] * scaleNext4) & keep4;
            int keep5 = MmaTiles.keep(step * 32 + wRow + 20, k, 32);
            wTile[wBuffer + wPut + 1360] = AttentionTiles.pair(values[wNext5 >> 4 & 15] * scaleNext5,
                    values[wNext5 & 15] * scaleNext5) & keep5;
            wTile[wBuffer + wPut + 1361] = AttentionTiles.pair(values[wNext5 >> 12 & 15] * scaleNext5,
                    values[wNext5 >> 8 & 15] * scaleNext5) & keep5;
            int keep6 = MmaTiles.keep(step * 32 + wRow + 24, k, 32);
            wTile[wBuffer + wPut + 1632] = AttentionTiles.pair(values[wNext6 >> 4 & 15] * scaleNext6,
                    values[wNext6 & 15] * scaleNext6) & keep6;
            wTile[wBuffer + wPut + 1633] = AttentionTiles.pair(values[wNext6 >> 12 & 15] * scaleNext6,
                    values[wNext6 >> 8 & 15] * scaleNext6) & keep6;
            int keep7 = MmaTiles.keep(step * 32 + wRow + 28, k, 32);
            wTile[wBuffer + wPut + 1904] = AttentionTiles.pair(values[wNext7 >> 4 & 15] * scaleNext7,
                    values[wNext7 & 15] * scaleNext7) & keep7;
            wTile[wBuffer + wPut + 1905] = AttentionTiles.pair(values[wNext7 >> 12 & 15] * scaleNext7,
                    values[wNext7 >> 8 & 15] * scaleNext7) & keep7;
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
            xNext4 = x.get(xIndex + Math.min(64, xRoom) * (k / 4));
            xNext5 = x.get(xIndex + Math.min(80, xRoom) * (k / 4));
            xNext6 = x.get(xIndex + Math.min(96, xRoom) * (k / 4));
            xNext7 = x.get(xIndex + Math.min(112, xRoom) * (k / 4));
            wNext0 = w.get(wIndex);
            wNext1 = w.get(wIndex + Math.min(4, wRoom) * (n / 4));
            wNext2 = w.get(wIndex + Math.min(8, wRoom) * (n / 4));
            wNext3 = w.get(wIndex + Math.min(12, wRoom) * (n / 4));
            wNext4 = w.get(wIndex + Math.min(16, wRoom) * (n / 4));
            wNext5 = w.get(wIndex + Math.min(20, wRoom) * (n / 4));
            wNext6 = w.get(wIndex + Math.min(24, wRoom) * (n / 4));
            wNext7 = w.get(wIndex + Math.min(28, wRoom) * (n / 4));
            scaleNext0 = absmax.get(scaleIndex);
            scaleNext1 = absmax.get(scaleIndex + Math.min(4, wRoom) * (n / 64));
            scaleNext2 = absmax.get(scaleIndex + Math.min(8, wRoom) * (n / 64));
            scaleNext3 = absmax.get(scaleIndex + Math.min(12, wRoom) * (n / 64));
            scaleNext4 = absmax.get(scaleIndex + Math.min(16, wRoom) * (n / 64));
            scaleNext5 = absmax.get(scaleIndex + Math.min(20, wRoom) * (n / 64));
            scaleNext6 = absmax.get(scaleIndex + Math.min(24, wRoom) * (n / 64));
            scaleNext7 = absmax.get(scaleIndex + Math.min(28, wRoom) * (n / 64));
            context.localBarrier();
            HalfFloat[] a00 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0);
            HalfFloat[] a01 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0 + 1024);
            HalfFloat[] a02 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0 + 2048);
            HalfFloat[] a03 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0 + 3072);
            HalfFloat[] b00 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet);
            HalfFloat[] b01 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 16);
            HalfFloat[] b02 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 32);
            HalfFloat[] b03 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 48);
            HalfFloat[] b04 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 64);
            HalfFloat[] b05 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 80);
            HalfFloat[] b06 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 96);
            HalfFloat[] b07 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 112);
            s00 = context.mmaBF16(a00, b00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a00, b01, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a00, b02, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a00, b03, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(a00, b04, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(a00, b05, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(a00, b06, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(a00, b07, s07, MMAShape.M16N8K16);
            s17 = context.mmaBF16(a01, b07, s17, MMAShape.M16N8K16);
            s16 = context.mmaBF16(a01, b06, s16, MMAShape.M16N8K16);
            s15 = context.mmaBF16(a01, b05, s15, MMAShape.M16N8K16);
            s14 = context.mmaBF16(a01, b04, s14, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a01, b03, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a01, b02, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a01, b01, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a01, b00, s10, MMAShape.M16N8K16);
            s20 = context.mmaBF16(a02, b00, s20, MMAShape.M16N8K16);
            s21 = context.mmaBF16(a02, b01, s21, MMAShape.M16N8K16);
            s22 = context.mmaBF16(a02, b02, s22, MMAShape.M16N8K16);
            s23 = context.mmaBF16(a02, b03, s23, MMAShape.M16N8K16);
            s24 = context.mmaBF16(a02, b04, s24, MMAShape.M16N8K16);
            s25 = context.mmaBF16(a02, b05, s25, MMAShape.M16N8K16);
            s26 = context.mmaBF16(a02, b06, s26, MMAShape.M16N8K16);
            s27 = context.mmaBF16(a02, b07, s27, MMAShape.M16N8K16);
            s37 = context.mmaBF16(a03, b07, s37, MMAShape.M16N8K16);
            s36 = context.mmaBF16(a03, b06, s36, MMAShape.M16N8K16);
            s35 = context.mmaBF16(a03, b05, s35, MMAShape.M16N8K16);
            s34 = context.mmaBF16(a03, b04, s34, MMAShape.M16N8K16);
            s33 = context.mmaBF16(a03, b03, s33, MMAShape.M16N8K16);
            s32 = context.mmaBF16(a03, b02, s32, MMAShape.M16N8K16);
            s31 = context.mmaBF16(a03, b01, s31, MMAShape.M16N8K16);
            s30 = context.mmaBF16(a03, b00, s30, MMAShape.M16N8K16);
            HalfFloat[] a10 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet1);
            HalfFloat[] a11 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet1 + 1024);
            HalfFloat[] a12 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet1 + 2048);
            HalfFloat[] a13 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet1 + 3072);
            HalfFloat[] b10 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4352);
            HalfFloat[] b11 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4368);
            HalfFloat[] b12 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4384);
            HalfFloat[] b13 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4400);
            HalfFloat[] b14 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4416);
            HalfFloat[] b15 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4432);
            HalfFloat[] b16 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4448);
            HalfFloat[] b17 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet + 4464);
            s00 = context.mmaBF16(a10, b10, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a10, b11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a10, b12, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a10, b13, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(a10, b14, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(a10, b15, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(a10, b16, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(a10, b17, s07, MMAShape.M16N8K16);
            s17 = context.mmaBF16(a11, b17, s17, MMAShape.M16N8K16);
            s16 = context.mmaBF16(a11, b16, s16, MMAShape.M16N8K16);
            s15 = context.mmaBF16(a11, b15, s15, MMAShape.M16N8K16);
            s14 = context.mmaBF16(a11, b14, s14, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a11, b13, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a11, b12, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a11, b11, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a11, b10, s10, MMAShape.M16N8K16);
            s20 = context.mmaBF16(a12, b10, s20, MMAShape.M16N8K16);
            s21 = context.mmaBF16(a12, b11, s21, MMAShape.M16N8K16);
            s22 = context.mmaBF16(a12, b12, s22, MMAShape.M16N8K16);
            s23 = context.mmaBF16(a12, b13, s23, MMAShape.M16N8K16);
            s24 = context.mmaBF16(a12, b14, s24, MMAShape.M16N8K16);
            s25 = context.mmaBF16(a12, b15, s25, MMAShape.M16N8K16);
            s26 = context.mmaBF16(a12, b16, s26, MMAShape.M16N8K16);
            s27 = context.mmaBF16(a12, b17, s27, MMAShape.M16N8K16);
            s37 = context.mmaBF16(a13, b17, s37, MMAShape.M16N8K16);
            s36 = context.mmaBF16(a13, b16, s36, MMAShape.M16N8K16);
            s35 = context.mmaBF16(a13, b15, s35, MMAShape.M16N8K16);
            s34 = context.mmaBF16(a13, b14, s34, MMAShape.M16N8K16);
            s33 = context.mmaBF16(a13, b13, s33, MMAShape.M16N8K16);
            s32 = context.mmaBF16(a13, b12, s32, MMAShape.M16N8K16);
            s31 = context.mmaBF16(a13, b11, s31, MMAShape.M16N8K16);
            s30 = context.mmaBF16(a13, b10, s30, MMAShape.M16N8K16);
        }

        int row = top + warpRow * 64;
        int column = table.get(slot) + left + warpCol * 64;
        int stride = (n + 127) / 128 * 128;
        context.mmaStore(s00, sums, row, column, stride);
        context.mmaStore(s01, sums, row, column + 8, stride);
        context.mmaStore(s02, sums, row, column + 16, stride);
        context.mmaStore(s03, sums, row, column + 24, stride);
        context.mmaStore(s04, sums, row, column + 32, stride);
        context.mmaStore(s05, sums, row, column + 40, stride);
        context.mmaStore(s06, sums, row, column + 48, stride);
        context.mmaStore(s07, sums, row, column + 56, stride);
        context.mmaStore(s10, sums, row + 16, column, stride);
        context.mmaStore(s11, sums, row + 16, column + 8, stride);
        context.mmaStore(s12, sums, row + 16, column + 16, stride);
        context.mmaStore(s13, sums, row + 16, column + 24, stride);
        context.mmaStore(s14, sums, row + 16, column + 32, stride);
        context.mmaStore(s15, sums, row + 16, column + 40, stride);
        context.mmaStore(s16, sums, row + 16, column + 48, stride);
        context.mmaStore(s17, sums, row + 16, column + 56, stride);
        context.mmaStore(s20, sums, row + 32, column, stride);
        context.mmaStore(s21, sums, row + 32, column + 8, stride);
        context.mmaStore(s22, sums, row + 32, column + 16, stride);
        context.mmaStore(s23, sums, row + 32, column + 24, stride);
        context.mmaStore(s24, sums, row + 32, column + 32, stride);
        context.mmaStore(s25, sums, row + 32, column + 40, stride);
        context.mmaStore(s26, sums, row + 32, column + 48, stride);
        context.mmaStore(s27, sums, row + 32, column + 56, stride);
        context.mmaStore(s30, sums, row + 48, column, stride);
        context.mmaStore(s31, sums, row + 48, column + 8, stride);
        context.mmaStore(s32, sums, row + 48, column + 16, stride);
        context.mmaStore(s33, sums, row + 48, column + 24, stride);
        context.mmaStore(s34, sums, row + 48, column + 32, stride);
        context.mmaStore(s35, sums, row + 48, column + 40, stride);
        context.mmaStore(s36, sums, row + 48, column + 48, stride);
        context.mmaStore(s37, sums, row + 48, column + 56, stride);
    }
}
