package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `AttentionGradientGenerator`: change that, not this. 64 keys a work-group, 16 a warp.
public final class AttentionDkDv64 {
    private AttentionDkDv64() {}

    /// `dk = scale dsᵀ q`, `dv = pᵀ dO` on the matrix unit, summed over a key head's query heads; p and ds
    /// as in `AttentionGradientKernels.attentionGradient`.
    /// Shapes: q, dO BF16 `[queries, heads * 64]`, k, v, dk, dv BF16 `[keys, kvHeads * 64]`;
    /// those that are read are seen as longs of four elements, those that are written as ints of two; stats from
    /// `attentionDelta`, ranges from `attentionRanges`. Operands in the table: dk, dv, q, k, v, dO, stats, ranges.
    /// Launch: `ceil(keys / 64) * kvHeads` groups of 128 threads; 36.0 KB of local memory.
    /// Numerics: p and ds round to BF16; the matrix unit's F32 sums, 16 queries at a time, head by head. A NaN may reach
    /// all that shares its tile of 16 keys and 32 queries, and so may what exceeds 1e33. Writes: `=`.
    /// Source: Dao et al. 2022, arXiv 2205.14135.
    public static void attentionDkDv64(KernelContext context, IntArray table, int slot, IntArray dk, IntArray dv,
            LongArray q, LongArray k, LongArray v, LongArray dO, FloatArray stats, IntArray ranges, int heads,
            int kvHeads, int queries, int keys, float scale, float softcap) {
        int[] tiles = context.allocateIntLocalArray(4864);
        int[] weights = context.allocateIntLocalArray(3072);
        float[] values = context.allocateFloatLocalArray(1028);
        FloatArray target = (FloatArray) (Object) values;      // its element i is values[i + 4]
        float[] marks = context.allocateFloatLocalArray(128);
        int[] bounds = context.allocateIntLocalArray(128);
        float[] made = new float[36];                // elements of products: as FloatArray, i is made[i + 4]
        int[] bits = new int[36];
        float[] less0 = new float[4];
        float[] less1 = new float[4];
        float[] pack0 = new float[4];
        float[] pack1 = new float[4];
        float[] pack2 = new float[4];
        float[] pack3 = new float[4];
        float[] pack4 = new float[4];
        float[] pack5 = new float[4];
        float[] pack6 = new float[4];
        float[] pack7 = new float[4];
        int thread = context.localIdx;
        int place = context.groupIdx;
        int lane = thread & 31;
        int warp = thread >> 5 & 3;
        int down = -(lane >> 2 & 7);                 // of a fragment's element, less its place: see the generator
        int across = (lane & 3) * -2;
        int column = (lane & 3) * 2;                 // of a lane's first element in a piece of 16 x 8, and its rows
        int row = lane >> 2 & 7;
        int width = heads * 16;                       // longs of a row
        int kvWidth = kvHeads * 16;
        int shared = heads / kvHeads;
        float cap = TornadoMath.max(softcap, 1e-9f);
        int atStats = table.get(slot + 6);
        int atRanges = table.get(slot + 7);

        // The rows that this work-group keeps, and what sees them or is seen by them.
        int kvHead = place % kvHeads;
        int top = place / kvHeads * 64;
        int atBlocks = atRanges + 2 * queries + 2 * ((queries + 31) / 32);
        int begin = queries;
        int end = 0;
        for (int b = top / 32; b < Math.min(top / 32 + 2, (keys + 31) / 32); b++) {
            int blockEnd = ranges.get(atBlocks + 2 * b + 1);
            begin = blockEnd > 0 ? Math.min(begin, ranges.get(atBlocks + 2 * b)) : begin;
            end = Math.max(end, blockEnd);
        }
        int perHead = (Math.max(end - begin, 0) + 31) / 32;
        int steps = perHead * shared & 16777215;
        int warpTop = top + warp * 16;

        // Where things stand in local memory, and where the lane's registers of the matrix unit come from: byte
        // offsets, less those that the loads add by themselves.
        int putKept = (thread >> 4 & 7) * 36 + (thread & 15) * 2;
        int put = putKept;
        int getLeft = (lane & 15) * 112 + (lane >> 3 & 1) * 64;
        int getRight = (lane >> 1 & 7) * 112 + (lane & 1) * 1200;
        int own = warp * 256 + 4 + lane * 2;
        int ownTarget = warp * 256;
        int weightPut = warp * 768 + column * 12 + row;
        int weightGet = warp * 3072 + (lane & 15) * 16;

        // The rows that this warp keeps.
        int lastKept = keys - 1;
        int keptRow = top + (thread >> 4 & 7);
        int keptAt = kvHead * 16 + (thread & 15);
        int getKept = (warp * 16 + (lane & 7)) * 144 + (lane >> 3 & 1) * 16
                - (lane & 15) * 32 - (lane >> 4 & 1) * 16;
        int atK = table.get(slot + 3) / 4 + keptAt;
        long kept0_0 = k.get(atK + Math.min(keptRow, lastKept) * kvWidth);
        long kept0_1 = k.get(atK + Math.min(keptRow + 8, lastKept) * kvWidth);
        long kept0_2 = k.get(atK + Math.min(keptRow + 16, lastKept) * kvWidth);
        long kept0_3 = k.get(atK + Math.min(keptRow + 24, lastKept) * kvWidth);
        long kept0_4 = k.get(atK + Math.min(keptRow + 32, lastKept) * kvWidth);
        long kept0_5 = k.get(atK + Math.min(keptRow + 40, lastKept) * kvWidth);
        long kept0_6 = k.get(atK + Math.min(keptRow + 48, lastKept) * kvWidth);
        long kept0_7 = k.get(atK + Math.min(keptRow + 56, lastKept) * kvWidth);
        tiles[putKept] = (int) kept0_0;
        tiles[putKept + 1] = (int) (kept0_0 >>> 32);
        tiles[putKept + 288] = (int) kept0_1;
        tiles[putKept + 289] = (int) (kept0_1 >>> 32);
        tiles[putKept + 576] = (int) kept0_2;
        tiles[putKept + 577] = (int) (kept0_2 >>> 32);
        tiles[putKept + 864] = (int) kept0_3;
        tiles[putKept + 865] = (int) (kept0_3 >>> 32);
        tiles[putKept + 1152] = (int) kept0_4;
        tiles[putKept + 1153] = (int) (kept0_4 >>> 32);
        tiles[putKept + 1440] = (int) kept0_5;
        tiles[putKept + 1441] = (int) (kept0_5 >>> 32);
        tiles[putKept + 1728] = (int) kept0_6;
        tiles[putKept + 1729] = (int) (kept0_6 >>> 32);
        tiles[putKept + 2016] = (int) kept0_7;
        tiles[putKept + 2017] = (int) (kept0_7 >>> 32);
        context.localBarrier();
        HalfFloat[] x0_0_0 = context.mmaLoadA(tiles, 16, getKept);
        HalfFloat[] x0_0_1 = context.mmaLoadA(tiles, 16, getKept + 32);
        HalfFloat[] x0_0_2 = context.mmaLoadA(tiles, 16, getKept + 64);
        HalfFloat[] x0_0_3 = context.mmaLoadA(tiles, 16, getKept + 96);
        HalfFloat[] x0_1_0 = context.mmaLoadA(tiles, 16, getKept + 1152);
        HalfFloat[] x0_1_1 = context.mmaLoadA(tiles, 16, getKept + 1184);
        HalfFloat[] x0_1_2 = context.mmaLoadA(tiles, 16, getKept + 1216);
        HalfFloat[] x0_1_3 = context.mmaLoadA(tiles, 16, getKept + 1248);
        int atV = table.get(slot + 4) / 4 + keptAt;
        long kept1_0 = v.get(atV + Math.min(keptRow, lastKept) * kvWidth);
        long kept1_1 = v.get(atV + Math.min(keptRow + 8, lastKept) * kvWidth);
        long kept1_2 = v.get(atV + Math.min(keptRow + 16, lastKept) * kvWidth);
        long kept1_3 = v.get(atV + Math.min(keptRow + 24, lastKept) * kvWidth);
        long kept1_4 = v.get(atV + Math.min(keptRow + 32, lastKept) * kvWidth);
        long kept1_5 = v.get(atV + Math.min(keptRow + 40, lastKept) * kvWidth);
        long kept1_6 = v.get(atV + Math.min(keptRow + 48, lastKept) * kvWidth);
        long kept1_7 = v.get(atV + Math.min(keptRow + 56, lastKept) * kvWidth);
        context.localBarrier();
        tiles[putKept] = (int) kept1_0;
        tiles[putKept + 1] = (int) (kept1_0 >>> 32);
        tiles[putKept + 288] = (int) kept1_1;
        tiles[putKept + 289] = (int) (kept1_1 >>> 32);
        tiles[putKept + 576] = (int) kept1_2;
        tiles[putKept + 577] = (int) (kept1_2 >>> 32);
        tiles[putKept + 864] = (int) kept1_3;
        tiles[putKept + 865] = (int) (kept1_3 >>> 32);
        tiles[putKept + 1152] = (int) kept1_4;
        tiles[putKept + 1153] = (int) (kept1_4 >>> 32);
        tiles[putKept + 1440] = (int) kept1_5;
        tiles[putKept + 1441] = (int) (kept1_5 >>> 32);
        tiles[putKept + 1728] = (int) kept1_6;
        tiles[putKept + 1729] = (int) (kept1_6 >>> 32);
        tiles[putKept + 2016] = (int) kept1_7;
        tiles[putKept + 2017] = (int) (kept1_7 >>> 32);
        context.localBarrier();
        HalfFloat[] x1_0_0 = context.mmaLoadA(tiles, 16, getKept);
        HalfFloat[] x1_0_1 = context.mmaLoadA(tiles, 16, getKept + 32);
        HalfFloat[] x1_0_2 = context.mmaLoadA(tiles, 16, getKept + 64);
        HalfFloat[] x1_0_3 = context.mmaLoadA(tiles, 16, getKept + 96);
        HalfFloat[] x1_1_0 = context.mmaLoadA(tiles, 16, getKept + 1152);
        HalfFloat[] x1_1_1 = context.mmaLoadA(tiles, 16, getKept + 1184);
        HalfFloat[] x1_1_2 = context.mmaLoadA(tiles, 16, getKept + 1216);
        HalfFloat[] x1_1_3 = context.mmaLoadA(tiles, 16, getKept + 1248);

        float[] s0_0 = context.mmaFragment(0f);
        float[] s0_1 = context.mmaFragment(0f);
        float[] s0_2 = context.mmaFragment(0f);
        float[] s0_3 = context.mmaFragment(0f);
        float[] s0_4 = context.mmaFragment(0f);
        float[] s0_5 = context.mmaFragment(0f);
        float[] s0_6 = context.mmaFragment(0f);
        float[] s0_7 = context.mmaFragment(0f);
        float[] s1_0 = context.mmaFragment(0f);
        float[] s1_1 = context.mmaFragment(0f);
        float[] s1_2 = context.mmaFragment(0f);
        float[] s1_3 = context.mmaFragment(0f);
        float[] s1_4 = context.mmaFragment(0f);
        float[] s1_5 = context.mmaFragment(0f);
        float[] s1_6 = context.mmaFragment(0f);
        float[] s1_7 = context.mmaFragment(0f);

        int qAt = table.get(slot + 2) / 4;
        int dOAt = table.get(slot + 5) / 4;
        int head = kvHead * shared;
        int lastFirst = begin + (perHead - 1) * 32;
        int odd = thread >> 5 & 1;                   // 0: reads lse and where ranges start; 1: delta and where they stop
        int first = begin;
        int streamRow = Math.min(first + (thread >> 4 & 7), queries - 1);
        int room = queries - 1 - streamRow;
        int index = streamRow * width + head * 16 + (thread & 15);
        long next00 = q.get(qAt + index);
        long next01 = q.get(qAt + index + Math.min(8, room) * width);
        long next02 = q.get(qAt + index + Math.min(16, room) * width);
        long next03 = q.get(qAt + index + Math.min(24, room) * width);
        long next10 = dO.get(dOAt + index);
        long next11 = dO.get(dOAt + index + Math.min(8, room) * width);
        long next12 = dO.get(dOAt + index + Math.min(16, room) * width);
        long next13 = dO.get(dOAt + index + Math.min(24, room) * width);
        int query = Math.min(first + lane, queries - 1);
        float nextMark = GradientTiles.finite(stats.get(atStats + (odd * heads + head) * queries + query));
        int nextBound = first + lane < queries ? ranges.get(atRanges + odd * queries + query) : 0;
        context.localBarrier();
        tiles[put] = (int) next00;
        tiles[put + 1] = (int) (next00 >>> 32);
        tiles[put + 304] = (int) next01;
        tiles[put + 305] = (int) (next01 >>> 32);
        tiles[put + 608] = (int) next02;
        tiles[put + 609] = (int) (next02 >>> 32);
        tiles[put + 912] = (int) next03;
        tiles[put + 913] = (int) (next03 >>> 32);
        if (thread < 64) {
            marks[0 + thread] = nextMark;
            bounds[0 + thread] = nextBound;
        }
        tiles[put + 1216] = (int) next10;
        tiles[put + 1217] = (int) (next10 >>> 32);
        tiles[put + 1520] = (int) next11;
        tiles[put + 1521] = (int) (next11 >>> 32);
        tiles[put + 1824] = (int) next12;
        tiles[put + 1825] = (int) (next12 >>> 32);
        tiles[put + 2128] = (int) next13;
        tiles[put + 2129] = (int) (next13 >>> 32);
        for (int step = 0; step < steps; step++) {
            context.localBarrier();
            Object asMade = made;                        // see the generator
            Object asBits = bits;
            if (step >= heads + 16777216) {
                asMade = tiles;
                asBits = tiles;
            }
            FloatArray intoMade = (FloatArray) asMade;
            FloatArray intoBits = (FloatArray) asBits;
            int side = step & 1;
            int left = getLeft + side * 9728;
            int right = getRight + side * 9728;
            int putNext = put + (1 - side) * 2432;
            int atMark = side * 64 + row;
            int low = bounds[side * 64 + lane] <= warpTop ? 1 : 0;
            int high = bounds[side * 64 + 32 + lane] >= Math.min(warpTop + 16, keys) ? 1 : 0;
            float seen = context.simdSum((float) (low * high));
            int whole = seen == 32f ? 1 : 0;
            int turn = first >= lastFirst ? 1 : 0;
            first = turn == 1 ? begin : first + 32;
            head = Math.min(head + turn, kvHead * shared + shared - 1);
            streamRow = Math.min(first + (thread >> 4 & 7), queries - 1);
            room = queries - 1 - streamRow;
            index = streamRow * width + head * 16 + (thread & 15);
            next00 = q.get(qAt + index);
            next01 = q.get(qAt + index + Math.min(8, room) * width);
            next02 = q.get(qAt + index + Math.min(16, room) * width);
            next03 = q.get(qAt + index + Math.min(24, room) * width);
            query = Math.min(first + lane, queries - 1);
            nextMark = GradientTiles.finite(stats.get(atStats + (odd * heads + head) * queries + query));
            nextBound = first + lane < queries ? ranges.get(atRanges + odd * queries + query) : 0;
            float[] t000 = context.mmaFragment(0f);
            float[] t010 = context.mmaFragment(0f);
            float delta00 = marks[atMark + 32];
            less0[0] = -delta00;
            less0[1] = -delta00;
            float delta01 = marks[atMark + 40];
            less0[2] = -delta01;
            less0[3] = -delta01;
            HalfFloat[] y00_0 = context.mmaLoadA(tiles, 16, left);
            t000 = context.mmaBF16(y00_0, x0_0_0, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_0, x0_1_0, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_0 = context.mmaLoadA(tiles, 16, left + 4864);
            float[] t001 = context.mmaBF16(y01_0, x1_0_0, less0, MMAShape.M16N8K16);
            float[] t011 = context.mmaBF16(y01_0, x1_1_0, less0, MMAShape.M16N8K16);
            HalfFloat[] y00_1 = context.mmaLoadA(tiles, 16, left + 32);
            t000 = context.mmaBF16(y00_1, x0_0_1, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_1, x0_1_1, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_1 = context.mmaLoadA(tiles, 16, left + 4896);
            t001 = context.mmaBF16(y01_1, x1_0_1, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_1, x1_1_1, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_2 = context.mmaLoadA(tiles, 16, left + 64);
            t000 = context.mmaBF16(y00_2, x0_0_2, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_2, x0_1_2, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_2 = context.mmaLoadA(tiles, 16, left + 4928);
            t001 = context.mmaBF16(y01_2, x1_0_2, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_2, x1_1_2, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_3 = context.mmaLoadA(tiles, 16, left + 96);
            t000 = context.mmaBF16(y00_3, x0_0_3, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_3, x0_1_3, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_3 = context.mmaLoadA(tiles, 16, left + 4960);
            t001 = context.mmaBF16(y01_3, x1_0_3, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_3, x1_1_3, t011, MMAShape.M16N8K16);
            context.mmaStore(t000, intoMade, down, across, 1);
            context.mmaStore(t010, intoMade, down, across + 2, 1);
            context.mmaStore(t001, intoMade, down, across + 4, 1);
            context.mmaStore(t011, intoMade, down, across + 6, 1);
            float[] t100 = context.mmaFragment(0f);
            float[] t110 = context.mmaFragment(0f);
            float delta10 = marks[atMark + 48];
            less1[0] = -delta10;
            less1[1] = -delta10;
            float delta11 = marks[atMark + 56];
            less1[2] = -delta11;
            less1[3] = -delta11;
            HalfFloat[] y10_0 = context.mmaLoadA(tiles, 16, left + 2432);
            t100 = context.mmaBF16(y10_0, x0_0_0, t100, MMAShape.M16N8K16);
            t110 = context.mmaBF16(y10_0, x0_1_0, t110, MMAShape.M16N8K16);
            HalfFloat[] y11_0 = context.mmaLoadA(tiles, 16, left + 7296);
            float[] t101 = context.mmaBF16(y11_0, x1_0_0, less1, MMAShape.M16N8K16);
            float[] t111 = context.mmaBF16(y11_0, x1_1_0, less1, MMAShape.M16N8K16);
            HalfFloat[] y10_1 = context.mmaLoadA(tiles, 16, left + 2464);
            t100 = context.mmaBF16(y10_1, x0_0_1, t100, MMAShape.M16N8K16);
            t110 = context.mmaBF16(y10_1, x0_1_1, t110, MMAShape.M16N8K16);
            HalfFloat[] y11_1 = context.mmaLoadA(tiles, 16, left + 7328);
            t101 = context.mmaBF16(y11_1, x1_0_1, t101, MMAShape.M16N8K16);
            t111 = context.mmaBF16(y11_1, x1_1_1, t111, MMAShape.M16N8K16);
            HalfFloat[] y10_2 = context.mmaLoadA(tiles, 16, left + 2496);
            t100 = context.mmaBF16(y10_2, x0_0_2, t100, MMAShape.M16N8K16);
            t110 = context.mmaBF16(y10_2, x0_1_2, t110, MMAShape.M16N8K16);
            HalfFloat[] y11_2 = context.mmaLoadA(tiles, 16, left + 7360);
            t101 = context.mmaBF16(y11_2, x1_0_2, t101, MMAShape.M16N8K16);
            t111 = context.mmaBF16(y11_2, x1_1_2, t111, MMAShape.M16N8K16);
            HalfFloat[] y10_3 = context.mmaLoadA(tiles, 16, left + 2528);
            t100 = context.mmaBF16(y10_3, x0_0_3, t100, MMAShape.M16N8K16);
            t110 = context.mmaBF16(y10_3, x0_1_3, t110, MMAShape.M16N8K16);
            HalfFloat[] y11_3 = context.mmaLoadA(tiles, 16, left + 7392);
            t101 = context.mmaBF16(y11_3, x1_0_3, t101, MMAShape.M16N8K16);
            t111 = context.mmaBF16(y11_3, x1_1_3, t111, MMAShape.M16N8K16);
            context.mmaStore(t100, intoMade, down, across + 16, 1);
            context.mmaStore(t110, intoMade, down, across + 18, 1);
            context.mmaStore(t101, intoMade, down, across + 20, 1);
            context.mmaStore(t111, intoMade, down, across + 22, 1);

            float mark00 = marks[atMark];
            float mark01 = marks[atMark + 8];
            if (whole == 0) {
                int start00 = bounds[atMark];
                int stop00 = bounds[atMark + 32];
                int start01 = bounds[atMark + 8];
                int stop01 = bounds[atMark + 8 + 32];
                int key000 = warpTop + column;
                if (GradientTiles.sees(key000, start00, stop00) == 0) {
                    made[4] = GradientTiles.UNSEEN;
                    made[8] = 0f;
                }
                if (GradientTiles.sees(key000, start01, stop01) == 0) {
                    made[12] = GradientTiles.UNSEEN;
                    made[16] = 0f;
                }
                int key001 = warpTop + column + 1;
                if (GradientTiles.sees(key001, start00, stop00) == 0) {
                    made[5] = GradientTiles.UNSEEN;
                    made[9] = 0f;
                }
                if (GradientTiles.sees(key001, start01, stop01) == 0) {
                    made[13] = GradientTiles.UNSEEN;
                    made[17] = 0f;
                }
                int key010 = warpTop + column + 8;
                if (GradientTiles.sees(key010, start00, stop00) == 0) {
                    made[6] = GradientTiles.UNSEEN;
                    made[10] = 0f;
                }
                if (GradientTiles.sees(key010, start01, stop01) == 0) {
                    made[14] = GradientTiles.UNSEEN;
                    made[18] = 0f;
                }
                int key011 = warpTop + column + 9;
                if (GradientTiles.sees(key011, start00, stop00) == 0) {
                    made[7] = GradientTiles.UNSEEN;
                    made[11] = 0f;
                }
                if (GradientTiles.sees(key011, start01, stop01) == 0) {
                    made[15] = GradientTiles.UNSEEN;
                    made[19] = 0f;
                }
            }
            float score0000 = made[4] * scale;
            float p0000 = TornadoMath.exp(score0000 - mark00);
            float w0000 = p0000;
            if (softcap > 0f) {
                float bend0000 = TornadoMath.tanh(score0000 / cap);
                p0000 = GradientTiles.seen(score0000, TornadoMath.exp(cap * bend0000 - mark00));
                w0000 = p0000 * (1f - bend0000 * bend0000);
            }
            float ds0000 = w0000 * made[8];
            pack0[0] = GradientTiles.rounded(p0000);
            pack1[0] = GradientTiles.rounded(ds0000);
            float score0001 = made[5] * scale;
            float p0001 = TornadoMath.exp(score0001 - mark00);
            float w0001 = p0001;
            if (softcap > 0f) {
                float bend0001 = TornadoMath.tanh(score0001 / cap);
                p0001 = GradientTiles.seen(score0001, TornadoMath.exp(cap * bend0001 - mark00));
                w0001 = p0001 * (1f - bend0001 * bend0001);
            }
            float ds0001 = w0001 * made[9];
            pack0[1] = GradientTiles.rounded(p0001);
            pack1[1] = GradientTiles.rounded(ds0001);
            float score0010 = made[12] * scale;
            float p0010 = TornadoMath.exp(score0010 - mark01);
            float w0010 = p0010;
            if (softcap > 0f) {
                float bend0010 = TornadoMath.tanh(score0010 / cap);
                p0010 = GradientTiles.seen(score0010, TornadoMath.exp(cap * bend0010 - mark01));
                w0010 = p0010 * (1f - bend0010 * bend0010);
            }
            float ds0010 = w0010 * made[16];
            pack0[2] = GradientTiles.rounded(p0010);
            pack1[2] = GradientTiles.rounded(ds0010);
            float score0011 = made[13] * scale;
            float p0011 = TornadoMath.exp(score0011 - mark01);
            float w0011 = p0011;
            if (softcap > 0f) {
                float bend0011 = TornadoMath.tanh(score0011 / cap);
                p0011 = GradientTiles.seen(score0011, TornadoMath.exp(cap * bend0011 - mark01));
                w0011 = p0011 * (1f - bend0011 * bend0011);
            }
            float ds0011 = w0011 * made[17];
            pack0[3] = GradientTiles.rounded(p0011);
            pack1[3] = GradientTiles.rounded(ds0011);
            context.mmaStore(pack0, intoBits, down, across, 1);
            weights[weightPut] = MmaTiles.upper(bits[4], bits[12]);
            weights[weightPut + 12] = MmaTiles.upper(bits[5], bits[13]);
            context.mmaStore(pack1, intoBits, down, across + 4, 1);
            weights[weightPut + 384] = MmaTiles.upper(bits[8], bits[16]);
            weights[weightPut + 396] = MmaTiles.upper(bits[9], bits[17]);
            float score0100 = made[6] * scale;
            float p0100 = TornadoMath.exp(score0100 - mark00);
            float w0100 = p0100;
            if (softcap > 0f) {
                float bend0100 = TornadoMath.tanh(score0100 / cap);
                p0100 = GradientTiles.seen(score0100, TornadoMath.exp(cap * bend0100 - mark00));
                w0100 = p0100 * (1f - bend0100 * bend0100);
            }
            float ds0100 = w0100 * made[10];
            pack2[0] = GradientTiles.rounded(p0100);
            pack3[0] = GradientTiles.rounded(ds0100);
            float score0101 = made[7] * scale;
            float p0101 = TornadoMath.exp(score0101 - mark00);
            float w0101 = p0101;
            if (softcap > 0f) {
                float bend0101 = TornadoMath.tanh(score0101 / cap);
                p0101 = GradientTiles.seen(score0101, TornadoMath.exp(cap * bend0101 - mark00));
                w0101 = p0101 * (1f - bend0101 * bend0101);
            }
            float ds0101 = w0101 * made[11];
            pack2[1] = GradientTiles.rounded(p0101);
            pack3[1] = GradientTiles.rounded(ds0101);
            float score0110 = made[14] * scale;
            float p0110 = TornadoMath.exp(score0110 - mark01);
            float w0110 = p0110;
            if (softcap > 0f) {
                float bend0110 = TornadoMath.tanh(score0110 / cap);
                p0110 = GradientTiles.seen(score0110, TornadoMath.exp(cap * bend0110 - mark01));
                w0110 = p0110 * (1f - bend0110 * bend0110);
            }
            float ds0110 = w0110 * made[18];
            pack2[2] = GradientTiles.rounded(p0110);
            pack3[2] = GradientTiles.rounded(ds0110);
            float score0111 = made[15] * scale;
            float p0111 = TornadoMath.exp(score0111 - mark01);
            float w0111 = p0111;
            if (softcap > 0f) {
                float bend0111 = TornadoMath.tanh(score0111 / cap);
                p0111 = GradientTiles.seen(score0111, TornadoMath.exp(cap * bend0111 - mark01));
                w0111 = p0111 * (1f - bend0111 * bend0111);
            }
            float ds0111 = w0111 * made[19];
            pack2[3] = GradientTiles.rounded(p0111);
            pack3[3] = GradientTiles.rounded(ds0111);
            context.mmaStore(pack2, intoBits, down, across + 2, 1);
            weights[weightPut + 96] = MmaTiles.upper(bits[6], bits[14]);
            weights[weightPut + 108] = MmaTiles.upper(bits[7], bits[15]);
            context.mmaStore(pack3, intoBits, down, across + 6, 1);
            weights[weightPut + 480] = MmaTiles.upper(bits[10], bits[18]);
            weights[weightPut + 492] = MmaTiles.upper(bits[11], bits[19]);
            tiles[putNext] = (int) next00;
            tiles[putNext + 1] = (int) (next00 >>> 32);
            tiles[putNext + 304] = (int) next01;
            tiles[putNext + 305] = (int) (next01 >>> 32);
            tiles[putNext + 608] = (int) next02;
            tiles[putNext + 609] = (int) (next02 >>> 32);
            tiles[putNext + 912] = (int) next03;
            tiles[putNext + 913] = (int) (next03 >>> 32);
            if (thread < 64) {
                marks[(1 - side) * 64 + thread] = nextMark;
                bounds[(1 - side) * 64 + thread] = nextBound;
            }
            next10 = dO.get(dOAt + index);
            next11 = dO.get(dOAt + index + Math.min(8, room) * width);
            next12 = dO.get(dOAt + index + Math.min(16, room) * width);
            next13 = dO.get(dOAt + index + Math.min(24, room) * width);
            HalfFloat[] w00 = context.mmaLoadA(weights, 16, weightGet);
            HalfFloat[] z00_0 = context.mmaLoadB(tiles, 16, right + 4864);
            s0_0 = context.mmaBF16(w00, z00_0, s0_0, MMAShape.M16N8K16);
            HalfFloat[] z00_1 = context.mmaLoadB(tiles, 16, right + 4880);
            s0_1 = context.mmaBF16(w00, z00_1, s0_1, MMAShape.M16N8K16);
            HalfFloat[] z00_2 = context.mmaLoadB(tiles, 16, right + 4896);
            s0_2 = context.mmaBF16(w00, z00_2, s0_2, MMAShape.M16N8K16);
            HalfFloat[] z00_3 = context.mmaLoadB(tiles, 16, right + 4912);
            s0_3 = context.mmaBF16(w00, z00_3, s0_3, MMAShape.M16N8K16);
            HalfFloat[] z00_4 = context.mmaLoadB(tiles, 16, right + 4928);
            s0_4 = context.mmaBF16(w00, z00_4, s0_4, MMAShape.M16N8K16);
            HalfFloat[] z00_5 = context.mmaLoadB(tiles, 16, right + 4944);
            s0_5 = context.mmaBF16(w00, z00_5, s0_5, MMAShape.M16N8K16);
            HalfFloat[] z00_6 = context.mmaLoadB(tiles, 16, right + 4960);
            s0_6 = context.mmaBF16(w00, z00_6, s0_6, MMAShape.M16N8K16);
            HalfFloat[] z00_7 = context.mmaLoadB(tiles, 16, right + 4976);
            s0_7 = context.mmaBF16(w00, z00_7, s0_7, MMAShape.M16N8K16);
            HalfFloat[] w01 = context.mmaLoadA(weights, 16, weightGet + 1536);
            HalfFloat[] z01_0 = context.mmaLoadB(tiles, 16, right);
            s1_0 = context.mmaBF16(w01, z01_0, s1_0, MMAShape.M16N8K16);
            HalfFloat[] z01_1 = context.mmaLoadB(tiles, 16, right + 16);
            s1_1 = context.mmaBF16(w01, z01_1, s1_1, MMAShape.M16N8K16);
            HalfFloat[] z01_2 = context.mmaLoadB(tiles, 16, right + 32);
            s1_2 = context.mmaBF16(w01, z01_2, s1_2, MMAShape.M16N8K16);
            HalfFloat[] z01_3 = context.mmaLoadB(tiles, 16, right + 48);
            s1_3 = context.mmaBF16(w01, z01_3, s1_3, MMAShape.M16N8K16);
            HalfFloat[] z01_4 = context.mmaLoadB(tiles, 16, right + 64);
            s1_4 = context.mmaBF16(w01, z01_4, s1_4, MMAShape.M16N8K16);
            HalfFloat[] z01_5 = context.mmaLoadB(tiles, 16, right + 80);
            s1_5 = context.mmaBF16(w01, z01_5, s1_5, MMAShape.M16N8K16);
            HalfFloat[] z01_6 = context.mmaLoadB(tiles, 16, right + 96);
            s1_6 = context.mmaBF16(w01, z01_6, s1_6, MMAShape.M16N8K16);
            HalfFloat[] z01_7 = context.mmaLoadB(tiles, 16, right + 112);
            s1_7 = context.mmaBF16(w01, z01_7, s1_7, MMAShape.M16N8K16);

            float mark10 = marks[atMark + 16];
            float mark11 = marks[atMark + 24];
            if (whole == 0) {
                int start10 = bounds[atMark + 16];
                int stop10 = bounds[atMark + 16 + 32];
                int start11 = bounds[atMark + 24];
                int stop11 = bounds[atMark + 24 + 32];
                int key100 = warpTop + column;
                if (GradientTiles.sees(key100, start10, stop10) == 0) {
                    made[20] = GradientTiles.UNSEEN;
                    made[24] = 0f;
                }
                if (GradientTiles.sees(key100, start11, stop11) == 0) {
                    made[28] = GradientTiles.UNSEEN;
                    made[32] = 0f;
                }
                int key101 = warpTop + column + 1;
                if (GradientTiles.sees(key101, start10, stop10) == 0) {
                    made[21] = GradientTiles.UNSEEN;
                    made[25] = 0f;
                }
                if (GradientTiles.sees(key101, start11, stop11) == 0) {
                    made[29] = GradientTiles.UNSEEN;
                    made[33] = 0f;
                }
                int key110 = warpTop + column + 8;
                if (GradientTiles.sees(key110, start10, stop10) == 0) {
                    made[22] = GradientTiles.UNSEEN;
                    made[26] = 0f;
                }
                if (GradientTiles.sees(key110, start11, stop11) == 0) {
                    made[30] = GradientTiles.UNSEEN;
                    made[34] = 0f;
                }
                int key111 = warpTop + column + 9;
                if (GradientTiles.sees(key111, start10, stop10) == 0) {
                    made[23] = GradientTiles.UNSEEN;
                    made[27] = 0f;
                }
                if (GradientTiles.sees(key111, start11, stop11) == 0) {
                    made[31] = GradientTiles.UNSEEN;
                    made[35] = 0f;
                }
            }
            float score1000 = made[20] * scale;
            float p1000 = TornadoMath.exp(score1000 - mark10);
            float w1000 = p1000;
            if (softcap > 0f) {
                float bend1000 = TornadoMath.tanh(score1000 / cap);
                p1000 = GradientTiles.seen(score1000, TornadoMath.exp(cap * bend1000 - mark10));
                w1000 = p1000 * (1f - bend1000 * bend1000);
            }
            float ds1000 = w1000 * made[24];
            pack4[0] = GradientTiles.rounded(p1000);
            pack5[0] = GradientTiles.rounded(ds1000);
            float score1001 = made[21] * scale;
            float p1001 = TornadoMath.exp(score1001 - mark10);
            float w1001 = p1001;
            if (softcap > 0f) {
                float bend1001 = TornadoMath.tanh(score1001 / cap);
                p1001 = GradientTiles.seen(score1001, TornadoMath.exp(cap * bend1001 - mark10));
                w1001 = p1001 * (1f - bend1001 * bend1001);
            }
            float ds1001 = w1001 * made[25];
            pack4[1] = GradientTiles.rounded(p1001);
            pack5[1] = GradientTiles.rounded(ds1001);
            float score1010 = made[28] * scale;
            float p1010 = TornadoMath.exp(score1010 - mark11);
            float w1010 = p1010;
            if (softcap > 0f) {
                float bend1010 = TornadoMath.tanh(score1010 / cap);
                p1010 = GradientTiles.seen(score1010, TornadoMath.exp(cap * bend1010 - mark11));
                w1010 = p1010 * (1f - bend1010 * bend1010);
            }
            float ds1010 = w1010 * made[32];
            pack4[2] = GradientTiles.rounded(p1010);
            pack5[2] = GradientTiles.rounded(ds1010);
            float score1011 = made[29] * scale;
            float p1011 = TornadoMath.exp(score1011 - mark11);
            float w1011 = p1011;
            if (softcap > 0f) {
                float bend1011 = TornadoMath.tanh(score1011 / cap);
                p1011 = GradientTiles.seen(score1011, TornadoMath.exp(cap * bend1011 - mark11));
                w1011 = p1011 * (1f - bend1011 * bend1011);
            }
            float ds1011 = w1011 * made[33];
            pack4[3] = GradientTiles.rounded(p1011);
            pack5[3] = GradientTiles.rounded(ds1011);
            context.mmaStore(pack4, intoBits, down, across + 16, 1);
            weights[weightPut + 192] = MmaTiles.upper(bits[20], bits[28]);
            weights[weightPut + 204] = MmaTiles.upper(bits[21], bits[29]);
            context.mmaStore(pack5, intoBits, down, across + 20, 1);
            weights[weightPut + 576] = MmaTiles.upper(bits[24], bits[32]);
            weights[weightPut + 588] = MmaTiles.upper(bits[25], bits[33]);
            float score1100 = made[22] * scale;
            float p1100 = TornadoMath.exp(score1100 - mark10);
            float w1100 = p1100;
            if (softcap > 0f) {
                float bend1100 = TornadoMath.tanh(score1100 / cap);
                p1100 = GradientTiles.seen(score1100, TornadoMath.exp(cap * bend1100 - mark10));
                w1100 = p1100 * (1f - bend1100 * bend1100);
            }
            float ds1100 = w1100 * made[26];
            pack6[0] = GradientTiles.rounded(p1100);
            pack7[0] = GradientTiles.rounded(ds1100);
            float score1101 = made[23] * scale;
            float p1101 = TornadoMath.exp(score1101 - mark10);
            float w1101 = p1101;
            if (softcap > 0f) {
                float bend1101 = TornadoMath.tanh(score1101 / cap);
                p1101 = GradientTiles.seen(score1101, TornadoMath.exp(cap * bend1101 - mark10));
                w1101 = p1101 * (1f - bend1101 * bend1101);
            }
            float ds1101 = w1101 * made[27];
            pack6[1] = GradientTiles.rounded(p1101);
            pack7[1] = GradientTiles.rounded(ds1101);
            float score1110 = made[30] * scale;
            float p1110 = TornadoMath.exp(score1110 - mark11);
            float w1110 = p1110;
            if (softcap > 0f) {
                float bend1110 = TornadoMath.tanh(score1110 / cap);
                p1110 = GradientTiles.seen(score1110, TornadoMath.exp(cap * bend1110 - mark11));
                w1110 = p1110 * (1f - bend1110 * bend1110);
            }
            float ds1110 = w1110 * made[34];
            pack6[2] = GradientTiles.rounded(p1110);
            pack7[2] = GradientTiles.rounded(ds1110);
            float score1111 = made[31] * scale;
            float p1111 = TornadoMath.exp(score1111 - mark11);
            float w1111 = p1111;
            if (softcap > 0f) {
                float bend1111 = TornadoMath.tanh(score1111 / cap);
                p1111 = GradientTiles.seen(score1111, TornadoMath.exp(cap * bend1111 - mark11));
                w1111 = p1111 * (1f - bend1111 * bend1111);
            }
            float ds1111 = w1111 * made[35];
            pack6[3] = GradientTiles.rounded(p1111);
            pack7[3] = GradientTiles.rounded(ds1111);
            context.mmaStore(pack6, intoBits, down, across + 18, 1);
            weights[weightPut + 288] = MmaTiles.upper(bits[22], bits[30]);
            weights[weightPut + 300] = MmaTiles.upper(bits[23], bits[31]);
            context.mmaStore(pack7, intoBits, down, across + 22, 1);
            weights[weightPut + 672] = MmaTiles.upper(bits[26], bits[34]);
            weights[weightPut + 684] = MmaTiles.upper(bits[27], bits[35]);
            HalfFloat[] w10 = context.mmaLoadA(weights, 16, weightGet + 768);
            HalfFloat[] z10_0 = context.mmaLoadB(tiles, 16, right + 7296);
            s0_0 = context.mmaBF16(w10, z10_0, s0_0, MMAShape.M16N8K16);
            HalfFloat[] z10_1 = context.mmaLoadB(tiles, 16, right + 7312);
            s0_1 = context.mmaBF16(w10, z10_1, s0_1, MMAShape.M16N8K16);
            HalfFloat[] z10_2 = context.mmaLoadB(tiles, 16, right + 7328);
            s0_2 = context.mmaBF16(w10, z10_2, s0_2, MMAShape.M16N8K16);
            HalfFloat[] z10_3 = context.mmaLoadB(tiles, 16, right + 7344);
            s0_3 = context.mmaBF16(w10, z10_3, s0_3, MMAShape.M16N8K16);
            HalfFloat[] z10_4 = context.mmaLoadB(tiles, 16, right + 7360);
            s0_4 = context.mmaBF16(w10, z10_4, s0_4, MMAShape.M16N8K16);
            HalfFloat[] z10_5 = context.mmaLoadB(tiles, 16, right + 7376);
            s0_5 = context.mmaBF16(w10, z10_5, s0_5, MMAShape.M16N8K16);
            HalfFloat[] z10_6 = context.mmaLoadB(tiles, 16, right + 7392);
            s0_6 = context.mmaBF16(w10, z10_6, s0_6, MMAShape.M16N8K16);
            HalfFloat[] z10_7 = context.mmaLoadB(tiles, 16, right + 7408);
            s0_7 = context.mmaBF16(w10, z10_7, s0_7, MMAShape.M16N8K16);
            HalfFloat[] w11 = context.mmaLoadA(weights, 16, weightGet + 2304);
            HalfFloat[] z11_0 = context.mmaLoadB(tiles, 16, right + 2432);
            s1_0 = context.mmaBF16(w11, z11_0, s1_0, MMAShape.M16N8K16);
            HalfFloat[] z11_1 = context.mmaLoadB(tiles, 16, right + 2448);
            s1_1 = context.mmaBF16(w11, z11_1, s1_1, MMAShape.M16N8K16);
            HalfFloat[] z11_2 = context.mmaLoadB(tiles, 16, right + 2464);
            s1_2 = context.mmaBF16(w11, z11_2, s1_2, MMAShape.M16N8K16);
            HalfFloat[] z11_3 = context.mmaLoadB(tiles, 16, right + 2480);
            s1_3 = context.mmaBF16(w11, z11_3, s1_3, MMAShape.M16N8K16);
            HalfFloat[] z11_4 = context.mmaLoadB(tiles, 16, right + 2496);
            s1_4 = context.mmaBF16(w11, z11_4, s1_4, MMAShape.M16N8K16);
            HalfFloat[] z11_5 = context.mmaLoadB(tiles, 16, right + 2512);
            s1_5 = context.mmaBF16(w11, z11_5, s1_5, MMAShape.M16N8K16);
            HalfFloat[] z11_6 = context.mmaLoadB(tiles, 16, right + 2528);
            s1_6 = context.mmaBF16(w11, z11_6, s1_6, MMAShape.M16N8K16);
            HalfFloat[] z11_7 = context.mmaLoadB(tiles, 16, right + 2544);
            s1_7 = context.mmaBF16(w11, z11_7, s1_7, MMAShape.M16N8K16);
            tiles[putNext + 1216] = (int) next10;
            tiles[putNext + 1217] = (int) (next10 >>> 32);
            tiles[putNext + 1520] = (int) next11;
            tiles[putNext + 1521] = (int) (next11 >>> 32);
            tiles[putNext + 1824] = (int) next12;
            tiles[putNext + 1825] = (int) (next12 >>> 32);
            tiles[putNext + 2128] = (int) next13;
            tiles[putNext + 2129] = (int) (next13 >>> 32);
        }

        int outWidth = 2 * kvWidth;
        int dvAt = table.get(slot + 1) / 2 + kvHead * 32 + (lane & 3);
        context.mmaStore(s0_0, target, 0, ownTarget, 8);
        int both0_0_0 = AttentionTiles.pair(values[own], values[own + 1]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth, both0_0_0);
        }
        int both0_0_1 = AttentionTiles.pair(values[own + 64], values[own + 65]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth, both0_0_1);
        }
        context.mmaStore(s0_1, target, 0, ownTarget + 128, 8);
        int both0_1_0 = AttentionTiles.pair(values[own + 128], values[own + 129]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth + 4, both0_1_0);
        }
        int both0_1_1 = AttentionTiles.pair(values[own + 192], values[own + 193]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth + 4, both0_1_1);
        }
        context.mmaStore(s0_2, target, 0, ownTarget, 8);
        int both0_2_0 = AttentionTiles.pair(values[own], values[own + 1]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth + 8, both0_2_0);
        }
        int both0_2_1 = AttentionTiles.pair(values[own + 64], values[own + 65]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth + 8, both0_2_1);
        }
        context.mmaStore(s0_3, target, 0, ownTarget + 128, 8);
        int both0_3_0 = AttentionTiles.pair(values[own + 128], values[own + 129]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth + 12, both0_3_0);
        }
        int both0_3_1 = AttentionTiles.pair(values[own + 192], values[own + 193]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth + 12, both0_3_1);
        }
        context.mmaStore(s0_4, target, 0, ownTarget, 8);
        int both0_4_0 = AttentionTiles.pair(values[own], values[own + 1]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth + 16, both0_4_0);
        }
        int both0_4_1 = AttentionTiles.pair(values[own + 64], values[own + 65]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth + 16, both0_4_1);
        }
        context.mmaStore(s0_5, target, 0, ownTarget + 128, 8);
        int both0_5_0 = AttentionTiles.pair(values[own + 128], values[own + 129]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth + 20, both0_5_0);
        }
        int both0_5_1 = AttentionTiles.pair(values[own + 192], values[own + 193]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth + 20, both0_5_1);
        }
        context.mmaStore(s0_6, target, 0, ownTarget, 8);
        int both0_6_0 = AttentionTiles.pair(values[own], values[own + 1]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth + 24, both0_6_0);
        }
        int both0_6_1 = AttentionTiles.pair(values[own + 64], values[own + 65]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth + 24, both0_6_1);
        }
        context.mmaStore(s0_7, target, 0, ownTarget + 128, 8);
        int both0_7_0 = AttentionTiles.pair(values[own + 128], values[own + 129]);
        if (warpTop + row < keys) {
            dv.set(dvAt + (warpTop + row) * outWidth + 28, both0_7_0);
        }
        int both0_7_1 = AttentionTiles.pair(values[own + 192], values[own + 193]);
        if (warpTop + row + 8 < keys) {
            dv.set(dvAt + (warpTop + row + 8) * outWidth + 28, both0_7_1);
        }
        int dkAt = table.get(slot + 0) / 2 + kvHead * 32 + (lane & 3);
        context.mmaStore(s1_0, target, 0, ownTarget, 8);
        int both1_0_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth, both1_0_0);
        }
        int both1_0_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth, both1_0_1);
        }
        context.mmaStore(s1_1, target, 0, ownTarget + 128, 8);
        int both1_1_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth + 4, both1_1_0);
        }
        int both1_1_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth + 4, both1_1_1);
        }
        context.mmaStore(s1_2, target, 0, ownTarget, 8);
        int both1_2_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth + 8, both1_2_0);
        }
        int both1_2_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth + 8, both1_2_1);
        }
        context.mmaStore(s1_3, target, 0, ownTarget + 128, 8);
        int both1_3_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth + 12, both1_3_0);
        }
        int both1_3_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth + 12, both1_3_1);
        }
        context.mmaStore(s1_4, target, 0, ownTarget, 8);
        int both1_4_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth + 16, both1_4_0);
        }
        int both1_4_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth + 16, both1_4_1);
        }
        context.mmaStore(s1_5, target, 0, ownTarget + 128, 8);
        int both1_5_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth + 20, both1_5_0);
        }
        int both1_5_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth + 20, both1_5_1);
        }
        context.mmaStore(s1_6, target, 0, ownTarget, 8);
        int both1_6_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth + 24, both1_6_0);
        }
        int both1_6_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth + 24, both1_6_1);
        }
        context.mmaStore(s1_7, target, 0, ownTarget + 128, 8);
        int both1_7_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < keys) {
            dk.set(dkAt + (warpTop + row) * outWidth + 28, both1_7_0);
        }
        int both1_7_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < keys) {
            dk.set(dkAt + (warpTop + row + 8) * outWidth + 28, both1_7_1);
        }
    }
}
