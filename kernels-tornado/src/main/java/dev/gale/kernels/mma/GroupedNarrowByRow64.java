package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `GroupedNarrowGenerator`: change that, not this. Tiles of 128 by 64, steps of 64 along the depth.
public final class GroupedNarrowByRow64 {
    private GroupedNarrowByRow64() {}

    /// `parts[p, i, j] = sum_l tall(i, l) flat[e](j, l)` over the l of part p, on the matrix unit, for the rows i
    /// of each tile and the expert e that they belong to.
    /// Shapes: tall `[rows, depth]`, BF16, seen as longs of four elements, depth a multiple of 4; flat[e] F32,
    /// `[cols, depth]` or, by depth, `[depth, cols]`, rounded to BF16; spans I32 from
    /// `ExpertTileKernels.expertTiles` for tiles of 128 rows; parts F32, `MmaGroupedNarrow.partLength` each, i
    /// counted from the anchor of each tile. Operands in the table: parts, tall, flat of the first expert, spans.
    /// Launch: `MmaGroupedNarrow.groups(rows, cols, depth, count)` groups of 128 threads; 24.0 KB of local memory.
    /// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of l. Writes: `=`.
    ///
    /// @param flatByDepth 1: flat is stored `[depth, cols]`
    /// @param partDepth   from `MmaNarrow.partDepth(depth)`
    /// @param count       how many experts there are
    /// @param distance    elements from the flat operand of one to that of the next
    public static void groupedNarrowByRow64(KernelContext context, IntArray table, int slot, FloatArray parts,
            LongArray tall, FloatArray flat, IntArray spans, int flatByDepth, int rows, int cols, int depth,
            int partDepth, int count, int distance) {
        int[] tallTile = context.allocateIntLocalArray(4096);
        int[] flatTile = context.allocateIntLocalArray(2048);
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
        int thread = context.localIdx;
        int lane = thread & 31;
        int warp = thread >> 5 & 3;
        int tiles = ExpertTiles.count(rows, count, 128);
        int flatTiles = (cols + 63) / 64;
        int group = context.groupIdx;
        int tile = group % tiles;
        int span = table.get(slot + 3) + ExpertTiles.span(tile, count);
        int expert = spans.get(span);
        int begin = spans.get(span + 1);
        int end = spans.get(span + 2);
        int top = ExpertTiles.anchor(begin, rows, 128);
        int first = group / tiles % flatTiles * 64;
        int part = group / (tiles * flatTiles);
        int from = part * partDepth;
        int steps = begin < end ? (Math.min(partDepth, depth - from) + 63) / 64 : 0;

        // What this thread reads: of the tall operand four elements at a time, of the flat one two along the depth.
        int column = thread & 15;
        int tallRow = thread >> 4 & 7;
        int tallFirst = ExpertTiles.clamp(top + tallRow, rows, 128);
        int tallRoom = ExpertTiles.room(tallFirst, rows, 128);
        int tallAt = table.get(slot + 1) / 4 + tallFirst * (depth / 4);
        int flatRow = flatByDepth == 1 ? thread & 63 : thread >> 5 & 3;
        int flatPair = flatByDepth == 1 ? thread >> 6 & 1 : thread & 31;
        int flatRows = flatByDepth == 1 ? 0 : 4;     // from one pair to the next
        int flatPairs = flatByDepth == 1 ? 2 : 0;
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
        float flat4a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 4 * flatRows,
                deep + 2 * (flatPair + 4 * flatPairs), cols, depth);
        float flat4b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 4 * flatRows,
                deep + 2 * (flatPair + 4 * flatPairs) + 1, cols, depth);
        float flat5a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 5 * flatRows,
                deep + 2 * (flatPair + 5 * flatPairs), cols, depth);
        float flat5b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 5 * flatRows,
                deep + 2 * (flatPair + 5 * flatPairs) + 1, cols, depth);
        float flat6a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 6 * flatRows,
                deep + 2 * (flatPair + 6 * flatPairs), cols, depth);
        float flat6b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 6 * flatRows,
                deep + 2 * (flatPair + 6 * flatPairs) + 1, cols, depth);
        float flat7a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 7 * flatRows,
                deep + 2 * (flatPair + 7 * flatPairs), cols, depth);
        float flat7b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 7 * flatRows,
                deep + 2 * (flatPair + 7 * flatPairs) + 1, cols, depth);
        float flat8a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 8 * flatRows,
                deep + 2 * (flatPair + 8 * flatPairs), cols, depth);
        float flat8b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 8 * flatRows,
                deep + 2 * (flatPair + 8 * flatPairs) + 1, cols, depth);
        float flat9a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 9 * flatRows,
                deep + 2 * (flatPair + 9 * flatPairs), cols, depth);
        float flat9b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 9 * flatRows,
                deep + 2 * (flatPair + 9 * flatPairs) + 1, cols, depth);
        float flat10a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 10 * flatRows,
                deep + 2 * (flatPair + 10 * flatPairs), cols, depth);
        float flat10b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 10 * flatRows,
                deep + 2 * (flatPair + 10 * flatPairs) + 1, cols, depth);
        float flat11a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 11 * flatRows,
                deep + 2 * (flatPair + 11 * flatPairs), cols, depth);
        float flat11b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 11 * flatRows,
                deep + 2 * (flatPair + 11 * flatPairs) + 1, cols, depth);
        float flat12a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 12 * flatRows,
                deep + 2 * (flatPair + 12 * flatPairs), cols, depth);
        float flat12b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 12 * flatRows,
                deep + 2 * (flatPair + 12 * flatPairs) + 1, cols, depth);
        float flat13a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 13 * flatRows,
                deep + 2 * (flatPair + 13 * flatPairs), cols, depth);
        float flat13b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 13 * flatRows,
                deep + 2 * (flatPair + 13 * flatPairs) + 1, cols, depth);
        float flat14a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 14 * flatRows,
                deep + 2 * (flatPair + 14 * flatPairs), cols, depth);
        float flat14b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 14 * flatRows,
                deep + 2 * (flatPair + 14 * flatPairs) + 1, cols, depth);
        float flat15a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 15 * flatRows,
                deep + 2 * (flatPair + 15 * flatPairs), cols, depth);
        float flat15b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 15 * flatRows,
                deep + 2 * (flatPair + 15 * flatPairs) + 1, cols, depth);

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
            flatTile[MmaNarrow.place(flatRow + 4 * flatRows, flatPair + 4 * flatPairs)] =
                    AttentionTiles.pair(flat4a, flat4b);
            flatTile[MmaNarrow.place(flatRow + 5 * flatRows, flatPair + 5 * flatPairs)] =
                    AttentionTiles.pair(flat5a, flat5b);
            flatTile[MmaNarrow.place(flatRow + 6 * flatRows, flatPair + 6 * flatPairs)] =
                    AttentionTiles.pair(flat6a, flat6b);
            flatTile[MmaNarrow.place(flatRow + 7 * flatRows, flatPair + 7 * flatPairs)] =
                    AttentionTiles.pair(flat7a, flat7b);
            flatTile[MmaNarrow.place(flatRow + 8 * flatRows, flatPair + 8 * flatPairs)] =
                    AttentionTiles.pair(flat8a, flat8b);
            flatTile[MmaNarrow.place(flatRow + 9 * flatRows, flatPair + 9 * flatPairs)] =
                    AttentionTiles.pair(flat9a, flat9b);
            flatTile[MmaNarrow.place(flatRow + 10 * flatRows, flatPair + 10 * flatPairs)] =
                    AttentionTiles.pair(flat10a, flat10b);
            flatTile[MmaNarrow.place(flatRow + 11 * flatRows, flatPair + 11 * flatPairs)] =
                    AttentionTiles.pair(flat11a, flat11b);
            flatTile[MmaNarrow.place(flatRow + 12 * flatRows, flatPair + 12 * flatPairs)] =
                    AttentionTiles.pair(flat12a, flat12b);
            flatTile[MmaNarrow.place(flatRow + 13 * flatRows, flatPair + 13 * flatPairs)] =
                    AttentionTiles.pair(flat13a, flat13b);
            flatTile[MmaNarrow.place(flatRow + 14 * flatRows, flatPair + 14 * flatPairs)] =
                    AttentionTiles.pair(flat14a, flat14b);
            flatTile[MmaNarrow.place(flatRow + 15 * flatRows, flatPair + 15 * flatPairs)] =
                    AttentionTiles.pair(flat15a, flat15b);
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
            flat4a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 4 * flatRows,
                    deep + 2 * (flatPair + 4 * flatPairs), cols, depth);
            flat4b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 4 * flatRows,
                    deep + 2 * (flatPair + 4 * flatPairs) + 1, cols, depth);
            flat5a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 5 * flatRows,
                    deep + 2 * (flatPair + 5 * flatPairs), cols, depth);
            flat5b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 5 * flatRows,
                    deep + 2 * (flatPair + 5 * flatPairs) + 1, cols, depth);
            flat6a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 6 * flatRows,
                    deep + 2 * (flatPair + 6 * flatPairs), cols, depth);
            flat6b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 6 * flatRows,
                    deep + 2 * (flatPair + 6 * flatPairs) + 1, cols, depth);
            flat7a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 7 * flatRows,
                    deep + 2 * (flatPair + 7 * flatPairs), cols, depth);
            flat7b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 7 * flatRows,
                    deep + 2 * (flatPair + 7 * flatPairs) + 1, cols, depth);
            flat8a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 8 * flatRows,
                    deep + 2 * (flatPair + 8 * flatPairs), cols, depth);
            flat8b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 8 * flatRows,
                    deep + 2 * (flatPair + 8 * flatPairs) + 1, cols, depth);
            flat9a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 9 * flatRows,
                    deep + 2 * (flatPair + 9 * flatPairs), cols, depth);
            flat9b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 9 * flatRows,
                    deep + 2 * (flatPair + 9 * flatPairs) + 1, cols, depth);
            flat10a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 10 * flatRows,
                    deep + 2 * (flatPair + 10 * flatPairs), cols, depth);
            flat10b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 10 * flatRows,
                    deep + 2 * (flatPair + 10 * flatPairs) + 1, cols, depth);
            flat11a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 11 * flatRows,
                    deep + 2 * (flatPair + 11 * flatPairs), cols, depth);
            flat11b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 11 * flatRows,
                    deep + 2 * (flatPair + 11 * flatPairs) + 1, cols, depth);
            flat12a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 12 * flatRows,
                    deep + 2 * (flatPair + 12 * flatPairs), cols, depth);
            flat12b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 12 * flatRows,
                    deep + 2 * (flatPair + 12 * flatPairs) + 1, cols, depth);
            flat13a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 13 * flatRows,
                    deep + 2 * (flatPair + 13 * flatPairs), cols, depth);
            flat13b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 13 * flatRows,
                    deep + 2 * (flatPair + 13 * flatPairs) + 1, cols, depth);
            flat14a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 14 * flatRows,
                    deep + 2 * (flatPair + 14 * flatPairs), cols, depth);
            flat14b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 14 * flatRows,
                    deep + 2 * (flatPair + 14 * flatPairs) + 1, cols, depth);
            flat15a = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 15 * flatRows,
                    deep + 2 * (flatPair + 15 * flatPairs), cols, depth);
            flat15b = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + 15 * flatRows,
                    deep + 2 * (flatPair + 15 * flatPairs) + 1, cols, depth);
            context.localBarrier();
            HalfFloat[] a00 = context.mmaLoadA(tallTile, 16, aGet0);
            HalfFloat[] a01 = context.mmaLoadA(tallTile, 16, aGet0 + 2048);
            HalfFloat[] b00 = context.mmaLoadA(flatTile, 16, bGet0);
            HalfFloat[] b01 = context.mmaLoadA(flatTile, 16, bGet0 + 1024);
            HalfFloat[] b02 = context.mmaLoadA(flatTile, 16, bGet0 + 2048);
            HalfFloat[] b03 = context.mmaLoadA(flatTile, 16, bGet0 + 3072);
            HalfFloat[] b04 = context.mmaLoadA(flatTile, 16, bGet0 + 4096);
            HalfFloat[] b05 = context.mmaLoadA(flatTile, 16, bGet0 + 5120);
            HalfFloat[] b06 = context.mmaLoadA(flatTile, 16, bGet0 + 6144);
            HalfFloat[] b07 = context.mmaLoadA(flatTile, 16, bGet0 + 7168);
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
            HalfFloat[] a10 = context.mmaLoadA(tallTile, 16, aGet1);
            HalfFloat[] a11 = context.mmaLoadA(tallTile, 16, aGet1 + 2048);
            HalfFloat[] b10 = context.mmaLoadA(flatTile, 16, bGet1);
            HalfFloat[] b11 = context.mmaLoadA(flatTile, 16, bGet1 + 1024);
            HalfFloat[] b12 = context.mmaLoadA(flatTile, 16, bGet1 + 2048);
            HalfFloat[] b13 = context.mmaLoadA(flatTile, 16, bGet1 + 3072);
            HalfFloat[] b14 = context.mmaLoadA(flatTile, 16, bGet1 + 4096);
            HalfFloat[] b15 = context.mmaLoadA(flatTile, 16, bGet1 + 5120);
            HalfFloat[] b16 = context.mmaLoadA(flatTile, 16, bGet1 + 6144);
            HalfFloat[] b17 = context.mmaLoadA(flatTile, 16, bGet1 + 7168);
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
            HalfFloat[] a20 = context.mmaLoadA(tallTile, 16, aGet2);
            HalfFloat[] a21 = context.mmaLoadA(tallTile, 16, aGet2 + 2048);
            HalfFloat[] b20 = context.mmaLoadA(flatTile, 16, bGet2);
            HalfFloat[] b21 = context.mmaLoadA(flatTile, 16, bGet2 + 1024);
            HalfFloat[] b22 = context.mmaLoadA(flatTile, 16, bGet2 + 2048);
            HalfFloat[] b23 = context.mmaLoadA(flatTile, 16, bGet2 + 3072);
            HalfFloat[] b24 = context.mmaLoadA(flatTile, 16, bGet2 + 4096);
            HalfFloat[] b25 = context.mmaLoadA(flatTile, 16, bGet2 + 5120);
            HalfFloat[] b26 = context.mmaLoadA(flatTile, 16, bGet2 + 6144);
            HalfFloat[] b27 = context.mmaLoadA(flatTile, 16, bGet2 + 7168);
            s00 = context.mmaBF16(a20, b20, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a20, b21, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a20, b22, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a20, b23, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(a20, b24, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(a20, b25, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(a20, b26, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(a20, b27, s07, MMAShape.M16N8K16);
            s17 = context.mmaBF16(a21, b27, s17, MMAShape.M16N8K16);
            s16 = context.mmaBF16(a21, b26, s16, MMAShape.M16N8K16);
            s15 = context.mmaBF16(a21, b25, s15, MMAShape.M16N8K16);
            s14 = context.mmaBF16(a21, b24, s14, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a21, b23, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a21, b22, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a21, b21, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a21, b20, s10, MMAShape.M16N8K16);
            HalfFloat[] a30 = context.mmaLoadA(tallTile, 16, aGet3);
            HalfFloat[] a31 = context.mmaLoadA(tallTile, 16, aGet3 + 2048);
            HalfFloat[] b30 = context.mmaLoadA(flatTile, 16, bGet3);
            HalfFloat[] b31 = context.mmaLoadA(flatTile, 16, bGet3 + 1024);
            HalfFloat[] b32 = context.mmaLoadA(flatTile, 16, bGet3 + 2048);
            HalfFloat[] b33 = context.mmaLoadA(flatTile, 16, bGet3 + 3072);
            HalfFloat[] b34 = context.mmaLoadA(flatTile, 16, bGet3 + 4096);
            HalfFloat[] b35 = context.mmaLoadA(flatTile, 16, bGet3 + 5120);
            HalfFloat[] b36 = context.mmaLoadA(flatTile, 16, bGet3 + 6144);
            HalfFloat[] b37 = context.mmaLoadA(flatTile, 16, bGet3 + 7168);
            s00 = context.mmaBF16(a30, b30, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a30, b31, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a30, b32, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a30, b33, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(a30, b34, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(a30, b35, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(a30, b36, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(a30, b37, s07, MMAShape.M16N8K16);
            s17 = context.mmaBF16(a31, b37, s17, MMAShape.M16N8K16);
            s16 = context.mmaBF16(a31, b36, s16, MMAShape.M16N8K16);
            s15 = context.mmaBF16(a31, b35, s15, MMAShape.M16N8K16);
            s14 = context.mmaBF16(a31, b34, s14, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a31, b33, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a31, b32, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a31, b31, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a31, b30, s10, MMAShape.M16N8K16);
            context.localBarrier();
        }

        int row = (part * tiles + tile) * 128 + warp * 32;
        int sum = table.get(slot) + first;
        int stride = flatTiles * 64;
        context.mmaStore(s00, parts, row, sum, stride);
        context.mmaStore(s01, parts, row, sum + 8, stride);
        context.mmaStore(s02, parts, row, sum + 16, stride);
        context.mmaStore(s03, parts, row, sum + 24, stride);
        context.mmaStore(s04, parts, row, sum + 32, stride);
        context.mmaStore(s05, parts, row, sum + 40, stride);
        context.mmaStore(s06, parts, row, sum + 48, stride);
        context.mmaStore(s07, parts, row, sum + 56, stride);
        context.mmaStore(s10, parts, row + 16, sum, stride);
        context.mmaStore(s11, parts, row + 16, sum + 8, stride);
        context.mmaStore(s12, parts, row + 16, sum + 16, stride);
        context.mmaStore(s13, parts, row + 16, sum + 24, stride);
        context.mmaStore(s14, parts, row + 16, sum + 32, stride);
        context.mmaStore(s15, parts, row + 16, sum + 40, stride);
        context.mmaStore(s16, parts, row + 16, sum + 48, stride);
        context.mmaStore(s17, parts, row + 16, sum + 56, stride);
    }
}
