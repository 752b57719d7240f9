package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `NarrowGenerator`: change that, not this. Tiles of 128 by 64, steps of 64 along the depth.
public final class NarrowByDepth64 {
    private NarrowByDepth64() {}

    /// `parts[p, j, i] = sum_l tall(i, l) flat(j, l)` over the l of part p, on the matrix unit.
    /// Shapes: tall `[depth, rows]`, BF16, seen as longs of four elements, rows a multiple of 4; flat F32,
    /// `[cols, depth]` or, by depth, `[depth, cols]`, rounded to BF16; parts F32, `MmaNarrow.partLength` each, of
    /// no use beyond rows and cols. Operands in the table: parts, tall, flat.
    /// Launch: `MmaNarrow.groups(rows, cols, depth)` groups of 128 threads; 25.0 KB of local memory.
    /// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of l. Writes: `=`.
    ///
    /// @param flatByDepth 1: flat is stored `[depth, cols]`
    /// @param partDepth   from `MmaNarrow.partDepth(depth)`
    public static void narrowByDepth64(KernelContext context, IntArray table, int slot, FloatArray parts,
            LongArray tall, FloatArray flat, int flatByDepth, int rows, int cols, int depth, int partDepth) {
        int[] tallTile = context.allocateIntLocalArray(4352);
        int[] flatTile = context.allocateIntLocalArray(2048);
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
        float[] s20 = context.mmaFragment(zero);
        float[] s21 = context.mmaFragment(zero);
        float[] s22 = context.mmaFragment(zero);
        float[] s23 = context.mmaFragment(zero);
        float[] s30 = context.mmaFragment(zero);
        float[] s31 = context.mmaFragment(zero);
        float[] s32 = context.mmaFragment(zero);
        float[] s33 = context.mmaFragment(zero);
        int thread = context.localIdx;
        int lane = thread & 31;
        int warp = thread >> 5 & 3;
        int tiles = (rows + 127) / 128;
        int flatTiles = (cols + 63) / 64;
        int group = context.groupIdx;
        int top = group % tiles * 128;
        int first = group / tiles % flatTiles * 64;
        int part = group / (tiles * flatTiles);
        int from = part * partDepth;
        int steps = (Math.min(partDepth, depth - from) + 63) / 64;

        // What this thread reads: of the tall operand four elements at a time, of the flat one two along the depth.
        int tallDepth = thread >> 5 & 3;
        int tallAt = table.get(slot + 1) / 4 + MmaTiles.clamp(top / 4 + lane, rows / 4, 32);
        int flatRow = flatByDepth == 1 ? thread & 63 : thread >> 5 & 3;
        int flatPair = flatByDepth == 1 ? thread >> 6 & 1 : thread & 31;
        int flatRows = flatByDepth == 1 ? 0 : 4;     // from one pair to the next
        int flatPairs = flatByDepth == 1 ? 2 : 0;
        int flatAt = table.get(slot + 2);
        int deep = from;
        int tallFirst = MmaTiles.clamp(deep + tallDepth, depth, 64);
        int tallRoom = MmaTiles.room(tallFirst, depth, 64);
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
        int tallPut = tallDepth * 68 + lane * 2;
        int tallGet = warp * 64 + (lane & 15) * 256;
        int aLane = (lane & 15) * 96 - (lane >> 4) * 16;
        int aGet0 = aLane + ((lane >> 4) ^ lane & 7) * 16;
        int aGet1 = aLane + (2 + (lane >> 4) ^ lane & 7) * 16;
        int aGet2 = aLane + (4 + (lane >> 4) ^ lane & 7) * 16;
        int aGet3 = aLane + (6 + (lane >> 4) ^ lane & 7) * 16;

        for (int step = 0; step < steps; step++) {
            int keep0 = MmaTiles.keep(deep + tallDepth + 0, depth, 64);
            tallTile[tallPut] = (int) next0 & keep0;
            tallTile[tallPut + 1] = (int) (next0 >>> 32) & keep0;
            int keep1 = MmaTiles.keep(deep + tallDepth + 4, depth, 64);
            tallTile[tallPut + 272] = (int) next1 & keep1;
            tallTile[tallPut + 273] = (int) (next1 >>> 32) & keep1;
            int keep2 = MmaTiles.keep(deep + tallDepth + 8, depth, 64);
            tallTile[tallPut + 544] = (int) next2 & keep2;
            tallTile[tallPut + 545] = (int) (next2 >>> 32) & keep2;
            int keep3 = MmaTiles.keep(deep + tallDepth + 12, depth, 64);
            tallTile[tallPut + 816] = (int) next3 & keep3;
            tallTile[tallPut + 817] = (int) (next3 >>> 32) & keep3;
            int keep4 = MmaTiles.keep(deep + tallDepth + 16, depth, 64);
            tallTile[tallPut + 1088] = (int) next4 & keep4;
            tallTile[tallPut + 1089] = (int) (next4 >>> 32) & keep4;
            int keep5 = MmaTiles.keep(deep + tallDepth + 20, depth, 64);
            tallTile[tallPut + 1360] = (int) next5 & keep5;
            tallTile[tallPut + 1361] = (int) (next5 >>> 32) & keep5;
            int keep6 = MmaTiles.keep(deep + tallDepth + 24, depth, 64);
            tallTile[tallPut + 1632] = (int) next6 & keep6;
            tallTile[tallPut + 1633] = (int) (next6 >>> 32) & keep6;
            int keep7 = MmaTiles.keep(deep + tallDepth + 28, depth, 64);
            tallTile[tallPut + 1904] = (int) next7 & keep7;
            tallTile[tallPut + 1905] = (int) (next7 >>> 32) & keep7;
            int keep8 = MmaTiles.keep(deep + tallDepth + 32, depth, 64);
            tallTile[tallPut + 2176] = (int) next8 & keep8;
            tallTile[tallPut + 2177] = (int) (next8 >>> 32) & keep8;
            int keep9 = MmaTiles.keep(deep + tallDepth + 36, depth, 64);
            tallTile[tallPut + 2448] = (int) next9 & keep9;
            tallTile[tallPut + 2449] = (int) (next9 >>> 32) & keep9;
            int keep10 = MmaTiles.keep(deep + tallDepth + 40, depth, 64);
            tallTile[tallPut + 2720] = (int) next10 & keep10;
            tallTile[tallPut + 2721] = (int) (next10 >>> 32) & keep10;
            int keep11 = MmaTiles.keep(deep + tallDepth + 44, depth, 64);
            tallTile[tallPut + 2992] = (int) next11 & keep11;
            tallTile[tallPut + 2993] = (int) (next11 >>> 32) & keep11;
            int keep12 = MmaTiles.keep(deep + tallDepth + 48, depth, 64);
            tallTile[tallPut + 3264] = (int) next12 & keep12;
            tallTile[tallPut + 3265] = (int) (next12 >>> 32) & keep12;
            int keep13 = MmaTiles.keep(deep + tallDepth + 52, depth, 64);
            tallTile[tallPut + 3536] = (int) next13 & keep13;
            tallTile[tallPut + 3537] = (int) (next13 >>> 32) & keep13;
            int keep14 = MmaTiles.keep(deep + tallDepth + 56, depth, 64);
            tallTile[tallPut + 3808] = (int) next14 & keep14;
            tallTile[tallPut + 3809] = (int) (next14 >>> 32) & keep14;
            int keep15 = MmaTiles.keep(deep + tallDepth + 60, depth, 64);
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
            tallFirst = MmaTiles.clamp(deep + tallDepth, depth, 64);
            tallRoom = MmaTiles.room(tallFirst, depth, 64);
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
            HalfFloat[] a00 = context.mmaLoadA(flatTile, 16, aGet0);
            HalfFloat[] a01 = context.mmaLoadA(flatTile, 16, aGet0 + 2048);
            HalfFloat[] a02 = context.mmaLoadA(flatTile, 16, aGet0 + 4096);
            HalfFloat[] a03 = context.mmaLoadA(flatTile, 16, aGet0 + 6144);
            HalfFloat[] b00 = context.mmaLoadB(tallTile, 16, tallGet);
            HalfFloat[] b01 = context.mmaLoadB(tallTile, 16, tallGet + 16);
            HalfFloat[] b02 = context.mmaLoadB(tallTile, 16, tallGet + 32);
            HalfFloat[] b03 = context.mmaLoadB(tallTile, 16, tallGet + 48);
            s00 = context.mmaBF16(a00, b00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a00, b01, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a00, b02, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a00, b03, s03, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a01, b03, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a01, b02, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a01, b01, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a01, b00, s10, MMAShape.M16N8K16);
            s20 = context.mmaBF16(a02, b00, s20, MMAShape.M16N8K16);
            s21 = context.mmaBF16(a02, b01, s21, MMAShape.M16N8K16);
            s22 = context.mmaBF16(a02, b02, s22, MMAShape.M16N8K16);
            s23 = context.mmaBF16(a02, b03, s23, MMAShape.M16N8K16);
            s33 = context.mmaBF16(a03, b03, s33, MMAShape.M16N8K16);
            s32 = context.mmaBF16(a03, b02, s32, MMAShape.M16N8K16);
            s31 = context.mmaBF16(a03, b01, s31, MMAShape.M16N8K16);
            s30 = context.mmaBF16(a03, b00, s30, MMAShape.M16N8K16);
            HalfFloat[] a10 = context.mmaLoadA(flatTile, 16, aGet1);
            HalfFloat[] a11 = context.mmaLoadA(flatTile, 16, aGet1 + 2048);
            HalfFloat[] a12 = context.mmaLoadA(flatTile, 16, aGet1 + 4096);
            HalfFloat[] a13 = context.mmaLoadA(flatTile, 16, aGet1 + 6144);
            HalfFloat[] b10 = context.mmaLoadB(tallTile, 16, tallGet + 4352);
            HalfFloat[] b11 = context.mmaLoadB(tallTile, 16, tallGet + 4368);
            HalfFloat[] b12 = context.mmaLoadB(tallTile, 16, tallGet + 4384);
            HalfFloat[] b13 = context.mmaLoadB(tallTile, 16, tallGet + 4400);
            s00 = context.mmaBF16(a10, b10, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a10, b11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a10, b12, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a10, b13, s03, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a11, b13, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a11, b12, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a11, b11, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a11, b10, s10, MMAShape.M16N8K16);
            s20 = context.mmaBF16(a12, b10, s20, MMAShape.M16N8K16);
            s21 = context.mmaBF16(a12, b11, s21, MMAShape.M16N8K16);
            s22 = context.mmaBF16(a12, b12, s22, MMAShape.M16N8K16);
            s23 = context.mmaBF16(a12, b13, s23, MMAShape.M16N8K16);
            s33 = context.mmaBF16(a13, b13, s33, MMAShape.M16N8K16);
            s32 = context.mmaBF16(a13, b12, s32, MMAShape.M16N8K16);
            s31 = context.mmaBF16(a13, b11, s31, MMAShape.M16N8K16);
            s30 = context.mmaBF16(a13, b10, s30, MMAShape.M16N8K16);
            HalfFloat[] a20 = context.mmaLoadA(flatTile, 16, aGet2);
            HalfFloat[] a21 = context.mmaLoadA(flatTile, 16, aGet2 + 2048);
            HalfFloat[] a22 = context.mmaLoadA(flatTile, 16, aGet2 + 4096);
            HalfFloat[] a23 = context.mmaLoadA(flatTile, 16, aGet2 + 6144);
            HalfFloat[] b20 = context.mmaLoadB(tallTile, 16, tallGet + 8704);
            HalfFloat[] b21 = context.mmaLoadB(tallTile, 16, tallGet + 8720);
            HalfFloat[] b22 = context.mmaLoadB(tallTile, 16, tallGet + 8736);
            HalfFloat[] b23 = context.mmaLoadB(tallTile, 16, tallGet + 8752);
            s00 = context.mmaBF16(a20, b20, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a20, b21, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a20, b22, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a20, b23, s03, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a21, b23, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a21, b22, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a21, b21, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a21, b20, s10, MMAShape.M16N8K16);
            s20 = context.mmaBF16(a22, b20, s20, MMAShape.M16N8K16);
            s21 = context.mmaBF16(a22, b21, s21, MMAShape.M16N8K16);
            s22 = context.mmaBF16(a22, b22, s22, MMAShape.M16N8K16);
            s23 = context.mmaBF16(a22, b23, s23, MMAShape.M16N8K16);
            s33 = context.mmaBF16(a23, b23, s33, MMAShape.M16N8K16);
            s32 = context.mmaBF16(a23, b22, s32, MMAShape.M16N8K16);
            s31 = context.mmaBF16(a23, b21, s31, MMAShape.M16N8K16);
            s30 = context.mmaBF16(a23, b20, s30, MMAShape.M16N8K16);
            HalfFloat[] a30 = context.mmaLoadA(flatTile, 16, aGet3);
            HalfFloat[] a31 = context.mmaLoadA(flatTile, 16, aGet3 + 2048);
            HalfFloat[] a32 = context.mmaLoadA(flatTile, 16, aGet3 + 4096);
            HalfFloat[] a33 = context.mmaLoadA(flatTile, 16, aGet3 + 6144);
            HalfFloat[] b30 = context.mmaLoadB(tallTile, 16, tallGet + 13056);
            HalfFloat[] b31 = context.mmaLoadB(tallTile, 16, tallGet + 13072);
            HalfFloat[] b32 = context.mmaLoadB(tallTile, 16, tallGet + 13088);
            HalfFloat[] b33 = context.mmaLoadB(tallTile, 16, tallGet + 13104);
            s00 = context.mmaBF16(a30, b30, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(a30, b31, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(a30, b32, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(a30, b33, s03, MMAShape.M16N8K16);
            s13 = context.mmaBF16(a31, b33, s13, MMAShape.M16N8K16);
            s12 = context.mmaBF16(a31, b32, s12, MMAShape.M16N8K16);
            s11 = context.mmaBF16(a31, b31, s11, MMAShape.M16N8K16);
            s10 = context.mmaBF16(a31, b30, s10, MMAShape.M16N8K16);
            s20 = context.mmaBF16(a32, b30, s20, MMAShape.M16N8K16);
            s21 = context.mmaBF16(a32, b31, s21, MMAShape.M16N8K16);
            s22 = context.mmaBF16(a32, b32, s22, MMAShape.M16N8K16);
            s23 = context.mmaBF16(a32, b33, s23, MMAShape.M16N8K16);
            s33 = context.mmaBF16(a33, b33, s33, MMAShape.M16N8K16);
            s32 = context.mmaBF16(a33, b32, s32, MMAShape.M16N8K16);
            s31 = context.mmaBF16(a33, b31, s31, MMAShape.M16N8K16);
            s30 = context.mmaBF16(a33, b30, s30, MMAShape.M16N8K16);
            context.localBarrier();
        }

        int row = part * flatTiles * 64 + first;
        int sum = table.get(slot) + top + warp * 32;
        int stride = tiles * 128;
        context.mmaStore(s00, parts, row, sum, stride);
        context.mmaStore(s01, parts, row, sum + 8, stride);
        context.mmaStore(s02, parts, row, sum + 16, stride);
        context.mmaStore(s03, parts, row, sum + 24, stride);
        context.mmaStore(s10, parts, row + 16, sum, stride);
        context.mmaStore(s11, parts, row + 16, sum + 8, stride);
        context.mmaStore(s12, parts, row + 16, sum + 16, stride);
        context.mmaStore(s13, parts, row + 16, sum + 24, stride);
        context.mmaStore(s20, parts, row + 32, sum, stride);
        context.mmaStore(s21, parts, row + 32, sum + 8, stride);
        context.mmaStore(s22, parts, row + 32, sum + 16, stride);
        context.mmaStore(s23, parts, row + 32, sum + 24, stride);
        context.mmaStore(s30, parts, row + 48, sum, stride);
        context.mmaStore(s31, parts, row + 48, sum + 8, stride);
        context.mmaStore(s32, parts, row + 48, sum + 16, stride);
        context.mmaStore(s33, parts, row + 48, sum + 24, stride);
    }
}
