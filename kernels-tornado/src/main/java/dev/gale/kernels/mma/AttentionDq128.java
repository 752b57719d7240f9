package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `AttentionGradientGenerator`: change that, not this. 64 queries a work-group, 16 a warp.
public final class AttentionDq128 {
    private AttentionDq128() {}

    /// `dq = scale ds k` on the matrix unit; p and ds
    /// as in `AttentionGradientKernels.attentionGradient`.
    /// Shapes: q, dO, dq BF16 `[queries, heads * 128]`, k, v BF16 `[keys, kvHeads * 128]`;
    /// those that are read are seen as longs of four elements, those that are written as ints of two; stats from
    /// `attentionDelta`, ranges from `attentionRanges`. Operands in the table: dq, q, k, v, dO, stats, ranges.
    /// Launch: `ceil(queries / 64) * heads` groups of 128 threads; 42.5 KB of local memory.
    /// Numerics: p and ds round to BF16; the matrix unit's F32 sums, 16 keys at a time. A NaN may reach
    /// all that shares its tile of 16 queries and 32 keys, and so may what exceeds 1e33. Writes: `=`.
    /// Source: Dao et al. 2022, arXiv 2205.14135.
    public static void attentionDq128(KernelContext context, IntArray table, int slot, IntArray dq,
            LongArray q, LongArray k, LongArray v, LongArray dO, FloatArray stats, IntArray ranges, int heads,
            int kvHeads, int queries, int keys, float scale, float softcap) {
        int[] tiles = context.allocateIntLocalArray(8960);
        int[] weights = context.allocateIntLocalArray(768);
        float[] values = context.allocateFloatLocalArray(1028);
        FloatArray target = (FloatArray) (Object) values;      // its element i is values[i + 4]
        int[] bounds = context.allocateIntLocalArray(128);
        float[] made = new float[20];                // elements of products: as FloatArray, i is made[i + 4]
        int[] bits = new int[20];
        float[] less0 = new float[4];
        float[] less1 = new float[4];
        float[] pack0 = new float[4];
        float[] pack1 = new float[4];
        int thread = context.localIdx;
        int place = context.groupIdx;
        int lane = thread & 31;
        int warp = thread >> 5 & 3;
        int down = -(lane >> 2 & 7);                 // of a fragment's element, less its place: see the generator
        int across = (lane & 3) * -2;
        int column = (lane & 3) * 2;                 // of a lane's first element in a piece of 16 x 8, and its rows
        int row = lane >> 2 & 7;
        int width = heads * 32;                       // longs of a row
        int kvWidth = kvHeads * 32;
        int shared = heads / kvHeads;
        float cap = TornadoMath.max(softcap, 1e-9f);
        int atStats = table.get(slot + 5);
        int atRanges = table.get(slot + 6);

        // The rows that this work-group keeps, and what sees them or is seen by them.
        int head = place % heads;
        int kvHead = head / shared;
        int top = ((queries + 63) / 64 - 1 - place / heads) * 64;
        int atBlocks = atRanges + 2 * queries;
        int begin = keys;
        int end = 0;
        for (int b = top / 32; b < Math.min(top / 32 + 2, (queries + 31) / 32); b++) {
            int blockEnd = ranges.get(atBlocks + 2 * b + 1);
            begin = blockEnd > 0 ? Math.min(begin, ranges.get(atBlocks + 2 * b)) : begin;
            end = Math.max(end, blockEnd);
        }
        int perHead = (Math.max(end - begin, 0) + 31) / 32;
        int steps = perHead * 2 & 16777215;
        int warpTop = top + warp * 16;

        // Where things stand in local memory, and where the lane's registers of the matrix unit come from: byte
        // offsets, less those that the loads add by themselves.
        int putKept = (thread >> 5 & 3) * 68 + (thread & 31) * 2;
        int put = putKept;
        int getLeft = (lane & 15) * 240 + (lane >> 3 & 1) * 64;
        int getRight = (lane >> 1 & 7) * 240 + (lane & 1) * 2224;
        int own = warp * 256 + 4 + lane * 2;
        int ownTarget = warp * 256;
        int weightPut = warp * 192 + column * 12 + row;
        int weightGet = warp * 768 + (lane & 15) * 16;

        // The rows that this warp keeps.
        int lastKept = queries - 1;
        int keptRow = top + (thread >> 5 & 3);
        int keptAt = head * 32 + (thread & 31);
        int getKept = (warp * 16 + (lane & 7)) * 272 + (lane >> 3 & 1) * 16
                - (lane & 15) * 32 - (lane >> 4 & 1) * 16;
        int atQ = table.get(slot + 1) / 4 + keptAt;
        long kept0_0 = q.get(atQ + Math.min(keptRow, lastKept) * width);
        long kept0_1 = q.get(atQ + Math.min(keptRow + 4, lastKept) * width);
        long kept0_2 = q.get(atQ + Math.min(keptRow + 8, lastKept) * width);
        long kept0_3 = q.get(atQ + Math.min(keptRow + 12, lastKept) * width);
        long kept0_4 = q.get(atQ + Math.min(keptRow + 16, lastKept) * width);
        long kept0_5 = q.get(atQ + Math.min(keptRow + 20, lastKept) * width);
        long kept0_6 = q.get(atQ + Math.min(keptRow + 24, lastKept) * width);
        long kept0_7 = q.get(atQ + Math.min(keptRow + 28, lastKept) * width);
        long kept0_8 = q.get(atQ + Math.min(keptRow + 32, lastKept) * width);
        long kept0_9 = q.get(atQ + Math.min(keptRow + 36, lastKept) * width);
        long kept0_10 = q.get(atQ + Math.min(keptRow + 40, lastKept) * width);
        long kept0_11 = q.get(atQ + Math.min(keptRow + 44, lastKept) * width);
        long kept0_12 = q.get(atQ + Math.min(keptRow + 48, lastKept) * width);
        long kept0_13 = q.get(atQ + Math.min(keptRow + 52, lastKept) * width);
        long kept0_14 = q.get(atQ + Math.min(keptRow + 56, lastKept) * width);
        long kept0_15 = q.get(atQ + Math.min(keptRow + 60, lastKept) * width);
        tiles[putKept] = (int) kept0_0;
        tiles[putKept + 1] = (int) (kept0_0 >>> 32);
        tiles[putKept + 272] = (int) kept0_1;
        tiles[putKept + 273] = (int) (kept0_1 >>> 32);
        tiles[putKept + 544] = (int) kept0_2;
        tiles[putKept + 545] = (int) (kept0_2 >>> 32);
        tiles[putKept + 816] = (int) kept0_3;
        tiles[putKept + 817] = (int) (kept0_3 >>> 32);
        tiles[putKept + 1088] = (int) kept0_4;
        tiles[putKept + 1089] = (int) (kept0_4 >>> 32);
        tiles[putKept + 1360] = (int) kept0_5;
        tiles[putKept + 1361] = (int) (kept0_5 >>> 32);
        tiles[putKept + 1632] = (int) kept0_6;
        tiles[putKept + 1633] = (int) (kept0_6 >>> 32);
        tiles[putKept + 1904] = (int) kept0_7;
        tiles[putKept + 1905] = (int) (kept0_7 >>> 32);
        tiles[putKept + 2176] = (int) kept0_8;
        tiles[putKept + 2177] = (int) (kept0_8 >>> 32);
        tiles[putKept + 2448] = (int) kept0_9;
        tiles[putKept + 2449] = (int) (kept0_9 >>> 32);
        tiles[putKept + 2720] = (int) kept0_10;
        tiles[putKept + 2721] = (int) (kept0_10 >>> 32);
        tiles[putKept + 2992] = (int) kept0_11;
        tiles[putKept + 2993] = (int) (kept0_11 >>> 32);
        tiles[putKept + 3264] = (int) kept0_12;
        tiles[putKept + 3265] = (int) (kept0_12 >>> 32);
        tiles[putKept + 3536] = (int) kept0_13;
        tiles[putKept + 3537] = (int) (kept0_13 >>> 32);
        tiles[putKept + 3808] = (int) kept0_14;
        tiles[putKept + 3809] = (int) (kept0_14 >>> 32);
        tiles[putKept + 4080] = (int) kept0_15;
        tiles[putKept + 4081] = (int) (kept0_15 >>> 32);
        context.localBarrier();
        HalfFloat[] x0_0_0 = context.mmaLoadA(tiles, 16, getKept);
        HalfFloat[] x0_0_1 = context.mmaLoadA(tiles, 16, getKept + 32);
        HalfFloat[] x0_0_2 = context.mmaLoadA(tiles, 16, getKept + 64);
        HalfFloat[] x0_0_3 = context.mmaLoadA(tiles, 16, getKept + 96);
        HalfFloat[] x0_0_4 = context.mmaLoadA(tiles, 16, getKept + 128);
        HalfFloat[] x0_0_5 = context.mmaLoadA(tiles, 16, getKept + 160);
        HalfFloat[] x0_0_6 = context.mmaLoadA(tiles, 16, getKept + 192);
        HalfFloat[] x0_0_7 = context.mmaLoadA(tiles, 16, getKept + 224);
        HalfFloat[] x0_1_0 = context.mmaLoadA(tiles, 16, getKept + 2176);
        HalfFloat[] x0_1_1 = context.mmaLoadA(tiles, 16, getKept + 2208);
        HalfFloat[] x0_1_2 = context.mmaLoadA(tiles, 16, getKept + 2240);
        HalfFloat[] x0_1_3 = context.mmaLoadA(tiles, 16, getKept + 2272);
        HalfFloat[] x0_1_4 = context.mmaLoadA(tiles, 16, getKept + 2304);
        HalfFloat[] x0_1_5 = context.mmaLoadA(tiles, 16, getKept + 2336);
        HalfFloat[] x0_1_6 = context.mmaLoadA(tiles, 16, getKept + 2368);
        HalfFloat[] x0_1_7 = context.mmaLoadA(tiles, 16, getKept + 2400);
        int atDO = table.get(slot + 4) / 4 + keptAt;
        long kept1_0 = dO.get(atDO + Math.min(keptRow, lastKept) * width);
        long kept1_1 = dO.get(atDO + Math.min(keptRow + 4, lastKept) * width);
        long kept1_2 = dO.get(atDO + Math.min(keptRow + 8, lastKept) * width);
        long kept1_3 = dO.get(atDO + Math.min(keptRow + 12, lastKept) * width);
        long kept1_4 = dO.get(atDO + Math.min(keptRow + 16, lastKept) * width);
        long kept1_5 = dO.get(atDO + Math.min(keptRow + 20, lastKept) * width);
        long kept1_6 = dO.get(atDO + Math.min(keptRow + 24, lastKept) * width);
        long kept1_7 = dO.get(atDO + Math.min(keptRow + 28, lastKept) * width);
        long kept1_8 = dO.get(atDO + Math.min(keptRow + 32, lastKept) * width);
        long kept1_9 = dO.get(atDO + Math.min(keptRow + 36, lastKept) * width);
        long kept1_10 = dO.get(atDO + Math.min(keptRow + 40, lastKept) * width);
        long kept1_11 = dO.get(atDO + Math.min(keptRow + 44, lastKept) * width);
        long kept1_12 = dO.get(atDO + Math.min(keptRow + 48, lastKept) * width);
        long kept1_13 = dO.get(atDO + Math.min(keptRow + 52, lastKept) * width);
        long kept1_14 = dO.get(atDO + Math.min(keptRow + 56, lastKept) * width);
        long kept1_15 = dO.get(atDO + Math.min(keptRow + 60, lastKept) * width);
        context.localBarrier();
        tiles[putKept] = (int) kept1_0;
        tiles[putKept + 1] = (int) (kept1_0 >>> 32);
        tiles[putKept + 272] = (int) kept1_1;
        tiles[putKept + 273] = (int) (kept1_1 >>> 32);
        tiles[putKept + 544] = (int) kept1_2;
        tiles[putKept + 545] = (int) (kept1_2 >>> 32);
        tiles[putKept + 816] = (int) kept1_3;
        tiles[putKept + 817] = (int) (kept1_3 >>> 32);
        tiles[putKept + 1088] = (int) kept1_4;
        tiles[putKept + 1089] = (int) (kept1_4 >>> 32);
        tiles[putKept + 1360] = (int) kept1_5;
        tiles[putKept + 1361] = (int) (kept1_5 >>> 32);
        tiles[putKept + 1632] = (int) kept1_6;
        tiles[putKept + 1633] = (int) (kept1_6 >>> 32);
        tiles[putKept + 1904] = (int) kept1_7;
        tiles[putKept + 1905] = (int) (kept1_7 >>> 32);
        tiles[putKept + 2176] = (int) kept1_8;
        tiles[putKept + 2177] = (int) (kept1_8 >>> 32);
        tiles[putKept + 2448] = (int) kept1_9;
        tiles[putKept + 2449] = (int) (kept1_9 >>> 32);
        tiles[putKept + 2720] = (int) kept1_10;
        tiles[putKept + 2721] = (int) (kept1_10 >>> 32);
        tiles[putKept + 2992] = (int) kept1_11;
        tiles[putKept + 2993] = (int) (kept1_11 >>> 32);
        tiles[putKept + 3264] = (int) kept1_12;
        tiles[putKept + 3265] = (int) (kept1_12 >>> 32);
        tiles[putKept + 3536] = (int) kept1_13;
        tiles[putKept + 3537] = (int) (kept1_13 >>> 32);
        tiles[putKept + 3808] = (int) kept1_14;
        tiles[putKept + 3809] = (int) (kept1_14 >>> 32);
        tiles[putKept + 4080] = (int) kept1_15;
        tiles[putKept + 4081] = (int) (kept1_15 >>> 32);
        context.localBarrier();
        HalfFloat[] x1_0_0 = context.mmaLoadA(tiles, 16, getKept);
        HalfFloat[] x1_0_1 = context.mmaLoadA(tiles, 16, getKept + 32);
        HalfFloat[] x1_0_2 = context.mmaLoadA(tiles, 16, getKept + 64);
        HalfFloat[] x1_0_3 = context.mmaLoadA(tiles, 16, getKept + 96);
        HalfFloat[] x1_0_4 = context.mmaLoadA(tiles, 16, getKept + 128);
        HalfFloat[] x1_0_5 = context.mmaLoadA(tiles, 16, getKept + 160);
        HalfFloat[] x1_0_6 = context.mmaLoadA(tiles, 16, getKept + 192);
        HalfFloat[] x1_0_7 = context.mmaLoadA(tiles, 16, getKept + 224);
        HalfFloat[] x1_1_0 = context.mmaLoadA(tiles, 16, getKept + 2176);
        HalfFloat[] x1_1_1 = context.mmaLoadA(tiles, 16, getKept + 2208);
        HalfFloat[] x1_1_2 = context.mmaLoadA(tiles, 16, getKept + 2240);
        HalfFloat[] x1_1_3 = context.mmaLoadA(tiles, 16, getKept + 2272);
        HalfFloat[] x1_1_4 = context.mmaLoadA(tiles, 16, getKept + 2304);
        HalfFloat[] x1_1_5 = context.mmaLoadA(tiles, 16, getKept + 2336);
        HalfFloat[] x1_1_6 = context.mmaLoadA(tiles, 16, getKept + 2368);
        HalfFloat[] x1_1_7 = context.mmaLoadA(tiles, 16, getKept + 2400);

        // What this warp's rows see, and their marks: lse for scores, delta for dO vᵀ.
        if (thread < 64) {
            bounds[thread] = top + thread < queries ? ranges.get(atRanges + top + thread) : 0;
            bounds[64 + thread] = top + thread < queries ? ranges.get(atRanges + queries + top + thread) : keys;
        }
        context.localBarrier();
        int latestStart = 0;
        int earliestStop = keys;
        for (int r = 0; r < 16; r++) {
            latestStart = Math.max(latestStart, bounds[warp * 16 + r]);
            earliestStop = Math.min(earliestStop, bounds[64 + warp * 16 + r]);
        }
        int atMarks = atStats + head * queries;
        float mark00 = GradientTiles.finite(stats.get(atMarks + Math.min(warpTop + column, lastKept)));
        float delta00 = GradientTiles.finite(stats.get(atMarks + heads * queries + Math.min(warpTop + column, lastKept)));
        float mark01 = GradientTiles.finite(stats.get(atMarks + Math.min(warpTop + column + 1, lastKept)));
        float delta01 = GradientTiles.finite(stats.get(atMarks + heads * queries + Math.min(warpTop + column + 1, lastKept)));
        less0[0] = -delta00;
        less0[1] = -delta01;
        less0[2] = -delta00;
        less0[3] = -delta01;
        float mark10 = GradientTiles.finite(stats.get(atMarks + Math.min(warpTop + column + 8, lastKept)));
        float delta10 = GradientTiles.finite(stats.get(atMarks + heads * queries + Math.min(warpTop + column + 8, lastKept)));
        float mark11 = GradientTiles.finite(stats.get(atMarks + Math.min(warpTop + column + 9, lastKept)));
        float delta11 = GradientTiles.finite(stats.get(atMarks + heads * queries + Math.min(warpTop + column + 9, lastKept)));
        less1[0] = -delta10;
        less1[1] = -delta11;
        less1[2] = -delta10;
        less1[3] = -delta11;

        float[] s0_0 = context.mmaFragment(0f);
        float[] s0_1 = context.mmaFragment(0f);
        float[] s0_2 = context.mmaFragment(0f);
        float[] s0_3 = context.mmaFragment(0f);
        float[] s0_4 = context.mmaFragment(0f);
        float[] s0_5 = context.mmaFragment(0f);
        float[] s0_6 = context.mmaFragment(0f);
        float[] s0_7 = context.mmaFragment(0f);
        float[] s0_8 = context.mmaFragment(0f);
        float[] s0_9 = context.mmaFragment(0f);
        float[] s0_10 = context.mmaFragment(0f);
        float[] s0_11 = context.mmaFragment(0f);
        float[] s0_12 = context.mmaFragment(0f);
        float[] s0_13 = context.mmaFragment(0f);
        float[] s0_14 = context.mmaFragment(0f);
        float[] s0_15 = context.mmaFragment(0f);

        int kAt = table.get(slot + 2) / 4;
        int vAt = table.get(slot + 3) / 4;
        int first = begin;
        int streamRow = Math.min(first + (thread >> 5 & 3), keys - 1);
        int room = keys - 1 - streamRow;
        int index = streamRow * kvWidth + kvHead * 32 + (thread & 31);
        long next00 = k.get(kAt + index);
        long next01 = k.get(kAt + index + Math.min(4, room) * kvWidth);
        long next02 = k.get(kAt + index + Math.min(8, room) * kvWidth);
        long next03 = k.get(kAt + index + Math.min(12, room) * kvWidth);
        long next04 = k.get(kAt + index + Math.min(16, room) * kvWidth);
        long next05 = k.get(kAt + index + Math.min(20, room) * kvWidth);
        long next06 = k.get(kAt + index + Math.min(24, room) * kvWidth);
        long next07 = k.get(kAt + index + Math.min(28, room) * kvWidth);
        context.localBarrier();
        tiles[put] = (int) next00;
        tiles[put + 1] = (int) (next00 >>> 32);
        tiles[put + 272] = (int) next01;
        tiles[put + 273] = (int) (next01 >>> 32);
        tiles[put + 560] = (int) next02;
        tiles[put + 561] = (int) (next02 >>> 32);
        tiles[put + 832] = (int) next03;
        tiles[put + 833] = (int) (next03 >>> 32);
        tiles[put + 1120] = (int) next04;
        tiles[put + 1121] = (int) (next04 >>> 32);
        tiles[put + 1392] = (int) next05;
        tiles[put + 1393] = (int) (next05 >>> 32);
        tiles[put + 1680] = (int) next06;
        tiles[put + 1681] = (int) (next06 >>> 32);
        tiles[put + 1952] = (int) next07;
        tiles[put + 1953] = (int) (next07 >>> 32);
        next00 = v.get(vAt + index);
        next01 = v.get(vAt + index + Math.min(4, room) * kvWidth);
        next02 = v.get(vAt + index + Math.min(8, room) * kvWidth);
        next03 = v.get(vAt + index + Math.min(12, room) * kvWidth);
        next04 = v.get(vAt + index + Math.min(16, room) * kvWidth);
        next05 = v.get(vAt + index + Math.min(20, room) * kvWidth);
        next06 = v.get(vAt + index + Math.min(24, room) * kvWidth);
        next07 = v.get(vAt + index + Math.min(28, room) * kvWidth);
        for (int step = 0; step < steps; step++) {
            Object asMade = made;                        // see the generator
            Object asBits = bits;
            if (step >= heads + 16777216) {
                asMade = tiles;
                asBits = tiles;
            }
            FloatArray intoMade = (FloatArray) asMade;
            FloatArray intoBits = (FloatArray) asBits;
            int half = step & 1;
            int side = step >> 1 & 1;
            int right = getRight + side * 17920 + half * 4480;
            int left = getLeft + side * 17920 + half * 4480;
            int tile = begin + step * 16;
            int whole = tile >= latestStart ? tile + 16 <= earliestStop ? 1 : 0 : 0;
            if (half == 0) {
                tiles[put + side * 4480 + 2240] = (int) next00;
                tiles[put + side * 4480 + 2241] = (int) (next00 >>> 32);
                tiles[put + side * 4480 + 2512] = (int) next01;
                tiles[put + side * 4480 + 2513] = (int) (next01 >>> 32);
                tiles[put + side * 4480 + 2800] = (int) next02;
                tiles[put + side * 4480 + 2801] = (int) (next02 >>> 32);
                tiles[put + side * 4480 + 3072] = (int) next03;
                tiles[put + side * 4480 + 3073] = (int) (next03 >>> 32);
                tiles[put + side * 4480 + 3360] = (int) next04;
                tiles[put + side * 4480 + 3361] = (int) (next04 >>> 32);
                tiles[put + side * 4480 + 3632] = (int) next05;
                tiles[put + side * 4480 + 3633] = (int) (next05 >>> 32);
                tiles[put + side * 4480 + 3920] = (int) next06;
                tiles[put + side * 4480 + 3921] = (int) (next06 >>> 32);
                tiles[put + side * 4480 + 4192] = (int) next07;
                tiles[put + side * 4480 + 4193] = (int) (next07 >>> 32);
                context.localBarrier();
                first = first + 32;
            } else {
                tiles[put + (1 - side) * 4480] = (int) next00;
                tiles[put + (1 - side) * 4480 + 1] = (int) (next00 >>> 32);
                tiles[put + (1 - side) * 4480 + 272] = (int) next01;
                tiles[put + (1 - side) * 4480 + 273] = (int) (next01 >>> 32);
                tiles[put + (1 - side) * 4480 + 560] = (int) next02;
                tiles[put + (1 - side) * 4480 + 561] = (int) (next02 >>> 32);
                tiles[put + (1 - side) * 4480 + 832] = (int) next03;
                tiles[put + (1 - side) * 4480 + 833] = (int) (next03 >>> 32);
                tiles[put + (1 - side) * 4480 + 1120] = (int) next04;
                tiles[put + (1 - side) * 4480 + 1121] = (int) (next04 >>> 32);
                tiles[put + (1 - side) * 4480 + 1392] = (int) next05;
                tiles[put + (1 - side) * 4480 + 1393] = (int) (next05 >>> 32);
                tiles[put + (1 - side) * 4480 + 1680] = (int) next06;
                tiles[put + (1 - side) * 4480 + 1681] = (int) (next06 >>> 32);
                tiles[put + (1 - side) * 4480 + 1952] = (int) next07;
                tiles[put + (1 - side) * 4480 + 1953] = (int) (next07 >>> 32);
            }
            float[] t000 = context.mmaFragment(0f);
            float[] t010 = context.mmaFragment(0f);
            HalfFloat[] y00_0 = context.mmaLoadA(tiles, 16, left);
            t000 = context.mmaBF16(y00_0, x0_0_0, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_0, x0_1_0, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_0 = context.mmaLoadA(tiles, 16, left + 8960);
            float[] t001 = context.mmaBF16(y01_0, x1_0_0, less0, MMAShape.M16N8K16);
            float[] t011 = context.mmaBF16(y01_0, x1_1_0, less1, MMAShape.M16N8K16);
            HalfFloat[] y00_1 = context.mmaLoadA(tiles, 16, left + 32);
            t000 = context.mmaBF16(y00_1, x0_0_1, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_1, x0_1_1, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_1 = context.mmaLoadA(tiles, 16, left + 8992);
            t001 = context.mmaBF16(y01_1, x1_0_1, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_1, x1_1_1, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_2 = context.mmaLoadA(tiles, 16, left + 64);
            t000 = context.mmaBF16(y00_2, x0_0_2, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_2, x0_1_2, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_2 = context.mmaLoadA(tiles, 16, left + 9024);
            t001 = context.mmaBF16(y01_2, x1_0_2, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_2, x1_1_2, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_3 = context.mmaLoadA(tiles, 16, left + 96);
            t000 = context.mmaBF16(y00_3, x0_0_3, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_3, x0_1_3, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_3 = context.mmaLoadA(tiles, 16, left + 9056);
            t001 = context.mmaBF16(y01_3, x1_0_3, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_3, x1_1_3, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_4 = context.mmaLoadA(tiles, 16, left + 128);
            t000 = context.mmaBF16(y00_4, x0_0_4, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_4, x0_1_4, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_4 = context.mmaLoadA(tiles, 16, left + 9088);
            t001 = context.mmaBF16(y01_4, x1_0_4, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_4, x1_1_4, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_5 = context.mmaLoadA(tiles, 16, left + 160);
            t000 = context.mmaBF16(y00_5, x0_0_5, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_5, x0_1_5, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_5 = context.mmaLoadA(tiles, 16, left + 9120);
            t001 = context.mmaBF16(y01_5, x1_0_5, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_5, x1_1_5, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_6 = context.mmaLoadA(tiles, 16, left + 192);
            t000 = context.mmaBF16(y00_6, x0_0_6, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_6, x0_1_6, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_6 = context.mmaLoadA(tiles, 16, left + 9152);
            t001 = context.mmaBF16(y01_6, x1_0_6, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_6, x1_1_6, t011, MMAShape.M16N8K16);
            HalfFloat[] y00_7 = context.mmaLoadA(tiles, 16, left + 224);
            t000 = context.mmaBF16(y00_7, x0_0_7, t000, MMAShape.M16N8K16);
            t010 = context.mmaBF16(y00_7, x0_1_7, t010, MMAShape.M16N8K16);
            HalfFloat[] y01_7 = context.mmaLoadA(tiles, 16, left + 9184);
            t001 = context.mmaBF16(y01_7, x1_0_7, t001, MMAShape.M16N8K16);
            t011 = context.mmaBF16(y01_7, x1_1_7, t011, MMAShape.M16N8K16);
            context.mmaStore(t000, intoMade, down, across, 1);
            context.mmaStore(t010, intoMade, down, across + 2, 1);
            context.mmaStore(t001, intoMade, down, across + 4, 1);
            context.mmaStore(t011, intoMade, down, across + 6, 1);
            streamRow = Math.min(first + (thread >> 5 & 3), keys - 1);
            room = keys - 1 - streamRow;
            index = streamRow * kvWidth + kvHead * 32 + (thread & 31);
            if (half == 0) {
                next00 = k.get(kAt + index);
                next01 = k.get(kAt + index + Math.min(4, room) * kvWidth);
                next02 = k.get(kAt + index + Math.min(8, room) * kvWidth);
                next03 = k.get(kAt + index + Math.min(12, room) * kvWidth);
                next04 = k.get(kAt + index + Math.min(16, room) * kvWidth);
                next05 = k.get(kAt + index + Math.min(20, room) * kvWidth);
                next06 = k.get(kAt + index + Math.min(24, room) * kvWidth);
                next07 = k.get(kAt + index + Math.min(28, room) * kvWidth);
            } else {
                next00 = v.get(vAt + index);
                next01 = v.get(vAt + index + Math.min(4, room) * kvWidth);
                next02 = v.get(vAt + index + Math.min(8, room) * kvWidth);
                next03 = v.get(vAt + index + Math.min(12, room) * kvWidth);
                next04 = v.get(vAt + index + Math.min(16, room) * kvWidth);
                next05 = v.get(vAt + index + Math.min(20, room) * kvWidth);
                next06 = v.get(vAt + index + Math.min(24, room) * kvWidth);
                next07 = v.get(vAt + index + Math.min(28, room) * kvWidth);
            }

            if (whole == 0) {
                int key00 = tile + row;
                int key01 = tile + row + 8;
                int start000 = bounds[warp * 16 + column];
                int stop000 = bounds[warp * 16 + column + 64];
                if (GradientTiles.sees(key00, start000, stop000) == 0) {
                    made[4] = GradientTiles.UNSEEN;
                    made[8] = 0f;
                }
                if (GradientTiles.sees(key01, start000, stop000) == 0) {
                    made[12] = GradientTiles.UNSEEN;
                    made[16] = 0f;
                }
                int start001 = bounds[warp * 16 + column + 1];
                int stop001 = bounds[warp * 16 + column + 65];
                if (GradientTiles.sees(key00, start001, stop001) == 0) {
                    made[5] = GradientTiles.UNSEEN;
                    made[9] = 0f;
                }
                if (GradientTiles.sees(key01, start001, stop001) == 0) {
                    made[13] = GradientTiles.UNSEEN;
                    made[17] = 0f;
                }
                int start010 = bounds[warp * 16 + column + 8];
                int stop010 = bounds[warp * 16 + column + 72];
                if (GradientTiles.sees(key00, start010, stop010) == 0) {
                    made[6] = GradientTiles.UNSEEN;
                    made[10] = 0f;
                }
                if (GradientTiles.sees(key01, start010, stop010) == 0) {
                    made[14] = GradientTiles.UNSEEN;
                    made[18] = 0f;
                }
                int start011 = bounds[warp * 16 + column + 9];
                int stop011 = bounds[warp * 16 + column + 73];
                if (GradientTiles.sees(key00, start011, stop011) == 0) {
                    made[7] = GradientTiles.UNSEEN;
                    made[11] = 0f;
                }
                if (GradientTiles.sees(key01, start011, stop011) == 0) {
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
            pack0[0] = GradientTiles.rounded(ds0000);
            float score0001 = made[5] * scale;
            float p0001 = TornadoMath.exp(score0001 - mark01);
            float w0001 = p0001;
            if (softcap > 0f) {
                float bend0001 = TornadoMath.tanh(score0001 / cap);
                p0001 = GradientTiles.seen(score0001, TornadoMath.exp(cap * bend0001 - mark01));
                w0001 = p0001 * (1f - bend0001 * bend0001);
            }
            float ds0001 = w0001 * made[9];
            pack0[1] = GradientTiles.rounded(ds0001);
            float score0010 = made[12] * scale;
            float p0010 = TornadoMath.exp(score0010 - mark00);
            float w0010 = p0010;
            if (softcap > 0f) {
                float bend0010 = TornadoMath.tanh(score0010 / cap);
                p0010 = GradientTiles.seen(score0010, TornadoMath.exp(cap * bend0010 - mark00));
                w0010 = p0010 * (1f - bend0010 * bend0010);
            }
            float ds0010 = w0010 * made[16];
            pack0[2] = GradientTiles.rounded(ds0010);
            float score0011 = made[13] * scale;
            float p0011 = TornadoMath.exp(score0011 - mark01);
            float w0011 = p0011;
            if (softcap > 0f) {
                float bend0011 = TornadoMath.tanh(score0011 / cap);
                p0011 = GradientTiles.seen(score0011, TornadoMath.exp(cap * bend0011 - mark01));
                w0011 = p0011 * (1f - bend0011 * bend0011);
            }
            float ds0011 = w0011 * made[17];
            pack0[3] = GradientTiles.rounded(ds0011);
            context.mmaStore(pack0, intoBits, down, across, 1);
            weights[weightPut] = MmaTiles.upper(bits[4], bits[12]);
            weights[weightPut + 12] = MmaTiles.upper(bits[5], bits[13]);
            float score0100 = made[6] * scale;
            float p0100 = TornadoMath.exp(score0100 - mark10);
            float w0100 = p0100;
            if (softcap > 0f) {
                float bend0100 = TornadoMath.tanh(score0100 / cap);
                p0100 = GradientTiles.seen(score0100, TornadoMath.exp(cap * bend0100 - mark10));
                w0100 = p0100 * (1f - bend0100 * bend0100);
            }
            float ds0100 = w0100 * made[10];
            pack1[0] = GradientTiles.rounded(ds0100);
            float score0101 = made[7] * scale;
            float p0101 = TornadoMath.exp(score0101 - mark11);
            float w0101 = p0101;
            if (softcap > 0f) {
                float bend0101 = TornadoMath.tanh(score0101 / cap);
                p0101 = GradientTiles.seen(score0101, TornadoMath.exp(cap * bend0101 - mark11));
                w0101 = p0101 * (1f - bend0101 * bend0101);
            }
            float ds0101 = w0101 * made[11];
            pack1[1] = GradientTiles.rounded(ds0101);
            float score0110 = made[14] * scale;
            float p0110 = TornadoMath.exp(score0110 - mark10);
            float w0110 = p0110;
            if (softcap > 0f) {
                float bend0110 = TornadoMath.tanh(score0110 / cap);
                p0110 = GradientTiles.seen(score0110, TornadoMath.exp(cap * bend0110 - mark10));
                w0110 = p0110 * (1f - bend0110 * bend0110);
            }
            float ds0110 = w0110 * made[18];
            pack1[2] = GradientTiles.rounded(ds0110);
            float score0111 = made[15] * scale;
            float p0111 = TornadoMath.exp(score0111 - mark11);
            float w0111 = p0111;
            if (softcap > 0f) {
                float bend0111 = TornadoMath.tanh(score0111 / cap);
                p0111 = GradientTiles.seen(score0111, TornadoMath.exp(cap * bend0111 - mark11));
                w0111 = p0111 * (1f - bend0111 * bend0111);
            }
            float ds0111 = w0111 * made[19];
            pack1[3] = GradientTiles.rounded(ds0111);
            context.mmaStore(pack1, intoBits, down, across + 2, 1);
            weights[weightPut + 96] = MmaTiles.upper(bits[6], bits[14]);
            weights[weightPut + 108] = MmaTiles.upper(bits[7], bits[15]);
            HalfFloat[] w00 = context.mmaLoadA(weights, 16, weightGet);
            HalfFloat[] z00_0 = context.mmaLoadB(tiles, 16, right);
            s0_0 = context.mmaBF16(w00, z00_0, s0_0, MMAShape.M16N8K16);
            HalfFloat[] z00_1 = context.mmaLoadB(tiles, 16, right + 16);
            s0_1 = context.mmaBF16(w00, z00_1, s0_1, MMAShape.M16N8K16);
            HalfFloat[] z00_2 = context.mmaLoadB(tiles, 16, right + 32);
            s0_2 = context.mmaBF16(w00, z00_2, s0_2, MMAShape.M16N8K16);
            HalfFloat[] z00_3 = context.mmaLoadB(tiles, 16, right + 48);
            s0_3 = context.mmaBF16(w00, z00_3, s0_3, MMAShape.M16N8K16);
            HalfFloat[] z00_4 = context.mmaLoadB(tiles, 16, right + 64);
            s0_4 = context.mmaBF16(w00, z00_4, s0_4, MMAShape.M16N8K16);
            HalfFloat[] z00_5 = context.mmaLoadB(tiles, 16, right + 80);
            s0_5 = context.mmaBF16(w00, z00_5, s0_5, MMAShape.M16N8K16);
            HalfFloat[] z00_6 = context.mmaLoadB(tiles, 16, right + 96);
            s0_6 = context.mmaBF16(w00, z00_6, s0_6, MMAShape.M16N8K16);
            HalfFloat[] z00_7 = context.mmaLoadB(tiles, 16, right + 112);
            s0_7 = context.mmaBF16(w00, z00_7, s0_7, MMAShape.M16N8K16);
            HalfFloat[] z00_8 = context.mmaLoadB(tiles, 16, right + 128);
            s0_8 = context.mmaBF16(w00, z00_8, s0_8, MMAShape.M16N8K16);
            HalfFloat[] z00_9 = context.mmaLoadB(tiles, 16, right + 144);
            s0_9 = context.mmaBF16(w00, z00_9, s0_9, MMAShape.M16N8K16);
            HalfFloat[] z00_10 = context.mmaLoadB(tiles, 16, right + 160);
            s0_10 = context.mmaBF16(w00, z00_10, s0_10, MMAShape.M16N8K16);
            HalfFloat[] z00_11 = context.mmaLoadB(tiles, 16, right + 176);
            s0_11 = context.mmaBF16(w00, z00_11, s0_11, MMAShape.M16N8K16);
            HalfFloat[] z00_12 = context.mmaLoadB(tiles, 16, right + 192);
            s0_12 = context.mmaBF16(w00, z00_12, s0_12, MMAShape.M16N8K16);
            HalfFloat[] z00_13 = context.mmaLoadB(tiles, 16, right + 208);
            s0_13 = context.mmaBF16(w00, z00_13, s0_13, MMAShape.M16N8K16);
            HalfFloat[] z00_14 = context.mmaLoadB(tiles, 16, right + 224);
            s0_14 = context.mmaBF16(w00, z00_14, s0_14, MMAShape.M16N8K16);
            HalfFloat[] z00_15 = context.mmaLoadB(tiles, 16, right + 240);
            s0_15 = context.mmaBF16(w00, z00_15, s0_15, MMAShape.M16N8K16);
        }

        int outWidth = 2 * width;
        int dqAt = table.get(slot + 0) / 2 + head * 64 + (lane & 3);
        context.mmaStore(s0_0, target, 0, ownTarget, 8);
        int both0_0_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth, both0_0_0);
        }
        int both0_0_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth, both0_0_1);
        }
        context.mmaStore(s0_1, target, 0, ownTarget + 128, 8);
        int both0_1_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 4, both0_1_0);
        }
        int both0_1_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 4, both0_1_1);
        }
        context.mmaStore(s0_2, target, 0, ownTarget, 8);
        int both0_2_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 8, both0_2_0);
        }
        int both0_2_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 8, both0_2_1);
        }
        context.mmaStore(s0_3, target, 0, ownTarget + 128, 8);
        int both0_3_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 12, both0_3_0);
        }
        int both0_3_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 12, both0_3_1);
        }
        context.mmaStore(s0_4, target, 0, ownTarget, 8);
        int both0_4_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 16, both0_4_0);
        }
        int both0_4_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 16, both0_4_1);
        }
        context.mmaStore(s0_5, target, 0, ownTarget + 128, 8);
        int both0_5_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 20, both0_5_0);
        }
        int both0_5_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 20, both0_5_1);
        }
        context.mmaStore(s0_6, target, 0, ownTarget, 8);
        int both0_6_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 24, both0_6_0);
        }
        int both0_6_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 24, both0_6_1);
        }
        context.mmaStore(s0_7, target, 0, ownTarget + 128, 8);
        int both0_7_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 28, both0_7_0);
        }
        int both0_7_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 28, both0_7_1);
        }
        context.mmaStore(s0_8, target, 0, ownTarget, 8);
        int both0_8_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 32, both0_8_0);
        }
        int both0_8_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 32, both0_8_1);
        }
        context.mmaStore(s0_9, target, 0, ownTarget + 128, 8);
        int both0_9_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 36, both0_9_0);
        }
        int both0_9_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 36, both0_9_1);
        }
        context.mmaStore(s0_10, target, 0, ownTarget, 8);
        int both0_10_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 40, both0_10_0);
        }
        int both0_10_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 40, both0_10_1);
        }
        context.mmaStore(s0_11, target, 0, ownTarget + 128, 8);
        int both0_11_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 44, both0_11_0);
        }
        int both0_11_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 44, both0_11_1);
        }
        context.mmaStore(s0_12, target, 0, ownTarget, 8);
        int both0_12_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 48, both0_12_0);
        }
        int both0_12_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 48, both0_12_1);
        }
        context.mmaStore(s0_13, target, 0, ownTarget + 128, 8);
        int both0_13_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 52, both0_13_0);
        }
        int both0_13_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 52, both0_13_1);
        }
        context.mmaStore(s0_14, target, 0, ownTarget, 8);
        int both0_14_0 = AttentionTiles.pair(values[own] * scale, values[own + 1] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 56, both0_14_0);
        }
        int both0_14_1 = AttentionTiles.pair(values[own + 64] * scale, values[own + 65] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 56, both0_14_1);
        }
        context.mmaStore(s0_15, target, 0, ownTarget + 128, 8);
        int both0_15_0 = AttentionTiles.pair(values[own + 128] * scale, values[own + 129] * scale);
        if (warpTop + row < queries) {
            dq.set(dqAt + (warpTop + row) * outWidth + 60, both0_15_0);
        }
        int both0_15_1 = AttentionTiles.pair(values[own + 192] * scale, values[own + 193] * scale);
        if (warpTop + row + 8 < queries) {
            dq.set(dqAt + (warpTop + row + 8) * outWidth + 60, both0_15_1);
        }
    }
}
