package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `GroupedNarrowGenerator`: change that, not this. Tiles of 128 by 16, steps of 64 along the depth.
public final class GroupedNarrowByDepth16 {
    private GroupedNarrowByDepth16() {}

    /// `parts[p, e, j, i] = sum_l tall(i, l) flat(j, l)` over the l of part p of the rows of expert e, on the
    /// matrix unit.
    /// Shapes: tall `[.., rows]`, BF16, seen as longs of four elements, rows a multiple of 4; flat F32
    /// `[.., cols]`, rounded to BF16; spans I32 from `ExpertTileKernels.expertTiles`; parts F32,
    /// `MmaGroupedNarrow.lengthOfExpert` for each expert, of no use beyond rows and cols. Operands in the table:
    /// parts, tall, flat, spans.
    /// Launch: `partCount * groupsOfPart(rows, cols, count)` groups of 128 threads; 19.0 KB of local memory.
    /// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of l. Writes: `=`.
    ///
    /// @param count     how many experts there are
    /// @param partCount how many parts the rows of an expert have
    public static void groupedNarrowByDepth16(KernelContext context, IntArray table, int slot, FloatArray parts,
            LongArray tall, FloatArray flat, IntArray spans, int rows, int cols, int count, int partCount) {
        int[] tallTile = context.allocateIntLocalArray(4352);
        int[] flatTile = context.allocateIntLocalArray(512);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        float zero = pin[0];
        float[] s00 = context.mmaFragment(zero);
        float[] s01 = context.mmaFragment(zero);
        float[] s02 = context.mmaFragment(zero);
        float[] s03 = context.mmaFragment(zero);
        int thread = context.localIdx;
        int lane = thread & 31;
        int warp = thread >> 5 & 3;
        int tiles = (rows + 127) / 128;
        int flatTiles = (cols + 15) / 16;
        int group = context.groupIdx;
        int top = group % tiles * 128;
        int first = group / tiles % flatTiles * 16;
        int expert = group / (tiles * flatTiles) % count;
        int part = group / (tiles * flatTiles * count);
        int span = table.get(slot + 3) + expert;
        int end = spans.get(span + 1);
        int partDepth = ExpertTiles.partDepth(end - spans.get(span), partCount, 64);
        int from = spans.get(span) + part * partDepth;
        int steps = Math.max(0, (Math.min(partDepth, end - from) + 63) / 64);

        // What this thread reads: of the tall operand four elements at a time, of the flat one two along the depth.
        int tallDepth = thread >> 5 & 3;
        int tallAt = table.get(slot + 1) / 4 + MmaTiles.clamp(top / 4 + lane, rows / 4, 32);
        int flatRow = thread & 15;
        int flatPair = thread >> 4 & 7;
        int flatRows = 0;                            // from one pair to the next
        int flatPairs = 8;
        int flatAt = table.get(slot + 2);
        int deep = from;
        int tallFirst = ExpertTiles.within(deep + tallDepth, end);
        int tallRoom = ExpertTiles.roomWithin(tallFirst, end);
        int tallIndex = tallAt + tallFirst * (rows / 4);
        long next0 = tall.get(tallIndex);
        long next1 = tall.get(tallIndex + Math.min(4, tallRoom) * (rows / 4));
        long next2 = tall.get(tallIndex + Math.min(8, tallRoom) * (rows / 4));
        long next3 = tall.get(tallIndex + Math.min(12, tallRoom) * (rows / 4));
        long next4 = tall.get(tallIndex + Math.min(16, tallRoom) * (rows / 4));
        long next5 = tall.get(tallIndex + Math.min(20, tallRoom) * (rows / 4));
        long next6 = tall.get(tallIndex + Math.min(24, tallRoom) * (rows / 4));
        long next7 = tall.get(tallIndex + Math.min(28, tallRoom) * (rows / 4));
        long next8 = tall.get(tallIndex + Math.min(32, tallRoom) * (rows / 4));
        long next9 = tall.get(tallIndex + Math.min(36, tallRoom) * (rows / 4));
        long next10 = tall.get(tallIndex + Math.min(40, tallRoom) * (rows / 4));
        long next11 = tall.get(tallIndex + Math.min(44, tallRoom) * (rows / 4));
        long next12 = tall.get(tallIndex + Math.min(48, tallRoom) * (rows / 4));
        long next13 = tall.get(tallIndex + Math.min(52, tallRoom) * (rows / 4));
        long next14 = tall.get(tallIndex + Math.min(56, tallRoom) * (rows / 4));
        long next15 = tall.get(tallIndex + Math.min(60, tallRoom) * (rows / 4));
        float flat0a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair, first + flatRow, cols, end);
        float flat0b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 1, first + flatRow, cols, end);
        float flat1a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 16, first + flatRow, cols, end);
        float flat1b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 16 + 1, first + flatRow, cols, end);
        float flat2a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 32, first + flatRow, cols, end);
        float flat2b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 32 + 1, first + flatRow, cols, end);
        float flat3a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 48, first + flatRow, cols, end);
        float flat3b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 48 + 1, first + flatRow, cols, end);

        // Where it goes in local memory, and where the lane's registers of the matrix unit come from: byte offsets,
        // less those that the loads add by themselves. The 16-byte pieces of a row of 128 bytes are exchanged so that
        // eight rows lie in different banks.
        int tallPut = tallDepth * 68 + lane * 2;
        int tallGet = warp * 64 + (lane & 15) * 256;
        int aLane = (lane & 15) * 96 - (lane >> 4) * 16;
        int aGet0 = aLane + ((lane >> 4) ^ lane & 7) * 16;
        int aGet1 = aLane + (2 + (lane >> 4) ^ lane & 7) * 16;
        int aGet2 = aLane + (4 + (lane >> 4) ^ lane & 7) * 16;
        int aGet3 = aLane + (6 + (lane >> 4) ^ lane & 7) * 16;

        for (int step = 0; step < steps; step++) {
            int keep0 = ExpertTiles.keepWithin(deep + tallDepth + 0, end);
            tallTile[tallPut] = (int) next0 & keep0;
            tallTile[tallPut + 1] = (int) (next0 >>> 32) & keep0;
            int keep1 = ExpertTiles.keepWithin(deep + tallDepth + 4, end);
            tallTile[tallPut + 272] = (int) next1 & keep1;
            tallTile[tallPut + 273] = (int) (next1 >>> 32) & keep1;
            int keep2 = ExpertTiles.keepWithin(deep + tallDepth + 8, end);
            tallTile[tallPut + 544] = (int) next2 & keep2;
            tallTile[tallPut + 545] = (int) (next2 >>> 32) & keep2;
            int keep3 = ExpertTiles.keepWithin(deep + tallDepth + 12, end);
            tallTile[tallPut + 816] = (int) next3 & keep3;
            tallTile[tallPut + 817] = (int) (next3 >>> 32) & keep3;
            int keep4 = ExpertTiles.keepWithin(deep + tallDepth + 16, end);
            tallTile[tallPut + 1088] = (int) next4 & keep4;
            tallTile[tallPut + 1089] = (int) (next4 >>> 32) & keep4;
            int keep5 = ExpertTiles.keepWithin(deep + tallDepth + 20, end);
            tallTile[tallPut + 1360] = (int) next5 & keep5;
            tallTile[tallPut + 1361] = (int) (next5 >>> 32) & keep5;
            int keep6 = ExpertTiles.keepWithin(deep + tallDepth + 24, end);
            tallTile[tallPut + 1632] = (int) next6 & keep6;
            tallTile[tallPut + 1633] = (int) (next6 >>> 32) & keep6;
            int keep7 = ExpertTiles.keepWithin(deep + tallDepth + 28, end);
            tallTile[tallPut + 1904] = (int) next7 & keep7;
            tallTile[tallPut + 1905] = (int) (next7 >>> 32) & keep7;
            int keep8 = ExpertTiles.keepWithin(deep + tallDepth + 32, end);
            tallTile[tallPut + 2176] = (int) next8 & keep8;
            tallTile[tallPut + 2177] = (int) (next8 >>> 32) & keep8;
            int keep9 = ExpertTiles.keepWithin(deep + tallDepth + 36, end);
            tallTile[tallPut + 2448] = (int) next9 & keep9;
            tallTile[tallPut + 2449] = (int) (next9 >>> 32) & keep9;
            int keep10 = ExpertTiles.keepWithin(deep + tallDepth + 40, end);
            tallTile[tallPut + 2720] = (int) next10 & keep10;
            tallTile[tallPut + 2721] = (int) (next10 >>> 32) & keep10;
            int keep11 = ExpertTiles.keepWithin(deep + tallDepth + 44, end);
            tallTile[tallPut + 2992] = (int) next11 & keep11;
            tallTile[tallPut + 2993] = (int) (next11 >>> 32) & keep11;
            int keep12 = ExpertTiles.keepWithin(deep + tallDepth + 48, end);
            tallTile[tallPut + 3264] = (int) next12 & keep12;
            tallTile[tallPut + 3265] = (int) (next12 >>> 32) & keep12;
            int keep13 = ExpertTiles.keepWithin(deep + tallDepth + 52, end);
            tallTile[tallPut + 3536] = (int) next13 & keep13;
            tallTile[tallPut + 3537] = (int) (next13 >>> 32) & keep13;
            int keep14 = ExpertTiles.keepWithin(deep + tallDepth + 56, end);
            tallTile[tallPut + 3808] = (int) next14 & keep14;
            tallTile[tallPut + 3809] = (int) (next14 >>> 32) & keep14;
            int keep15 = ExpertTiles.keepWithin(deep + tallDepth + 60, end);
            tallTile[tallPut + 4080] = (int) next15 & keep15;
            tallTile[tallPut + 4081] = (int) (next15 >>> 32) & keep15;
            flatTile[MmaNarrow.place(flatRow + 0 * flatRows, flatPair + 0 * flatPairs)] =
                    AttentionTiles.pair(flat0a, flat0b);
            flatTile[MmaNarrow.place(flatRow + 1 * flatRows, flatPair + 1 * flatPairs)] =
                    AttentionTiles.pair(flat1a, flat1b);
            flatTile[MmaNarrow.place(flatRow + 2 * flatRows, flatPair + 2 * flatPairs)] =
                    AttentionTiles.pair(flat2a, flat2b);
            flatTile[MmaNarrow.place(flatRow + 3 * flatRows, flatPair + 3 * flatPairs)] =
                    AttentionTiles.pair(flat3a, flat3b);
            deep = from + Math.min(step + 1, steps - 1) * 64;
            tallFirst = ExpertTiles.within(deep + tallDepth, end);
            tallRoom = ExpertTiles.roomWithin(tallFirst, end);
            tallIndex = tallAt + tallFirst * (rows / 4);
            next0 = tall.get(tallIndex);
            next1 = tall.get(tallIndex + Math.min(4, tallRoom) * (rows / 4));
            next2 = tall.get(tallIndex + Math.min(8, tallRoom) * (rows / 4));
            next3 = tall.get(tallIndex + Math.min(12, tallRoom) * (rows / 4));
            next4 = tall.get(tallIndex + Math.min(16, tallRoom) * (rows / 4));
            next5 = tall.get(tallIndex + Math.min(20, tallRoom) * (rows / 4));
            next6 = tall.get(tallIndex + Math.min(24, tallRoom) * (rows / 4));
            next7 = tall.get(tallIndex + Math.min(28, tallRoom) * (rows / 4));
            next8 = tall.get(tallIndex + Math.min(32, tallRoom) * (rows / 4));
            next9 = tall.get(tallIndex + Math.min(36, tallRoom) * (rows / 4));
            next10 = tall.get(tallIndex + Math.min(40, tallRoom) * (rows / 4));
            next11 = tall.get(tallIndex + Math.min(44, tallRoom) * (rows / 4));
            next12 = tall.get(tallIndex + Math.min(48, tallRoom) * (rows / 4));
            next13 = tall.get(tallIndex + Math.min(52, tallRoom) * (rows / 4));
            next14 = tall.get(tallIndex + Math.min(56, tallRoom) * (rows / 4));
            next15 = tall.get(tallIndex + Math.min(60, tallRoom) * (rows / 4));
            flat0a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair, first + flatRow, cols, end);
            flat0b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 1, first + flatRow, cols, end);
            flat1a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 16, first + flatRow, cols, end);
            flat1b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 16 + 1, first + flatRow, cols, end);
            flat2a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 32, first + flatRow, cols, end);
            flat2b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 32 + 1, first + flatRow, cols, end);
            flat3a = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 48, first + flatRow, cols, end);
            flat3b = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair + 48 + 1, first + flatRow, cols, end);
            context.localBarrier();
            HalfFloat[] a00 = context.mmaLoadA(flatTile, 16, aGet0);
            HalfFloat[] b00 = context.mmaLoadB(tallTile, 16, tallGet);
            HalfFloat[] b01 = context.mmaLoadB(tallTile, 16, tallGet + 16);
            HalfFloat[] b02 = context.mmaLoadB(tallTile, 16, tallGet + 32);
            HalfFloat[] b03 = context.mmaLoadB(tallTile, 16, tallGet + 48);
            s00 = context.mmaBF16(a00, b00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a00, b01, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a00, b02, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a00, b03, s03, MMAShape.M16N8K16);
            HalfFloat[] a10 = context.mmaLoadA(flatTile, 16, aGet1);
            HalfFloat[] b10 = context.mmaLoadB(tallTile, 16, tallGet + 4352);
            HalfFloat[] b11 = context.mmaLoadB(tallTile, 16, tallGet + 4368);
            HalfFloat[] b12 = context.mmaLoadB(tallTile, 16, tallGet + 4384);
            HalfFloat[] b13 = context.mmaLoadB(tallTile, 16, tallGet + 4400);
            s00 = context.mmaBF16(a10, b10, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a10, b11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a10, b12, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a10, b13, s03, MMAShape.M16N8K16);
            HalfFloat[] a20 = context.mmaLoadA(flatTile, 16, aGet2);
            HalfFloat[] b20 = context.mmaLoadB(tallTile, 16, tallGet + 8704);
            HalfFloat[] b21 = context.mmaLoadB(tallTile, 16, tallGet + 8720);
            HalfFloat[] b22 = context.mmaLoadB(tallTile, 16, tallGet + 8736);
            HalfFloat[] b23 = context.mmaLoadB(tallTile, 16, tallGet + 8752);
            s00 = context.mmaBF16(a20, b20, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a20, b21, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a20, b22, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a20, b23, s03, MMAShape.M16N8K16);
            HalfFloat[] a30 = context.mmaLoadA(flatTile, 16, aGet3);
            HalfFloat[] b30 = context.mmaLoadB(tallTile, 16, tallGet + 13056);
            HalfFloat[] b31 = context.mmaLoadB(tallTile, 16, tallGet + 13072);
            HalfFloat[] b32 = context.mmaLoadB(tallTile, 16, tallGet + 13088);
            HalfFloat[] b33 = context.mmaLoadB(tallTile, 16, tallGet + 13104);
            s00 = context.mmaBF16(a30, b30, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a30, b31, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a30, b32, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a30, b33, s03, MMAShape.M16N8K16);
            context.localBarrier();
        }

        int row = (part * count + expert) * flatTiles * 16 + first;
        int sum = table.get(slot) + top + warp * 32;
        int stride = tiles * 128;
        context.mmaStore(s00, parts, row, sum, stride);
        context.mmaStore(s01, parts, row, sum + 8, stride);
        context.mmaStore(s02, parts, row, sum + 16, stride);
        context.mmaStore(s03, parts, row, sum + 24, stride);
    }
}
