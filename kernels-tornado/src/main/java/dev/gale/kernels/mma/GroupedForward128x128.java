package dev.gale.kernels.mma;

import dev.gale.kernels.ProductForm;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Written by `GroupedGenerator`: change that, not this. Tiles of 128 x 128, warps of 64 x 64, steps of 32 along k;
/// local memory holds the tiles of two steps.
public final class GroupedForward128x128 {
    private GroupedForward128x128() {}

    /// `y[j] = alpha (x[j] w[e]ᵀ + low[j] up[e]ᵀ)` for each row j of expert e, on the matrix unit.
    /// Shapes: x `[m, k]`, w[e] `[n, k]`, low `[m, rank]`, up[e] `[n, rank]`, BF16, seen as longs of four
    /// elements; k and distance multiples of 4; rank a multiple of 32, or 0: no low and up; y `[m, n]`, F32 or
    /// BF16; spans I32 from `ExpertTileKernels.expertTiles` for tiles of 128 rows. Operands in the table: y, x,
    /// w of the first expert, low, up of the first expert, the others' behind it, spans.
    /// Launch: `MmaGrouped.groups(m, n, count)` groups of 128 threads; 43.0 KB of local memory.
    /// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of k: an element's bits depend on its row
    /// of x, its column of op(w[e]) and k alone, the low-rank term last; one rounding to y's dtype.
    /// Writes: `=` or, where form says that y is the residual, `+=`; only rows of these experts.
    ///
    /// @param form     from `ProductForm.of`; the types of x and w do not matter
    /// @param count    how many experts there are
    /// @param distance elements from the w of one to that of the next
    public static void groupedForward128x128(KernelContext context, IntArray table, int slot, LongArray y,
            FloatArray yFloats, ShortArray yHalves, LongArray x, LongArray w, LongArray low, LongArray up,
            IntArray spans, int form, int count, int distance, int m, int n, int k, float alpha) {
        int[] xTile = context.allocateIntLocalArray(4096);
        int[] wTile = context.allocateIntLocalArray(4352);
        float[] scratch = context.allocateFloatLocalArray(2564);
        FloatArray fragments = (FloatArray) (Object) scratch;           // element i is scratch[i + 4]
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
        int tiles = ExpertTiles.count(m, count, 128);
        int tile = MmaTiles.top(group, tiles * 128, n, 128, 128) / 128;
        int span = table.get(slot + 5) + ExpertTiles.span(tile, count);
        int expert = spans.get(span);
        int begin = spans.get(span + 1);
        int end = spans.get(span + 2);
        int top = ExpertTiles.anchor(begin, m, 128);
        int left = MmaTiles.left(group, tiles * 128, n, 128, 128);
        int rank = ProductForm.rank(form);
        int steps = (k + 31) / 32;
        int all = begin < end ? steps + rank / 32 : 0;

        // What this thread reads of each tile, four elements at a time.
        int xColumn = thread & 7;
        int xRow = thread >> 3 & 15;
        int xFirst = ExpertTiles.clamp(top + xRow, m, 128);
        int xRoom = ExpertTiles.room(xFirst, m, 128);
        int xAt = table.get(slot + 1) / 4 + xFirst * (k / 4);
        int wFirst = MmaTiles.clamp(left + 4 * xRow, n, 128);
        int wRoom = MmaTiles.room(wFirst, n, 128);
        int wAt = table.get(slot + 2) / 4 + wFirst * (k / 4) + expert * (distance / 4);
        int lowAt = table.get(slot + 3) / 4 + xFirst * (rank / 4);
        int upAt = table.get(slot + 4) / 4 + wFirst * (rank / 4) + expert * (n * (rank / 4));
        int xIndex = xAt + MmaTiles.clamp(xColumn, k / 4, 8);
        int wIndex = wAt + MmaTiles.clamp(xColumn, k / 4, 8);
        long xNext0 = x.get(xIndex);
        long xNext1 = x.get(xIndex + Math.min(16, xRoom) * (k / 4));
        long xNext2 = x.get(xIndex + Math.min(32, xRoom) * (k / 4));
        long xNext3 = x.get(xIndex + Math.min(48, xRoom) * (k / 4));
        long xNext4 = x.get(xIndex + Math.min(64, xRoom) * (k / 4));
        long xNext5 = x.get(xIndex + Math.min(80, xRoom) * (k / 4));
        long xNext6 = x.get(xIndex + Math.min(96, xRoom) * (k / 4));
        long xNext7 = x.get(xIndex + Math.min(112, xRoom) * (k / 4));
        long wNext0 = w.get(wIndex);
        long wNext1 = w.get(wIndex + Math.min(1, wRoom) * (k / 4));
        long wNext2 = w.get(wIndex + Math.min(2, wRoom) * (k / 4));
        long wNext3 = w.get(wIndex + Math.min(3, wRoom) * (k / 4));
        long wNext4 = w.get(wIndex + Math.min(64, wRoom) * (k / 4));
        long wNext5 = w.get(wIndex + Math.min(65, wRoom) * (k / 4));
        long wNext6 = w.get(wIndex + Math.min(66, wRoom) * (k / 4));
        long wNext7 = w.get(wIndex + Math.min(67, wRoom) * (k / 4));

        // Where it goes in local memory, and where the lane's registers of the matrix unit come from: byte offsets,
        // less those that the loads add by themselves. The 16-byte pieces of x's rows are exchanged so that eight rows
        // lie in different banks.
        int xPut = xRow * 16 + ((xColumn >> 1 & 3 ^ (xRow >> 1 & 1) * 2 + (xRow >> 2 & 1)) * 4) + (xColumn & 1) * 2;
        int swap = (lane >> 1 & 1) * 2 + (lane >> 2 & 1);
        int xLane = warpRow * 4096 + (lane & 15) * 32 - (lane >> 4 & 1) * 16;
        int xGet0 = xLane + ((lane >> 4 & 1) ^ swap) * 16;
        int xGet1 = xLane + (2 + (lane >> 4 & 1) ^ swap) * 16;
        int wPut = xColumn * 272 + ((xRow >> 1 ^ xColumn >> 1 & 3) * 4) + (xRow & 1) * 2;
        int wLane = warpCol * 128 + (lane & 15) * 256;
        int wGet0 = wLane + (lane >> 3 & 1) * 16;
        int wGet1 = wLane + (1 - (lane >> 3 & 1)) * 16;

        for (int step = 0; step < all; step++) {
            int xBuffer = (step & 1) * 2048;
            int wBuffer = (step & 1) * 2176;
            int beyond = MmaTiles.beyond(step, steps, rank);
            int keep = MmaTiles.keep(step * 8 + xColumn, k / 4, 8) | beyond;
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
            wTile[wBuffer + wPut] = MmaTiles.lower((int) wNext0, (int) wNext1) & keep;
            wTile[wBuffer + wPut + 1] = MmaTiles.lower((int) wNext2, (int) wNext3) & keep;
            wTile[wBuffer + wPut + 68] = MmaTiles.upper((int) wNext0, (int) wNext1) & keep;
            wTile[wBuffer + wPut + 69] = MmaTiles.upper((int) wNext2, (int) wNext3) & keep;
            wTile[wBuffer + wPut + 136] = MmaTiles.lower((int) (wNext0 >>> 32), (int) (wNext1 >>> 32)) & keep;
            wTile[wBuffer + wPut + 137] = MmaTiles.lower((int) (wNext2 >>> 32), (int) (wNext3 >>> 32)) & keep;
            wTile[wBuffer + wPut + 204] = MmaTiles.upper((int) (wNext0 >>> 32), (int) (wNext1 >>> 32)) & keep;
            wTile[wBuffer + wPut + 205] = MmaTiles.upper((int) (wNext2 >>> 32), (int) (wNext3 >>> 32)) & keep;
            wTile[wBuffer + wPut + 32] = MmaTiles.lower((int) wNext4, (int) wNext5) & keep;
            wTile[wBuffer + wPut + 33] = MmaTiles.lower((int) wNext6, (int) wNext7) & keep;
            wTile[wBuffer + wPut + 100] = MmaTiles.upper((int) wNext4, (int) wNext5) & keep;
            wTile[wBuffer + wPut + 101] = MmaTiles.upper((int) wNext6, (int) wNext7) & keep;
            wTile[wBuffer + wPut + 168] = MmaTiles.lower((int) (wNext4 >>> 32), (int) (wNext5 >>> 32)) & keep;
            wTile[wBuffer + wPut + 169] = MmaTiles.lower((int) (wNext6 >>> 32), (int) (wNext7 >>> 32)) & keep;
            wTile[wBuffer + wPut + 236] = MmaTiles.upper((int) (wNext4 >>> 32), (int) (wNext5 >>> 32)) & keep;
            wTile[wBuffer + wPut + 237] = MmaTiles.upper((int) (wNext6 >>> 32), (int) (wNext7 >>> 32)) & keep;
            int next = Math.min(step + 1, all - 1);
            if (MmaTiles.beyond(next, steps, rank) == 0) {
                xIndex = xAt + MmaTiles.clamp(next * 8 + xColumn, k / 4, 8);
                wIndex = wAt + MmaTiles.clamp(next * 8 + xColumn, k / 4, 8);
                xNext0 = x.get(xIndex);
                xNext1 = x.get(xIndex + Math.min(16, xRoom) * (k / 4));
                xNext2 = x.get(xIndex + Math.min(32, xRoom) * (k / 4));
                xNext3 = x.get(xIndex + Math.min(48, xRoom) * (k / 4));
                xNext4 = x.get(xIndex + Math.min(64, xRoom) * (k / 4));
                xNext5 = x.get(xIndex + Math.min(80, xRoom) * (k / 4));
                xNext6 = x.get(xIndex + Math.min(96, xRoom) * (k / 4));
                xNext7 = x.get(xIndex + Math.min(112, xRoom) * (k / 4));
                wNext0 = w.get(wIndex);
                wNext1 = w.get(wIndex + Math.min(1, wRoom) * (k / 4));
                wNext2 = w.get(wIndex + Math.min(2, wRoom) * (k / 4));
                wNext3 = w.get(wIndex + Math.min(3, wRoom) * (k / 4));
                wNext4 = w.get(wIndex + Math.min(64, wRoom) * (k / 4));
                wNext5 = w.get(wIndex + Math.min(65, wRoom) * (k / 4));
                wNext6 = w.get(wIndex + Math.min(66, wRoom) * (k / 4));
                wNext7 = w.get(wIndex + Math.min(67, wRoom) * (k / 4));
            } else {
                int rest = next - steps;
                xIndex = lowAt + rest * 8 + xColumn;
                wIndex = upAt + rest * 8 + xColumn;
                xNext0 = low.get(xIndex);
                xNext1 = low.get(xIndex + Math.min(16, xRoom) * (rank / 4));
                xNext2 = low.get(xIndex + Math.min(32, xRoom) * (rank / 4));
                xNext3 = low.get(xIndex + Math.min(48, xRoom) * (rank / 4));
                xNext4 = low.get(xIndex + Math.min(64, xRoom) * (rank / 4));
                xNext5 = low.get(xIndex + Math.min(80, xRoom) * (rank / 4));
                xNext6 = low.get(xIndex + Math.min(96, xRoom) * (rank / 4));
                xNext7 = low.get(xIndex + Math.min(112, xRoom) * (rank / 4));
                wNext0 = up.get(wIndex);
                wNext1 = up.get(wIndex + Math.min(1, wRoom) * (rank / 4));
                wNext2 = up.get(wIndex + Math.min(2, wRoom) * (rank / 4));
                wNext3 = up.get(wIndex + Math.min(3, wRoom) * (rank / 4));
                wNext4 = up.get(wIndex + Math.min(64, wRoom) * (rank / 4));
                wNext5 = up.get(wIndex + Math.min(65, wRoom) * (rank / 4));
                wNext6 = up.get(wIndex + Math.min(66, wRoom) * (rank / 4));
                wNext7 = up.get(wIndex + Math.min(67, wRoom) * (rank / 4));
            }
            context.localBarrier();
            HalfFloat[] a00 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0);
            HalfFloat[] a01 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0 + 1024);
            HalfFloat[] a02 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0 + 2048);
            HalfFloat[] a03 = context.mmaLoadA(xTile, 16, 4 * xBuffer + xGet0 + 3072);
            HalfFloat[] b00 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0);
            HalfFloat[] b01 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1);
            HalfFloat[] b02 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0 + 32);
            HalfFloat[] b03 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1 + 32);
            HalfFloat[] b04 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0 + 64);
            HalfFloat[] b05 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1 + 64);
            HalfFloat[] b06 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0 + 96);
            HalfFloat[] b07 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1 + 96);
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
            HalfFloat[] b10 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0 + 4384);
            HalfFloat[] b11 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1 + 4384);
            HalfFloat[] b12 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0 + 4352);
            HalfFloat[] b13 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1 + 4352);
            HalfFloat[] b14 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0 + 4448);
            HalfFloat[] b15 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1 + 4448);
            HalfFloat[] b16 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet0 + 4416);
            HalfFloat[] b17 = context.mmaLoadB(wTile, 16, 4 * wBuffer + wGet1 + 4416);
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

        // What else y needs, 16 rows and 32 columns of a warp at a time: see MmaEpilogue.
        int nought = thread >> 10;
        int put = (thread >> 5 & 3) * 640;
        int get = put + 4 + (lane >> 3) * 40 + (lane & 7) * 4;
        int row = top + warpRow * 64 + (lane >> 3);
        int column = left + warpCol * 64 + (lane & 7) * 4;
        int at = table.get(slot);
        long[] before = new long[4];
        for (int part = 0; part < 8; part++) {
            if (part == 0) {
                context.mmaStore(s00, fragments, 0, put, 40);
                context.mmaStore(s01, fragments, 0, put + 8, 40);
                context.mmaStore(s02, fragments, 0, put + 16, 40);
                context.mmaStore(s03, fragments, 0, put + 24, 40);
            } else if (part == 1) {
                context.mmaStore(s04, fragments, 0, put, 40);
                context.mmaStore(s05, fragments, 0, put + 8, 40);
                context.mmaStore(s06, fragments, 0, put + 16, 40);
                context.mmaStore(s07, fragments, 0, put + 24, 40);
            } else if (part == 2) {
                context.mmaStore(s10, fragments, 0, put, 40);
                context.mmaStore(s11, fragments, 0, put + 8, 40);
                context.mmaStore(s12, fragments, 0, put + 16, 40);
                context.mmaStore(s13, fragments, 0, put + 24, 40);
            } else if (part == 3) {
                context.mmaStore(s14, fragments, 0, put, 40);
                context.mmaStore(s15, fragments, 0, put + 8, 40);
                context.mmaStore(s16, fragments, 0, put + 16, 40);
                context.mmaStore(s17, fragments, 0, put + 24, 40);
            } else if (part == 4) {
                context.mmaStore(s20, fragments, 0, put, 40);
                context.mmaStore(s21, fragments, 0, put + 8, 40);
                context.mmaStore(s22, fragments, 0, put + 16, 40);
                context.mmaStore(s23, fragments, 0, put + 24, 40);
            } else if (part == 5) {
                context.mmaStore(s24, fragments, 0, put, 40);
                context.mmaStore(s25, fragments, 0, put + 8, 40);
                context.mmaStore(s26, fragments, 0, put + 16, 40);
                context.mmaStore(s27, fragments, 0, put + 24, 40);
            } else if (part == 6) {
                context.mmaStore(s30, fragments, 0, put, 40);
                context.mmaStore(s31, fragments, 0, put + 8, 40);
                context.mmaStore(s32, fragments, 0, put + 16, 40);
                context.mmaStore(s33, fragments, 0, put + 24, 40);
            } else {
                context.mmaStore(s34, fragments, 0, put, 40);
                context.mmaStore(s35, fragments, 0, put + 8, 40);
                context.mmaStore(s36, fragments, 0, put + 16, 40);
                context.mmaStore(s37, fragments, 0, put + 24, 40);
            }
            int down = row + part / 2 * 16;
            int across = column + part % 2 * 32;
            for (int q = 0; q < 4; q++) {
                before[q] = MmaEpilogue.before(y, at, form, down + 4 * q, across, m, n);
            }
            context.localBarrier();
            for (int q = 0; q < 4; q++) {
                int from = get + 160 * q;
                if (down + 4 * q >= begin) {
                    if (down + 4 * q < end) {
                        MmaEpilogue.put(y, yFloats, yHalves, at, yFloats, yHalves, at, yFloats, yHalves,
                                at, form, down + 4 * q, across, m, n, alpha, nought, before[q], scratch[from],
                                scratch[from + 1], scratch[from + 2], scratch[from + 3]);
                    }
                }
            }
            context.localBarrier();
        }
    }
}
