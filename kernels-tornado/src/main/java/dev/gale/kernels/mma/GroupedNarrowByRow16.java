package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `GroupedNarrowGenerator`: change that, not this. Tiles of 128 by 16, steps of 64 along the depth.
public final class GroupedNarrowByRow16 {
    private GroupedNarrowByRow16() {}

    /// `parts[p, i, j] = sum_l tall(i, l) flat[e](j, l)` over the l of part p, on the matrix unit, for the rows i
    /// of each tile and the expert e that they belong to.
    /// Shapes: tall `[rows, depth]`, BF16, seen as longs of four elements, depth a multiple of 4; flat[e] F32,
    /// `[cols, depth]` or, by depth, `[depth, cols]`, rounded to BF16; spans I32 from
    /// `ExpertTileKernels.expertTiles` for tiles of 128 rows; parts F32, `MmaGroupedNarrow.partLength` each, i
    /// counted from the anchor of each tile. Operands in the table: parts, tall, flat of the first expert, spans.
    /// Launch: `MmaGroupedNarrow.groups(rows, cols, depth, count)` groups of 128 threads; 18.0 KB of local memory.
    /// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of l. Writes: `=`.
    ///
    /// @param flatByDepth 1: flat is stored `[depth, cols]`
    /// @param partDepth   from `MmaNarrow.partDepth(depth)`
    /// @param count       how many experts there are
    /// @param distance    elements from the flat operand of one to that of the next
    public static void groupedNarrowByRow16(KernelContext context, IntArray table, int slot, FloatArray parts,
            LongArray tall, FloatArray flat, IntArray spans, int flatByDepth, int rows, int cols, int depth,
            int partDepth, int count, int distance) {
        int[] tallTile = context.allocateIntLocalArray(4096);
        int[] flatTile = context.allocateIntLocalArray(512);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        float zero = pin[0];
        float[] s00 = context.mmaFragment(zero);
        float[] s01 = context.mmaFragment(zero);
        float[] s10 = context.mmaFragment(zero);
        float[] s11 = context.mmaFragment(zero);
        int thread = context.localIdx;
        int lane = thread & 31;
        int warp = thread >> 5 & 3;
        int tiles = ExpertTiles.count(rows, count, 128);
        int flatTiles = (cols + 15) / 16;
        int group = context.groupIdx;
        int tile = group % tiles;
        int span = table.get(slot + 3) + ExpertTiles.span(tile, count);
        int expert = spans.get(span);
        int begin = spans.get(span + 1);
        int end = spans.get(span + 2);
        int top = ExpertTiles.anchor(begin, rows, 128);
        int first = group / tiles % flatTiles * 16;
        int part = group / (tiles * flatTiles);
        int from = part * partDepth;
        int steps = begin < end ? (Math.min(partDepth, depth - from) + 63) / 64 : 0;

        // What this thread reads: of the tall operand four elements at a time, of the flat one two along the depth.
        int column = thread & 15;
        int tallRow = thread >> 4 & 7;
        int tallFirst = ExpertTiles.clamp(top + tallRow, rows, 128);
        int tallRoom = ExpertTiles.room(tallFirst, rows, 128);
        int tallAt = table.get(slot + 1) / 4 + tallFirst * (depth / 4);
        int flatRow = flatByDepth == 1 ? thread & 15 : thread >> 5 & 3;
        int flatPair = flatByDepth == 1 ? thread >> 4 & 7 : thread & 31;
        int flatRows = flatByDepth == 1 ? 0 : 4;     // from one pair to the next
        int flatPairs = flatByDepth == 1 ? 8 : 0;
        int flatAt = table.get(slot + 2);
        flatAt += expert * distance;
        int deep = from;
        int tallIndex = tallAt + MmaTiles.clamp(deep / 4 + column, depth / 4, 16);
        long next0 = tall.get(tallIndex);
        long next1 = tall.get(tallIndex + Math.min(8, tallRoom) * (depth / 4));
        long next2 = tall.get(tallIndex + Math.min(16, tallRoom) * (depth / 4));
        long next3 = tall.get(tallIndex + Math.min(24, tallRoom) * (depth / 4));
        long next4 = tall.get(tallIndex + Math.min(32, tallRoom) * (depth / 4));
        long next5 = tall.get(tallIndex + Math.min(40, tallRoom) * (depth / 4));
        long next6 = tall.get(tallIndex + Math.min(48, tallRoom) * (depth / 4));
        long next7 = tall.get(tallIndex + Math.min(56, tallRoom) * (depth / 4));
        long next8 = tall.get(tallIndex + Math.min(64, tallRoom) * (depth / 4));
        long next9 = tall.get(tallIndex + Math.min(72, tallRoom) * (depth / 4));
        long next10 = tall.get(tallIndex + Math.min(80, tallRoom) * (depth / 4));
        long next11 = tall.get(tallIndex + Math.min(88, tallRoom) * (depth / 4));
        long next12 = tall.get(tallIndex + Math.min(96, tallRoom) * (depth / 4));
        long next13 = tall.get(tallIndex + Math.min(104, tallRoom) * (depth / 4));
        long next14 = tall.get(tallIndex + Math.min(112, tallRoom) * (depth / 4));
        long next15 = tall.get(tallIndex + Math.min(120, tallRoom) * (depth / 4));
        float flat0a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 0 * flatRows,
                deep + 2 * (flatPair + 0 * flatPairs), cols, depth);
        float flat0b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 0 * flatRows,
                deep + 2 * (flatPair + 0 * flatPairs) + 1, cols, depth);
        float flat1a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 1 * flatRows,
                deep + 2 * (flatPair + 1 * flatPairs), cols, depth);
        float flat1b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 1 * flatRows,
                deep + 2 * (flatPair + 1 * flatPairs) + 1, cols, depth);
        float flat2a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 2 * flatRows,
                deep + 2 * (flatPair + 2 * flatPairs), cols, depth);
        float flat2b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 2 * flatRows,
                deep + 2 * (flatPair + 2 * flatPairs) + 1, cols, depth);
        float flat3a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 3 * flatRows,
                deep + 2 * (flatPair + 3 * flatPairs), cols, depth);
        float flat3b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 3 * flatRows,
                deep + 2 * (flatPair + 3 * flatPairs) + 1, cols, depth);

        // Where it goes in local memory, and where the lane's registers of the matrix unit come from: byte offsets,
        // less those that the loads add by themselves. The 16-byte pieces of a row of 128 bytes are exchanged so that
        // eight rows lie in different banks.
        int tallPut = tallRow * 32 + (column >> 1 ^ tallRow) * 4 + (column & 1) * 2;
        int aLane = warp * 4096 + (lane & 15) * 96 - (lane >> 4) * 16;
        int aGet0 = aLane + ((lane >> 4) ^ lane & 7) * 16;
        int aGet1 = aLane + (2 + (lane >> 4) ^ lane & 7) * 16;
        int aGet2 = aLane + (4 + (lane >> 4) ^ lane & 7) * 16;
        int aGet3 = aLane + (6 + (lane >> 4) ^ lane & 7) * 16;
        int bLane = (lane & 7) * 128 - (lane & 15) * 32 - (lane >> 4) * 16;
        int bGet0 = bLane + ((lane >> 3 & 1) ^ lane & 7) * 16;
        int bGet1 = bLane + (2 + (lane >> 3 & 1) ^ lane & 7) * 16;
        int bGet2 = bLane + (4 + (lane >> 3 & 1) ^ lane & 7) * 16;
        int bGet3 = bLane + (6 + (lane >> 3 & 1) ^ lane & 7) * 16;

        for (int step = 0; step < steps; step++) {
            int keep = MmaTiles.keep(deep / 4 + column, depth / 4, 16);
            tallTile[tallPut] = (int) next0 & keep;
            tallTile[tallPut + 1] = (int) (next0 >>> 32) & keep;
            tallTile[tallPut + 256] = (int) next1 & keep;
            tallTile[tallPut + 257] = (int) (next1 >>> 32) & keep;
            tallTile[tallPut + 512] = (int) next2 & keep;
            tallTile[tallPut + 513] = (int) (next2 >>> 32) & keep;
            tallTile[tallPut + 768] = (int) next3 & keep;
            tallTile[tallPut + 769] = (int) (next3 >>> 32) & keep;
            tallTile[tallPut + 1024] = (int) next4 & keep;
            tallTile[tallPut + 1025] = (int) (next4 >>> 32) & keep;
            tallTile[tallPut + 1280] = (int) next5 & keep;
            tallTile[tallPut + 1281] = (int) (next5 >>> 32) & keep;
            tallTile[tallPut + 1536] = (int) next6 & keep;
            tallTile[tallPut + 1537] = (int) (next6 >>> 32) & keep;
            tallTile[tallPut + 1792] = (int) next7 & keep;
            tallTile[tallPut + 1793] = (int) (next7 >>> 32) & keep;
            tallTile[tallPut + 2048] = (int) next8 & keep;
            tallTile[tallPut + 2049] = (int) (next8 >>> 32) & keep;
            tallTile[tallPut + 2304] = (int) next9 & keep;
            tallTile[tallPut + 2305] = (int) (next9 >>> 32) & keep;
            tallTile[tallPut + 2560] = (int) next10 & keep;
            tallTile[tallPut + 2561] = (int) (next10 >>> 32) & keep;
            tallTile[tallPut + 2816] = (int) next11 & keep;
            tallTile[tallPut + 2817] = (int) (next11 >>> 32) & keep;
            tallTile[tallPut + 3072] = (int) next12 & keep;
            tallTile[tallPut + 3073] = (int) (next12 >>> 32) & keep;
            tallTile[tallPut + 3328] = (int) next13 & keep;
            tallTile[tallPut + 3329] = (int) (next13 >>> 32) & keep;
            tallTile[tallPut + 3584] = (int) next14 & keep;
            tallTile[tallPut + 3585] = (int) (next14 >>> 32) & keep;
            tallTile[tallPut + 3840] = (int) next15 & keep;
            tallTile[tallPut + 3841] = (int) (next15 >>> 32) & keep;
            flatTile[MmaNarrow.place(flatRow + 0 * flatRows, flatPair + 0 * flatPairs)] =
                    AttentionTiles.pair(flat0a, flat0b);
            flatTile[MmaNarrow.place(flatRow + 1 * flatRows, flatPair + 1 * flatPairs)] =
                    AttentionTiles.pair(flat1a, flat1b);
            flatTile[MmaNarrow.place(flatRow + 2 * flatRows, flatPair + 2 * flatPairs)] =
                    AttentionTiles.pair(flat2a, flat2b);
            flatTile[MmaNarrow.place(flatRow + 3 * flatRows, flatPair + 3 * flatPairs)] =
                    AttentionTiles.pair(flat3a, flat3b);
            deep = from + Math.min(step + 1, steps - 1) * 64;
            tallIndex = tallAt + MmaTiles.clamp(deep / 4 + column, depth / 4, 16);
            next0 = tall.get(tallIndex);
            next1 = tall.get(tallIndex + Math.min(8, tallRoom) * (depth / 4));
            next2 = tall.get(tallIndex + Math.min(16, tallRoom) * (depth / 4));
            next3 = tall.get(tallIndex + Math.min(24, tallRoom) * (depth / 4));
            next4 = tall.get(tallIndex + Math.min(32, tallRoom) * (depth / 4));
            next5 = tall.get(tallIndex + Math.min(40, tallRoom) * (depth / 4));
            next6 = tall.get(tallIndex + Math.min(48, tallRoom) * (depth / 4));
            next7 = tall.get(tallIndex + Math.min(56, tallRoom) * (depth / 4));
            next8 = tall.get(tallIndex + Math.min(64, tallRoom) * (depth / 4));
            next9 = tall.get(tallIndex + Math.min(72, tallRoom) * (depth / 4));
            next10 = tall.get(tallIndex + Math.min(80, tallRoom) * (depth / 4));
            next11 = tall.get(tallIndex + Math.min(88, tallRoom) * (depth / 4));
            next12 = tall.get(tallIndex + Math.min(96, tallRoom) * (depth / 4));
            next13 = tall.get(tallIndex + Math.min(104, tallRoom) * (depth / 4));
            next14 = tall.get(tallIndex + Math.min(112, tallRoom) * (depth / 4));
            next15 = tall.get(tallIndex + Math.min(120, tallRoom) * (depth / 4));
            flat0a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 0 * flatRows,
                    deep + 2 * (flatPair + 0 * flatPairs), cols, depth);
            flat0b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 0 * flatRows,
                    deep + 2 * (flatPair + 0 * flatPairs) + 1, cols, depth);
            flat1a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 1 * flatRows,
                    deep + 2 * (flatPair + 1 * flatPairs), cols, depth);
            flat1b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 1 * flatRows,
                    deep + 2 * (flatPair + 1 * flatPairs) + 1, cols, depth);
            flat2a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 2 * flatRows,
                    deep + 2 * (flatPair + 2 * flatPairs), cols, depth);
            flat2b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 2 * flatRows,
                    deep + 2 * (flatPair + 2 * flatPairs) + 1, cols, depth);
            flat3a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 3 * flatRows,
                    deep + 2 * (flatPair + 3 * flatPairs), cols, depth);
            flat3b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 3 * flatRows,
                    deep + 2 * (flatPair + 3 * flatPairs) + 1, cols, depth);
            context.localBarrier();
            HalfFloat[] a00 = context.mmaLoadA(tallTile, 16, aGet0);
            HalfFloat[] a01 = context.mmaLoadA(tallTile, 16, aGet0 + 2048);
            HalfFloat[] b00 = context.mmaLoadA(flatTile, 16, bGet0);
            HalfFloat[] b01 = context.mmaLoadA(flatTile, 16, bGet0 + 1024);
            s00 = context.mmaBF16(a00, b00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a00, b01, s01, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a01, b01, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a01, b00, s10, MMAShape.M16N8K16);
            HalfFloat[] a10 = context.mmaLoadA(tallTile, 16, aGet1);
            HalfFloat[] a11 = context.mmaLoadA(tallTile, 16, aGet1 + 2048);
            HalfFloat[] b10 = context.mmaLoadA(flatTile, 16, bGet1);
            HalfFloat[] b11 = context.mmaLoadA(flatTile, 16, bGet1 + 1024);
            s00 = context.mmaBF16(a10, b10, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a10, b11, s01, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a11, b11, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a11, b10, s10, MMAShape.M16N8K16);
            HalfFloat[] a20 = context.mmaLoadA(tallTile, 16, aGet2);
            HalfFloat[] a21 = context.mmaLoadA(tallTile, 16, aGet2 + 2048);
            HalfFloat[] b20 = context.mmaLoadA(flatTile, 16, bGet2);
            HalfFloat[] b21 = context.mmaLoadA(flatTile, 16, bGet2 + 1024);
            s00 = context.mmaBF16(a20, b20, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a20, b21, s01, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a21, b21, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a21, b20, s10, MMAShape.M16N8K16);
            HalfFloat[] a30 = context.mmaLoadA(tallTile, 16, aGet3);
            HalfFloat[] a31 = context.mmaLoadA(tallTile, 16, aGet3 + 2048);
            HalfFloat[] b30 = context.mmaLoadA(flatTile, 16, bGet3);
            HalfFloat[] b31 = context.mmaLoadA(flatTile, 16, bGet3 + 1024);
            s00 = context.mmaBF16(a30, b30, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a30, b31, s01, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a31, b31, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a31, b30, s10, MMAShape.M16N8K16);
            context.localBarrier();
        }

        int row = (part * tiles + tile) * 128 + warp * 32;
        int sum = table.get(slot) + first;
        int stride = flatTiles * 16;
        context.mmaStore(s00, parts, row, sum, stride);
        context.mmaStore(s01, parts, row, sum + 8, stride);
        context.mmaStore(s10, parts, row + 16, sum, stride);
        context.mmaStore(s11, parts, row + 16, sum + 8, stride);
    }
}
