package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `AttentionGradientGenerator`: change that, not this. 64 queries a work-group, 32 a pair of warps.
public final class AttentionDq64 {
    private AttentionDq64() {}

    /// `dq = scale ds k` on the matrix unit; p and ds
    /// as in `AttentionGradientKernels.attentionGradient`.
    /// Shapes: q, dO, dq BF16 `[queries, heads * 64]`, k, v BF16 `[keys, kvHeads * 64]`;
    /// those that are read are seen as longs of four elements, those that are written as ints of two; stats from
    /// `attentionDelta`, ranges from `attentionRanges`. Operands in the table: dq, q, k, v, dO, stats, ranges.
    /// Launch: `ceil(queries / 64) * heads` groups of 128 threads; 33.8 KB of local memory.
    /// Numerics: p and ds round to BF16; the matrix unit's F32 sums, 16 keys at a time. A NaN may reach
    /// all that shares its tile of 64 queries and 32 keys. Writes: `=`.
    /// Source: Dao et al. 2022, arXiv 2205.14135.
    public static void attentionDq64(KernelContext context, IntArray table, int slot, IntArray dq,
            LongArray q, LongArray k, LongArray v, LongArray dO, FloatArray stats, IntArray ranges, int heads,
            int kvHeads, int queries, int keys, float scale, float softcap) {
        int[] tiles = context.allocateIntLocalArray(2304);
        int[] weights = context.allocateIntLocalArray(2048);
        float[] values = context.allocateFloatLocalArray(4100);
        FloatArray target = (FloatArray) (Object) values;      // its element i is values[i + 4]
        int[] bounds = context.allocateIntLocalArray(128);
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        float zero = pin[0];
        int thread = context.localIdx;
        int place = context.groupIdx;
        int none = thread >> 10;                     // two zeros that TornadoVM does not know: see GradientTiles.pair
        int nil = thread >> 11;
        int lane = thread & 31;
        int pair = thread >> 5 & 1;
        int partner = thread >> 6 & 1;               // 0: makes scores and p, 1: makes ds
        int warp = partner * 2 + pair;
        int column = (lane & 3) * 2;                 // of a lane's first element in a piece of 16 x 8, and its row
        int row = pair * 32 + (lane >> 2 & 7);
        int width = heads * 16;                       // longs of a row
        int kvWidth = kvHeads * 16;
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
        int steps = perHead;

        // Where things stand in local memory, and where the lane's registers of the matrix unit come from: byte
        // offsets, less those that the loads add by themselves.
        int put = (thread >> 4 & 7) * 36 + (thread & 15) * 2;
        int fixed = (lane & 15) * 32 + (lane >> 4 & 1) * 16;
        int get = partner * 4608 + (lane & 7) * 144 + (lane >> 3 & 1) * 16 - fixed;
        int getOther = partner * 64 + (lane & 15) * 128;
        int own = warp * 1024 + 4 + lane * 2;
        int ownTarget = warp * 1024;
        int pPut = pair * 512 + lane;
        int dsPut = pPut + 1024;
        int weightGet = (pair + 2) * 2048 + lane * 16 - fixed;

        // The rows that this warp keeps.
        int lastKept = queries - 1;
        int keptRow = top + pair * 32 + (lane >> 4 & 1);
        int keptAt = table.get(slot + 1 + 3 * partner) / 4 + head * 16 + (lane & 15);
        int keptPut = warp * 576 + (lane >> 4 & 1) * 36 + (lane & 15) * 2;
        int keptGet = warp * 2304 + (lane & 15) * 112;
        context.localBarrier();
        long kept000;
        long kept001;
        long kept002;
        long kept003;
        long kept004;
        long kept005;
        long kept006;
        long kept007;
        if (partner == 0) {
            kept000 = q.get(keptAt + Math.min(keptRow, lastKept) * width);
            kept001 = q.get(keptAt + Math.min(keptRow + 2, lastKept) * width);
            kept002 = q.get(keptAt + Math.min(keptRow + 4, lastKept) * width);
            kept003 = q.get(keptAt + Math.min(keptRow + 6, lastKept) * width);
            kept004 = q.get(keptAt + Math.min(keptRow + 8, lastKept) * width);
            kept005 = q.get(keptAt + Math.min(keptRow + 10, lastKept) * width);
            kept006 = q.get(keptAt + Math.min(keptRow + 12, lastKept) * width);
            kept007 = q.get(keptAt + Math.min(keptRow + 14, lastKept) * width);
        } else {
            kept000 = dO.get(keptAt + Math.min(keptRow, lastKept) * width);
            kept001 = dO.get(keptAt + Math.min(keptRow + 2, lastKept) * width);
            kept002 = dO.get(keptAt + Math.min(keptRow + 4, lastKept) * width);
            kept003 = dO.get(keptAt + Math.min(keptRow + 6, lastKept) * width);
            kept004 = dO.get(keptAt + Math.min(keptRow + 8, lastKept) * width);
            kept005 = dO.get(keptAt + Math.min(keptRow + 10, lastKept) * width);
            kept006 = dO.get(keptAt + Math.min(keptRow + 12, lastKept) * width);
            kept007 = dO.get(keptAt + Math.min(keptRow + 14, lastKept) * width);
        }
        tiles[keptPut] = (int) kept000;
        tiles[keptPut + 1] = (int) (kept000 >>> 32);
        tiles[keptPut + 72] = (int) kept001;
        tiles[keptPut + 73] = (int) (kept001 >>> 32);
        tiles[keptPut + 144] = (int) kept002;
        tiles[keptPut + 145] = (int) (kept002 >>> 32);
        tiles[keptPut + 216] = (int) kept003;
        tiles[keptPut + 217] = (int) (kept003 >>> 32);
        tiles[keptPut + 288] = (int) kept004;
        tiles[keptPut + 289] = (int) (kept004 >>> 32);
        tiles[keptPut + 360] = (int) kept005;
        tiles[keptPut + 361] = (int) (kept005 >>> 32);
        tiles[keptPut + 432] = (int) kept006;
        tiles[keptPut + 433] = (int) (kept006 >>> 32);
        tiles[keptPut + 504] = (int) kept007;
        tiles[keptPut + 505] = (int) (kept007 >>> 32);
        context.localBarrier();
        HalfFloat[] x0_0 = context.mmaLoadA(tiles, 16, keptGet);
        HalfFloat[] x0_1 = context.mmaLoadA(tiles, 16, keptGet + 32);
        HalfFloat[] x0_2 = context.mmaLoadA(tiles, 16, keptGet + 64);
        HalfFloat[] x0_3 = context.mmaLoadA(tiles, 16, keptGet + 96);
        context.localBarrier();
        long kept100;
        long kept101;
        long kept102;
        long kept103;
        long kept104;
        long kept105;
        long kept106;
        long kept107;
        if (partner == 0) {
            kept100 = q.get(keptAt + Math.min(keptRow + 16, lastKept) * width);
            kept101 = q.get(keptAt + Math.min(keptRow + 18, lastKept) * width);
            kept102 = q.get(keptAt + Math.min(keptRow + 20, lastKept) * width);
            kept103 = q.get(keptAt + Math.min(keptRow + 22, lastKept) * width);
            kept104 = q.get(keptAt + Math.min(keptRow + 24, lastKept) * width);
            kept105 = q.get(keptAt + Math.min(keptRow + 26, lastKept) * width);
            kept106 = q.get(keptAt + Math.min(keptRow + 28, lastKept) * width);
            kept107 = q.get(keptAt + Math.min(keptRow + 30, lastKept) * width);
        } else {
            kept100 = dO.get(keptAt + Math.min(keptRow + 16, lastKept) * width);
            kept101 = dO.get(keptAt + Math.min(keptRow + 18, lastKept) * width);
            kept102 = dO.get(keptAt + Math.min(keptRow + 20, lastKept) * width);
            kept103 = dO.get(keptAt + Math.min(keptRow + 22, lastKept) * width);
            kept104 = dO.get(keptAt + Math.min(keptRow + 24, lastKept) * width);
            kept105 = dO.get(keptAt + Math.min(keptRow + 26, lastKept) * width);
            kept106 = dO.get(keptAt + Math.min(keptRow + 28, lastKept) * width);
            kept107 = dO.get(keptAt + Math.min(keptRow + 30, lastKept) * width);
        }
        tiles[keptPut] = (int) kept100;
        tiles[keptPut + 1] = (int) (kept100 >>> 32);
        tiles[keptPut + 72] = (int) kept101;
        tiles[keptPut + 73] = (int) (kept101 >>> 32);
        tiles[keptPut + 144] = (int) kept102;
        tiles[keptPut + 145] = (int) (kept102 >>> 32);
        tiles[keptPut + 216] = (int) kept103;
        tiles[keptPut + 217] = (int) (kept103 >>> 32);
        tiles[keptPut + 288] = (int) kept104;
        tiles[keptPut + 289] = (int) (kept104 >>> 32);
        tiles[keptPut + 360] = (int) kept105;
        tiles[keptPut + 361] = (int) (kept105 >>> 32);
        tiles[keptPut + 432] = (int) kept106;
        tiles[keptPut + 433] = (int) (kept106 >>> 32);
        tiles[keptPut + 504] = (int) kept107;
        tiles[keptPut + 505] = (int) (kept107 >>> 32);
        context.localBarrier();
        HalfFloat[] x1_0 = context.mmaLoadA(tiles, 16, keptGet);
        HalfFloat[] x1_1 = context.mmaLoadA(tiles, 16, keptGet + 32);
        HalfFloat[] x1_2 = context.mmaLoadA(tiles, 16, keptGet + 64);
        HalfFloat[] x1_3 = context.mmaLoadA(tiles, 16, keptGet + 96);

        // What this warp's rows see, and their marks: lse for scores, delta for their partners.
        if (thread < 64) {
            bounds[thread] = top + thread < queries ? ranges.get(atRanges + top + thread) : 0;
            bounds[64 + thread] = top + thread < queries ? ranges.get(atRanges + queries + top + thread) : keys;
        }
        context.localBarrier();
        int latestStart = 0;
        int earliestStop = keys;
        for (int r = 0; r < 32; r++) {
            latestStart = Math.max(latestStart, bounds[pair * 32 + r]);
            earliestStop = Math.min(earliestStop, bounds[64 + pair * 32 + r]);
        }
        int atMarks = atStats + (partner * heads + head) * queries;
        float mark0 = GradientTiles.finite(stats.get(atMarks + Math.min(top + row, lastKept)));
        float mark1 = GradientTiles.finite(stats.get(atMarks + Math.min(top + row + 8, lastKept)));
        float mark2 = GradientTiles.finite(stats.get(atMarks + Math.min(top + row + 16, lastKept)));
        float mark3 = GradientTiles.finite(stats.get(atMarks + Math.min(top + row + 24, lastKept)));

        float[] s0_0 = context.mmaFragment(zero);
        float[] s0_1 = context.mmaFragment(zero);
        float[] s0_2 = context.mmaFragment(zero);
        float[] s0_3 = context.mmaFragment(zero);
        float[] s1_0 = context.mmaFragment(zero);
        float[] s1_1 = context.mmaFragment(zero);
        float[] s1_2 = context.mmaFragment(zero);
        float[] s1_3 = context.mmaFragment(zero);

        int kAt = table.get(slot + 2) / 4;
        int vAt = table.get(slot + 3) / 4;
        for (int step = 0; step < steps; step++) {
            int still = step >> 30 & 1;                  // 0, unknown to compilers: addresses do not stay in registers
            int first = begin + step * 32;
            int streamRow = Math.min(first + (thread >> 4 & 7), keys - 1);
            int room = keys - 1 - streamRow;
            int index = streamRow * kvWidth + kvHead * 16 + (thread & 15);
            long next00 = k.get(kAt + index);
            long next01 = k.get(kAt + index + Math.min(8, room) * kvWidth);
            long next02 = k.get(kAt + index + Math.min(16, room) * kvWidth);
            long next03 = k.get(kAt + index + Math.min(24, room) * kvWidth);
            long next10 = v.get(vAt + index);
            long next11 = v.get(vAt + index + Math.min(8, room) * kvWidth);
            long next12 = v.get(vAt + index + Math.min(16, room) * kvWidth);
            long next13 = v.get(vAt + index + Math.min(24, room) * kvWidth);
            context.localBarrier();
            tiles[put] = (int) next00;
            tiles[put + 1] = (int) (next00 >>> 32);
            tiles[put + 288] = (int) next01;
            tiles[put + 289] = (int) (next01 >>> 32);
            tiles[put + 576] = (int) next02;
            tiles[put + 577] = (int) (next02 >>> 32);
            tiles[put + 864] = (int) next03;
            tiles[put + 865] = (int) (next03 >>> 32);
            tiles[put + 1152] = (int) next10;
            tiles[put + 1153] = (int) (next10 >>> 32);
            tiles[put + 1440] = (int) next11;
            tiles[put + 1441] = (int) (next11 >>> 32);
            tiles[put + 1728] = (int) next12;
            tiles[put + 1729] = (int) (next12 >>> 32);
            tiles[put + 2016] = (int) next13;
            tiles[put + 2017] = (int) (next13 >>> 32);
            int tile = begin + step * 32;
            context.localBarrier();
            float[] t0_0 = context.mmaFragment(zero);
            float[] t0_1 = context.mmaFragment(zero);
            float[] t1_0 = context.mmaFragment(zero);
            float[] t1_1 = context.mmaFragment(zero);
            HalfFloat[] y0_0 = context.mmaLoadA(tiles, 16, get + still);
            HalfFloat[] y0_1 = context.mmaLoadA(tiles, 16, get + still + 1152);
            t0_0 = context.mmaBF16(x0_0, y0_0, t0_0, MMAShape.M16N8K16);
            t0_1 = context.mmaBF16(x0_0, y0_1, t0_1, MMAShape.M16N8K16);
            t1_1 = context.mmaBF16(x1_0, y0_1, t1_1, MMAShape.M16N8K16);
            t1_0 = context.mmaBF16(x1_0, y0_0, t1_0, MMAShape.M16N8K16);
            HalfFloat[] y1_0 = context.mmaLoadA(tiles, 16, get + still + 32);
            HalfFloat[] y1_1 = context.mmaLoadA(tiles, 16, get + still + 1184);
            t0_0 = context.mmaBF16(x0_1, y1_0, t0_0, MMAShape.M16N8K16);
            t0_1 = context.mmaBF16(x0_1, y1_1, t0_1, MMAShape.M16N8K16);
            t1_1 = context.mmaBF16(x1_1, y1_1, t1_1, MMAShape.M16N8K16);
            t1_0 = context.mmaBF16(x1_1, y1_0, t1_0, MMAShape.M16N8K16);
            HalfFloat[] y2_0 = context.mmaLoadA(tiles, 16, get + still + 64);
            HalfFloat[] y2_1 = context.mmaLoadA(tiles, 16, get + still + 1216);
            t0_0 = context.mmaBF16(x0_2, y2_0, t0_0, MMAShape.M16N8K16);
            t0_1 = context.mmaBF16(x0_2, y2_1, t0_1, MMAShape.M16N8K16);
            t1_1 = context.mmaBF16(x1_2, y2_1, t1_1, MMAShape.M16N8K16);
            t1_0 = context.mmaBF16(x1_2, y2_0, t1_0, MMAShape.M16N8K16);
            HalfFloat[] y3_0 = context.mmaLoadA(tiles, 16, get + still + 96);
            HalfFloat[] y3_1 = context.mmaLoadA(tiles, 16, get + still + 1248);
            t0_0 = context.mmaBF16(x0_3, y3_0, t0_0, MMAShape.M16N8K16);
            t0_1 = context.mmaBF16(x0_3, y3_1, t0_1, MMAShape.M16N8K16);
            t1_1 = context.mmaBF16(x1_3, y3_1, t1_1, MMAShape.M16N8K16);
            t1_0 = context.mmaBF16(x1_3, y3_0, t1_0, MMAShape.M16N8K16);
            context.mmaStore(t0_0, target, 0, ownTarget, 8);
            context.mmaStore(t0_1, target, 0, ownTarget + 128, 8);
            context.mmaStore(t1_0, target, 0, ownTarget + 512, 8);
            context.mmaStore(t1_1, target, 0, ownTarget + 640, 8);
            float[] t0_2 = context.mmaFragment(zero);
            float[] t0_3 = context.mmaFragment(zero);
            float[] t1_2 = context.mmaFragment(zero);
            float[] t1_3 = context.mmaFragment(zero);
            HalfFloat[] y0_2 = context.mmaLoadA(tiles, 16, get + still + 2304);
            HalfFloat[] y0_3 = context.mmaLoadA(tiles, 16, get + still + 3456);
            t0_2 = context.mmaBF16(x0_0, y0_2, t0_2, MMAShape.M16N8K16);
            t0_3 = context.mmaBF16(x0_0, y0_3, t0_3, MMAShape.M16N8K16);
            t1_3 = context.mmaBF16(x1_0, y0_3, t1_3, MMAShape.M16N8K16);
            t1_2 = context.mmaBF16(x1_0, y0_2, t1_2, MMAShape.M16N8K16);
            HalfFloat[] y1_2 = context.mmaLoadA(tiles, 16, get + still + 2336);
            HalfFloat[] y1_3 = context.mmaLoadA(tiles, 16, get + still + 3488);
            t0_2 = context.mmaBF16(x0_1, y1_2, t0_2, MMAShape.M16N8K16);
            t0_3 = context.mmaBF16(x0_1, y1_3, t0_3, MMAShape.M16N8K16);
            t1_3 = context.mmaBF16(x1_1, y1_3, t1_3, MMAShape.M16N8K16);
            t1_2 = context.mmaBF16(x1_1, y1_2, t1_2, MMAShape.M16N8K16);
            HalfFloat[] y2_2 = context.mmaLoadA(tiles, 16, get + still + 2368);
            HalfFloat[] y2_3 = context.mmaLoadA(tiles, 16, get + still + 3520);
            t0_2 = context.mmaBF16(x0_2, y2_2, t0_2, MMAShape.M16N8K16);
            t0_3 = context.mmaBF16(x0_2, y2_3, t0_3, MMAShape.M16N8K16);
            t1_3 = context.mmaBF16(x1_2, y2_3, t1_3, MMAShape.M16N8K16);
            t1_2 = context.mmaBF16(x1_2, y2_2, t1_2, MMAShape.M16N8K16);
            HalfFloat[] y3_2 = context.mmaLoadA(tiles, 16, get + still + 2400);
            HalfFloat[] y3_3 = context.mmaLoadA(tiles, 16, get + still + 3552);
            t0_2 = context.mmaBF16(x0_3, y3_2, t0_2, MMAShape.M16N8K16);
            t0_3 = context.mmaBF16(x0_3, y3_3, t0_3, MMAShape.M16N8K16);
            t1_3 = context.mmaBF16(x1_3, y3_3, t1_3, MMAShape.M16N8K16);
            t1_2 = context.mmaBF16(x1_3, y3_2, t1_2, MMAShape.M16N8K16);
            context.mmaStore(t0_2, target, 0, ownTarget + 256, 8);
            context.mmaStore(t0_3, target, 0, ownTarget + 384, 8);
            context.mmaStore(t1_2, target, 0, ownTarget + 768, 8);
            context.mmaStore(t1_3, target, 0, ownTarget + 896, 8);

            int whole = tile >= latestStart ? tile + 32 <= earliestStop ? 1 : 0 : 0;
            if (partner == 0) {
                if (whole == 0) {
                    int key = tile + column;
                    int start0 = bounds[row];
                    int stop0 = bounds[row + 64];
                    if (key < start0) values[own] = GradientTiles.UNSEEN;
                    if (key >= stop0) values[own] = GradientTiles.UNSEEN;
                    if (key + 1 < start0) values[own + 1] = GradientTiles.UNSEEN;
                    if (key + 1 >= stop0) values[own + 1] = GradientTiles.UNSEEN;
                    if (key + 8 < start0) values[own + 128] = GradientTiles.UNSEEN;
                    if (key + 8 >= stop0) values[own + 128] = GradientTiles.UNSEEN;
                    if (key + 9 < start0) values[own + 129] = GradientTiles.UNSEEN;
                    if (key + 9 >= stop0) values[own + 129] = GradientTiles.UNSEEN;
                    if (key + 16 < start0) values[own + 256] = GradientTiles.UNSEEN;
                    if (key + 16 >= stop0) values[own + 256] = GradientTiles.UNSEEN;
                    if (key + 17 < start0) values[own + 257] = GradientTiles.UNSEEN;
                    if (key + 17 >= stop0) values[own + 257] = GradientTiles.UNSEEN;
                    if (key + 24 < start0) values[own + 384] = GradientTiles.UNSEEN;
                    if (key + 24 >= stop0) values[own + 384] = GradientTiles.UNSEEN;
                    if (key + 25 < start0) values[own + 385] = GradientTiles.UNSEEN;
                    if (key + 25 >= stop0) values[own + 385] = GradientTiles.UNSEEN;
                    int start1 = bounds[row + 8];
                    int stop1 = bounds[row + 72];
                    if (key < start1) values[own + 64] = GradientTiles.UNSEEN;
                    if (key >= stop1) values[own + 64] = GradientTiles.UNSEEN;
                    if (key + 1 < start1) values[own + 65] = GradientTiles.UNSEEN;
                    if (key + 1 >= stop1) values[own + 65] = GradientTiles.UNSEEN;
                    if (key + 8 < start1) values[own + 192] = GradientTiles.UNSEEN;
                    if (key + 8 >= stop1) values[own + 192] = GradientTiles.UNSEEN;
                    if (key + 9 < start1) values[own + 193] = GradientTiles.UNSEEN;
                    if (key + 9 >= stop1) values[own + 193] = GradientTiles.UNSEEN;
                    if (key + 16 < start1) values[own + 320] = GradientTiles.UNSEEN;
                    if (key + 16 >= stop1) values[own + 320] = GradientTiles.UNSEEN;
                    if (key + 17 < start1) values[own + 321] = GradientTiles.UNSEEN;
                    if (key + 17 >= stop1) values[own + 321] = GradientTiles.UNSEEN;
                    if (key + 24 < start1) values[own + 448] = GradientTiles.UNSEEN;
                    if (key + 24 >= stop1) values[own + 448] = GradientTiles.UNSEEN;
                    if (key + 25 < start1) values[own + 449] = GradientTiles.UNSEEN;
                    if (key + 25 >= stop1) values[own + 449] = GradientTiles.UNSEEN;
                    int start2 = bounds[row + 16];
                    int stop2 = bounds[row + 80];
                    if (key < start2) values[own + 512] = GradientTiles.UNSEEN;
                    if (key >= stop2) values[own + 512] = GradientTiles.UNSEEN;
                    if (key + 1 < start2) values[own + 513] = GradientTiles.UNSEEN;
                    if (key + 1 >= stop2) values[own + 513] = GradientTiles.UNSEEN;
                    if (key + 8 < start2) values[own + 640] = GradientTiles.UNSEEN;
                    if (key + 8 >= stop2) values[own + 640] = GradientTiles.UNSEEN;
                    if (key + 9 < start2) values[own + 641] = GradientTiles.UNSEEN;
                    if (key + 9 >= stop2) values[own + 641] = GradientTiles.UNSEEN;
                    if (key + 16 < start2) values[own + 768] = GradientTiles.UNSEEN;
                    if (key + 16 >= stop2) values[own + 768] = GradientTiles.UNSEEN;
                    if (key + 17 < start2) values[own + 769] = GradientTiles.UNSEEN;
                    if (key + 17 >= stop2) values[own + 769] = GradientTiles.UNSEEN;
                    if (key + 24 < start2) values[own + 896] = GradientTiles.UNSEEN;
                    if (key + 24 >= stop2) values[own + 896] = GradientTiles.UNSEEN;
                    if (key + 25 < start2) values[own + 897] = GradientTiles.UNSEEN;
                    if (key + 25 >= stop2) values[own + 897] = GradientTiles.UNSEEN;
                    int start3 = bounds[row + 24];
                    int stop3 = bounds[row + 88];
                    if (key < start3) values[own + 576] = GradientTiles.UNSEEN;
                    if (key >= stop3) values[own + 576] = GradientTiles.UNSEEN;
                    if (key + 1 < start3) values[own + 577] = GradientTiles.UNSEEN;
                    if (key + 1 >= stop3) values[own + 577] = GradientTiles.UNSEEN;
                    if (key + 8 < start3) values[own + 704] = GradientTiles.UNSEEN;
                    if (key + 8 >= stop3) values[own + 704] = GradientTiles.UNSEEN;
                    if (key + 9 < start3) values[own + 705] = GradientTiles.UNSEEN;
                    if (key + 9 >= stop3) values[own + 705] = GradientTiles.UNSEEN;
                    if (key + 16 < start3) values[own + 832] = GradientTiles.UNSEEN;
                    if (key + 16 >= stop3) values[own + 832] = GradientTiles.UNSEEN;
                    if (key + 17 < start3) values[own + 833] = GradientTiles.UNSEEN;
                    if (key + 17 >= stop3) values[own + 833] = GradientTiles.UNSEEN;
                    if (key + 24 < start3) values[own + 960] = GradientTiles.UNSEEN;
                    if (key + 24 >= stop3) values[own + 960] = GradientTiles.UNSEEN;
                    if (key + 25 < start3) values[own + 961] = GradientTiles.UNSEEN;
                    if (key + 25 >= stop3) values[own + 961] = GradientTiles.UNSEEN;
                }
                float score0000 = values[own] * scale;
                float p0000 = TornadoMath.exp(score0000 - mark0);
                float score0001 = values[own + 1] * scale;
                float p0001 = TornadoMath.exp(score0001 - mark0);
                if (softcap > 0f) {
                    float bend0000 = TornadoMath.tanh(score0000 / cap);
                    p0000 = GradientTiles.seen(score0000, TornadoMath.exp(cap * bend0000 - mark0));
                    float bent0000 = p0000 * (1f - bend0000 * bend0000);
                    float bend0001 = TornadoMath.tanh(score0001 / cap);
                    p0001 = GradientTiles.seen(score0001, TornadoMath.exp(cap * bend0001 - mark0));
                    float bent0001 = p0001 * (1f - bend0001 * bend0001);
                    weights[dsPut] = GradientTiles.pair(bent0000, bent0001, none, nil);
                }
                weights[pPut] = GradientTiles.pair(p0000, p0001, none, nil);
                float score0010 = values[own + 64] * scale;
                float p0010 = TornadoMath.exp(score0010 - mark1);
                float score0011 = values[own + 65] * scale;
                float p0011 = TornadoMath.exp(score0011 - mark1);
                if (softcap > 0f) {
                    float bend0010 = TornadoMath.tanh(score0010 / cap);
                    p0010 = GradientTiles.seen(score0010, TornadoMath.exp(cap * bend0010 - mark1));
                    float bent0010 = p0010 * (1f - bend0010 * bend0010);
                    float bend0011 = TornadoMath.tanh(score0011 / cap);
                    p0011 = GradientTiles.seen(score0011, TornadoMath.exp(cap * bend0011 - mark1));
                    float bent0011 = p0011 * (1f - bend0011 * bend0011);
                    weights[dsPut + 32] = GradientTiles.pair(bent0010, bent0011, none, nil);
                }
                weights[pPut + 32] = GradientTiles.pair(p0010, p0011, none, nil);
                float score1000 = values[own + 512] * scale;
                float p1000 = TornadoMath.exp(score1000 - mark2);
                float score1001 = values[own + 513] * scale;
                float p1001 = TornadoMath.exp(score1001 - mark2);
                if (softcap > 0f) {
                    float bend1000 = TornadoMath.tanh(score1000 / cap);
                    p1000 = GradientTiles.seen(score1000, TornadoMath.exp(cap * bend1000 - mark2));
                    float bent1000 = p1000 * (1f - bend1000 * bend1000);
                    float bend1001 = TornadoMath.tanh(score1001 / cap);
                    p1001 = GradientTiles.seen(score1001, TornadoMath.exp(cap * bend1001 - mark2));
                    float bent1001 = p1001 * (1f - bend1001 * bend1001);
                    weights[dsPut + 256] = GradientTiles.pair(bent1000, bent1001, none, nil);
                }
                weights[pPut + 256] = GradientTiles.pair(p1000, p1001, none, nil);
                float score1010 = values[own + 576] * scale;
                float p1010 = TornadoMath.exp(score1010 - mark3);
                float score1011 = values[own + 577] * scale;
                float p1011 = TornadoMath.exp(score1011 - mark3);
                if (softcap > 0f) {
                    float bend1010 = TornadoMath.tanh(score1010 / cap);
                    p1010 = GradientTiles.seen(score1010, TornadoMath.exp(cap * bend1010 - mark3));
                    float bent1010 = p1010 * (1f - bend1010 * bend1010);
                    float bend1011 = TornadoMath.tanh(score1011 / cap);
                    p1011 = GradientTiles.seen(score1011, TornadoMath.exp(cap * bend1011 - mark3));
                    float bent1011 = p1011 * (1f - bend1011 * bend1011);
                    weights[dsPut + 288] = GradientTiles.pair(bent1010, bent1011, none, nil);
                }
                weights[pPut + 288] = GradientTiles.pair(p1010, p1011, none, nil);
                float score0100 = values[own + 128] * scale;
                float p0100 = TornadoMath.exp(score0100 - mark0);
                float score0101 = values[own + 129] * scale;
                float p0101 = TornadoMath.exp(score0101 - mark0);
                if (softcap > 0f) {
                    float bend0100 = TornadoMath.tanh(score0100 / cap);
                    p0100 = GradientTiles.seen(score0100, TornadoMath.exp(cap * bend0100 - mark0));
                    float bent0100 = p0100 * (1f - bend0100 * bend0100);
                    float bend0101 = TornadoMath.tanh(score0101 / cap);
                    p0101 = GradientTiles.seen(score0101, TornadoMath.exp(cap * bend0101 - mark0));
                    float bent0101 = p0101 * (1f - bend0101 * bend0101);
                    weights[dsPut + 64] = GradientTiles.pair(bent0100, bent0101, none, nil);
                }
                weights[pPut + 64] = GradientTiles.pair(p0100, p0101, none, nil);
                float score0110 = values[own + 192] * scale;
                float p0110 = TornadoMath.exp(score0110 - mark1);
                float score0111 = values[own + 193] * scale;
                float p0111 = TornadoMath.exp(score0111 - mark1);
                if (softcap > 0f) {
                    float bend0110 = TornadoMath.tanh(score0110 / cap);
                    p0110 = GradientTiles.seen(score0110, TornadoMath.exp(cap * bend0110 - mark1));
                    float bent0110 = p0110 * (1f - bend0110 * bend0110);
                    float bend0111 = TornadoMath.tanh(score0111 / cap);
                    p0111 = GradientTiles.seen(score0111, TornadoMath.exp(cap * bend0111 - mark1));
                    float bent0111 = p0111 * (1f - bend0111 * bend0111);
                    weights[dsPut + 96] = GradientTiles.pair(bent0110, bent0111, none, nil);
                }
                weights[pPut + 96] = GradientTiles.pair(p0110, p0111, none, nil);
                float score1100 = values[own + 640] * scale;
                float p1100 = TornadoMath.exp(score1100 - mark2);
                float score1101 = values[own + 641] * scale;
                float p1101 = TornadoMath.exp(score1101 - mark2);
                if (softcap > 0f) {
                    float bend1100 = TornadoMath.tanh(score1100 / cap);
                    p1100 = GradientTiles.seen(score1100, TornadoMath.exp(cap * bend1100 - mark2));
                    float bent1100 = p1100 * (1f - bend1100 * bend1100);
                    float bend1101 = TornadoMath.tanh(score1101 / cap);
                    p1101 = GradientTiles.seen(score1101, TornadoMath.exp(cap * bend1101 - mark2));
                    float bent1101 = p1101 * (1f - bend1101 * bend1101);
                    weights[dsPut + 320] = GradientTiles.pair(bent1100, bent1101, none, nil);
                }
                weights[pPut + 320] = GradientTiles.pair(p1100, p1101, none, nil);
                float score1110 = values[own + 704] * scale;
                float p1110 = TornadoMath.exp(score1110 - mark3);
                float score1111 = values[own + 705] * scale;
                float p1111 = TornadoMath.exp(score1111 - mark3);
                if (softcap > 0f) {
                    float bend1110 = TornadoMath.tanh(score1110 / cap);
                    p1110 = GradientTiles.seen(score1110, TornadoMath.exp(cap * bend1110 - mark3));
                    float bent1110 = p1110 * (1f - bend1110 * bend1110);
                    float bend1111 = TornadoMath.tanh(score1111 / cap);
                    p1111 = GradientTiles.seen(score1111, TornadoMath.exp(cap * bend1111 - mark3));
                    float bent1111 = p1111 * (1f - bend1111 * bend1111);
                    weights[dsPut + 352] = GradientTiles.pair(bent1110, bent1111, none, nil);
                }
                weights[pPut + 352] = GradientTiles.pair(p1110, p1111, none, nil);
                float score0200 = values[own + 256] * scale;
                float p0200 = TornadoMath.exp(score0200 - mark0);
                float score0201 = values[own + 257] * scale;
                float p0201 = TornadoMath.exp(score0201 - mark0);
                if (softcap > 0f) {
                    float bend0200 = TornadoMath.tanh(score0200 / cap);
                    p0200 = GradientTiles.seen(score0200, TornadoMath.exp(cap * bend0200 - mark0));
                    float bent0200 = p0200 * (1f - bend0200 * bend0200);
                    float bend0201 = TornadoMath.tanh(score0201 / cap);
                    p0201 = GradientTiles.seen(score0201, TornadoMath.exp(cap * bend0201 - mark0));
                    float bent0201 = p0201 * (1f - bend0201 * bend0201);
                    weights[dsPut + 128] = GradientTiles.pair(bent0200, bent0201, none, nil);
                }
                weights[pPut + 128] = GradientTiles.pair(p0200, p0201, none, nil);
                float score0210 = values[own + 320] * scale;
                float p0210 = TornadoMath.exp(score0210 - mark1);
                float score0211 = values[own + 321] * scale;
                float p0211 = TornadoMath.exp(score0211 - mark1);
                if (softcap > 0f) {
                    float bend0210 = TornadoMath.tanh(score0210 / cap);
                    p0210 = GradientTiles.seen(score0210, TornadoMath.exp(cap * bend0210 - mark1));
                    float bent0210 = p0210 * (1f - bend0210 * bend0210);
                    float bend0211 = TornadoMath.tanh(score0211 / cap);
                    p0211 = GradientTiles.seen(score0211, TornadoMath.exp(cap * bend0211 - mark1));
                    float bent0211 = p0211 * (1f - bend0211 * bend0211);
                    weights[dsPut + 160] = GradientTiles.pair(bent0210, bent0211, none, nil);
                }
                weights[pPut + 160] = GradientTiles.pair(p0210, p0211, none, nil);
                float score1200 = values[own + 768] * scale;
                float p1200 = TornadoMath.exp(score1200 - mark2);
                float score1201 = values[own + 769] * scale;
                float p1201 = TornadoMath.exp(score1201 - mark2);
                if (softcap > 0f) {
                    float bend1200 = TornadoMath.tanh(score1200 / cap);
                    p1200 = GradientTiles.seen(score1200, TornadoMath.exp(cap * bend1200 - mark2));
                    float bent1200 = p1200 * (1f - bend1200 * bend1200);
                    float bend1201 = TornadoMath.tanh(score1201 / cap);
                    p1201 = GradientTiles.seen(score1201, TornadoMath.exp(cap * bend1201 - mark2));
                    float bent1201 = p1201 * (1f - bend1201 * bend1201);
                    weights[dsPut + 384] = GradientTiles.pair(bent1200, bent1201, none, nil);
                }
                weights[pPut + 384] = GradientTiles.pair(p1200, p1201, none, nil);
                float score1210 = values[own + 832] * scale;
                float p1210 = TornadoMath.exp(score1210 - mark3);
                float score1211 = values[own + 833] * scale;
                float p1211 = TornadoMath.exp(score1211 - mark3);
                if (softcap > 0f) {
                    float bend1210 = TornadoMath.tanh(score1210 / cap);
                    p1210 = GradientTiles.seen(score1210, TornadoMath.exp(cap * bend1210 - mark3));
                    float bent1210 = p1210 * (1f - bend1210 * bend1210);
                    float bend1211 = TornadoMath.tanh(score1211 / cap);
                    p1211 = GradientTiles.seen(score1211, TornadoMath.exp(cap * bend1211 - mark3));
                    float bent1211 = p1211 * (1f - bend1211 * bend1211);
                    weights[dsPut + 416] = GradientTiles.pair(bent1210, bent1211, none, nil);
                }
                weights[pPut + 416] = GradientTiles.pair(p1210, p1211, none, nil);
                float score0300 = values[own + 384] * scale;
                float p0300 = TornadoMath.exp(score0300 - mark0);
                float score0301 = values[own + 385] * scale;
                float p0301 = TornadoMath.exp(score0301 - mark0);
                if (softcap > 0f) {
                    float bend0300 = TornadoMath.tanh(score0300 / cap);
                    p0300 = GradientTiles.seen(score0300, TornadoMath.exp(cap * bend0300 - mark0));
                    float bent0300 = p0300 * (1f - bend0300 * bend0300);
                    float bend0301 = TornadoMath.tanh(score0301 / cap);
                    p0301 = GradientTiles.seen(score0301, TornadoMath.exp(cap * bend0301 - mark0));
                    float bent0301 = p0301 * (1f - bend0301 * bend0301);
                    weights[dsPut + 192] = GradientTiles.pair(bent0300, bent0301, none, nil);
                }
                weights[pPut + 192] = GradientTiles.pair(p0300, p0301, none, nil);
                float score0310 = values[own + 448] * scale;
                float p0310 = TornadoMath.exp(score0310 - mark1);
                float score0311 = values[own + 449] * scale;
                float p0311 = TornadoMath.exp(score0311 - mark1);
                if (softcap > 0f) {
                    float bend0310 = TornadoMath.tanh(score0310 / cap);
                    p0310 = GradientTiles.seen(score0310, TornadoMath.exp(cap * bend0310 - mark1));
                    float bent0310 = p0310 * (1f - bend0310 * bend0310);
                    float bend0311 = TornadoMath.tanh(score0311 / cap);
                    p0311 = GradientTiles.seen(score0311, TornadoMath.exp(cap * bend0311 - mark1));
                    float bent0311 = p0311 * (1f - bend0311 * bend0311);
                    weights[dsPut + 224] = GradientTiles.pair(bent0310, bent0311, none, nil);
                }
                weights[pPut + 224] = GradientTiles.pair(p0310, p0311, none, nil);
                float score1300 = values[own + 896] * scale;
                float p1300 = TornadoMath.exp(score1300 - mark2);
                float score1301 = values[own + 897] * scale;
                float p1301 = TornadoMath.exp(score1301 - mark2);
                if (softcap > 0f) {
                    float bend1300 = TornadoMath.tanh(score1300 / cap);
                    p1300 = GradientTiles.seen(score1300, TornadoMath.exp(cap * bend1300 - mark2));
                    float bent1300 = p1300 * (1f - bend1300 * bend1300);
                    float bend1301 = TornadoMath.tanh(score1301 / cap);
                    p1301 = GradientTiles.seen(score1301, TornadoMath.exp(cap * bend1301 - mark2));
                    float bent1301 = p1301 * (1f - bend1301 * bend1301);
                    weights[dsPut + 448] = GradientTiles.pair(bent1300, bent1301, none, nil);
                }
                weights[pPut + 448] = GradientTiles.pair(p1300, p1301, none, nil);
                float score1310 = values[own + 960] * scale;
                float p1310 = TornadoMath.exp(score1310 - mark3);
                float score1311 = values[own + 961] * scale;
                float p1311 = TornadoMath.exp(score1311 - mark3);
                if (softcap > 0f) {
                    float bend1310 = TornadoMath.tanh(score1310 / cap);
                    p1310 = GradientTiles.seen(score1310, TornadoMath.exp(cap * bend1310 - mark3));
                    float bent1310 = p1310 * (1f - bend1310 * bend1310);
                    float bend1311 = TornadoMath.tanh(score1311 / cap);
                    p1311 = GradientTiles.seen(score1311, TornadoMath.exp(cap * bend1311 - mark3));
                    float bent1311 = p1311 * (1f - bend1311 * bend1311);
                    weights[dsPut + 480] = GradientTiles.pair(bent1310, bent1311, none, nil);
                }
                weights[pPut + 480] = GradientTiles.pair(p1310, p1311, none, nil);
            }
            context.localBarrier();
            if (partner == 1) {
                int weightAt = softcap > 0f ? dsPut : pPut;
                int both000 = weights[weightAt];
                float ds0000 = GradientTiles.gradient(GradientTiles.low(both000), values[own], mark0);
                float ds0001 = GradientTiles.gradient(GradientTiles.high(both000), values[own + 1], mark0);
                weights[dsPut] = GradientTiles.pair(ds0000, ds0001, none, nil);
                int both001 = weights[weightAt + 32];
                float ds0010 = GradientTiles.gradient(GradientTiles.low(both001), values[own + 64], mark1);
                float ds0011 = GradientTiles.gradient(GradientTiles.high(both001), values[own + 65], mark1);
                weights[dsPut + 32] = GradientTiles.pair(ds0010, ds0011, none, nil);
                int both100 = weights[weightAt + 256];
                float ds1000 = GradientTiles.gradient(GradientTiles.low(both100), values[own + 512], mark2);
                float ds1001 = GradientTiles.gradient(GradientTiles.high(both100), values[own + 513], mark2);
                weights[dsPut + 256] = GradientTiles.pair(ds1000, ds1001, none, nil);
                int both101 = weights[weightAt + 288];
                float ds1010 = GradientTiles.gradient(GradientTiles.low(both101), values[own + 576], mark3);
                float ds1011 = GradientTiles.gradient(GradientTiles.high(both101), values[own + 577], mark3);
                weights[dsPut + 288] = GradientTiles.pair(ds1010, ds1011, none, nil);
                int both010 = weights[weightAt + 64];
                float ds0100 = GradientTiles.gradient(GradientTiles.low(both010), values[own + 128], mark0);
                float ds0101 = GradientTiles.gradient(GradientTiles.high(both010), values[own + 129], mark0);
                weights[dsPut + 64] = GradientTiles.pair(ds0100, ds0101, none, nil);
                int both011 = weights[weightAt + 96];
                float ds0110 = GradientTiles.gradient(GradientTiles.low(both011), values[own + 192], mark1);
                float ds0111 = GradientTiles.gradient(GradientTiles.high(both011), values[own + 193], mark1);
                weights[dsPut + 96] = GradientTiles.pair(ds0110, ds0111, none, nil);
                int both110 = weights[weightAt + 320];
                float ds1100 = GradientTiles.gradient(GradientTiles.low(both110), values[own + 640], mark2);
                float ds1101 = GradientTiles.gradient(GradientTiles.high(both110), values[own + 641], mark2);
                weights[dsPut + 320] = GradientTiles.pair(ds1100, ds1101, none, nil);
                int both111 = weights[weightAt + 352];
                float ds1110 = GradientTiles.gradient(GradientTiles.low(both111), values[own + 704], mark3);
                float ds1111 = GradientTiles.gradient(GradientTiles.high(both111), values[own + 705], mark3);
                weights[dsPut + 352] = GradientTiles.pair(ds1110, ds1111, none, nil);
                int both020 = weights[weightAt + 128];
                float ds0200 = GradientTiles.gradient(GradientTiles.low(both020), values[own + 256], mark0);
                float ds0201 = GradientTiles.gradient(GradientTiles.high(both020), values[own + 257], mark0);
                weights[dsPut + 128] = GradientTiles.pair(ds0200, ds0201, none, nil);
                int both021 = weights[weightAt + 160];
                float ds0210 = GradientTiles.gradient(GradientTiles.low(both021), values[own + 320], mark1);
                float ds0211 = GradientTiles.gradient(GradientTiles.high(both021), values[own + 321], mark1);
                weights[dsPut + 160] = GradientTiles.pair(ds0210, ds0211, none, nil);
                int both120 = weights[weightAt + 384];
                float ds1200 = GradientTiles.gradient(GradientTiles.low(both120), values[own + 768], mark2);
                float ds1201 = GradientTiles.gradient(GradientTiles.high(both120), values[own + 769], mark2);
                weights[dsPut + 384] = GradientTiles.pair(ds1200, ds1201, none, nil);
                int both121 = weights[weightAt + 416];
                float ds1210 = GradientTiles.gradient(GradientTiles.low(both121), values[own + 832], mark3);
                float ds1211 = GradientTiles.gradient(GradientTiles.high(both121), values[own + 833], mark3);
                weights[dsPut + 416] = GradientTiles.pair(ds1210, ds1211, none, nil);
                int both030 = weights[weightAt + 192];
                float ds0300 = GradientTiles.gradient(GradientTiles.low(both030), values[own + 384], mark0);
                float ds0301 = GradientTiles.gradient(GradientTiles.high(both030), values[own + 385], mark0);
                weights[dsPut + 192] = GradientTiles.pair(ds0300, ds0301, none, nil);
                int both031 = weights[weightAt + 224];
                float ds0310 = GradientTiles.gradient(GradientTiles.low(both031), values[own + 448], mark1);
                float ds0311 = GradientTiles.gradient(GradientTiles.high(both031), values[own + 449], mark1);
                weights[dsPut + 224] = GradientTiles.pair(ds0310, ds0311, none, nil);
                int both130 = weights[weightAt + 448];
                float ds1300 = GradientTiles.gradient(GradientTiles.low(both130), values[own + 896], mark2);
                float ds1301 = GradientTiles.gradient(GradientTiles.high(both130), values[own + 897], mark2);
                weights[dsPut + 448] = GradientTiles.pair(ds1300, ds1301, none, nil);
                int both131 = weights[weightAt + 480];
                float ds1310 = GradientTiles.gradient(GradientTiles.low(both131), values[own + 960], mark3);
                float ds1311 = GradientTiles.gradient(GradientTiles.high(both131), values[own + 961], mark3);
                weights[dsPut + 480] = GradientTiles.pair(ds1310, ds1311, none, nil);
            }
            context.localBarrier();
            HalfFloat[] w0_0 = context.mmaLoadA(weights, 16, weightGet);
            HalfFloat[] w1_0 = context.mmaLoadA(weights, 16, weightGet + 1024);
            HalfFloat[] z0_0 = context.mmaLoadB(tiles, 16, getOther + still);
            s0_0 = context.mmaBF16(w0_0, z0_0, s0_0, MMAShape.M16N8K16);
            s1_0 = context.mmaBF16(w1_0, z0_0, s1_0, MMAShape.M16N8K16);
            HalfFloat[] z0_1 = context.mmaLoadB(tiles, 16, getOther + still + 16);
            s0_1 = context.mmaBF16(w0_0, z0_1, s0_1, MMAShape.M16N8K16);
            s1_1 = context.mmaBF16(w1_0, z0_1, s1_1, MMAShape.M16N8K16);
            HalfFloat[] z0_2 = context.mmaLoadB(tiles, 16, getOther + still + 32);
            s0_2 = context.mmaBF16(w0_0, z0_2, s0_2, MMAShape.M16N8K16);
            s1_2 = context.mmaBF16(w1_0, z0_2, s1_2, MMAShape.M16N8K16);
            HalfFloat[] z0_3 = context.mmaLoadB(tiles, 16, getOther + still + 48);
            s0_3 = context.mmaBF16(w0_0, z0_3, s0_3, MMAShape.M16N8K16);
            s1_3 = context.mmaBF16(w1_0, z0_3, s1_3, MMAShape.M16N8K16);
            HalfFloat[] w0_1 = context.mmaLoadA(weights, 16, weightGet + 512);
            HalfFloat[] w1_1 = context.mmaLoadA(weights, 16, weightGet + 1536);
            HalfFloat[] z1_0 = context.mmaLoadB(tiles, 16, getOther + still + 2304);
            s0_0 = context.mmaBF16(w0_1, z1_0, s0_0, MMAShape.M16N8K16);
            s1_0 = context.mmaBF16(w1_1, z1_0, s1_0, MMAShape.M16N8K16);
            HalfFloat[] z1_1 = context.mmaLoadB(tiles, 16, getOther + still + 2320);
            s0_1 = context.mmaBF16(w0_1, z1_1, s0_1, MMAShape.M16N8K16);
            s1_1 = context.mmaBF16(w1_1, z1_1, s1_1, MMAShape.M16N8K16);
            HalfFloat[] z1_2 = context.mmaLoadB(tiles, 16, getOther + still + 2336);
            s0_2 = context.mmaBF16(w0_1, z1_2, s0_2, MMAShape.M16N8K16);
            s1_2 = context.mmaBF16(w1_1, z1_2, s1_2, MMAShape.M16N8K16);
            HalfFloat[] z1_3 = context.mmaLoadB(tiles, 16, getOther + still + 2352);
            s0_3 = context.mmaBF16(w0_1, z1_3, s0_3, MMAShape.M16N8K16);
            s1_3 = context.mmaBF16(w1_1, z1_3, s1_3, MMAShape.M16N8K16);
        }

        int out = table.get(slot) / 2 + head * 32 + partner * 16 + (lane & 3);
        int outWidth = 2 * width;
        context.mmaStore(s0_0, target, 0, ownTarget, 8);
        int both0_0_0 = GradientTiles.pair(values[own] * scale, values[own + 1] * scale, none, nil);
        if (top + row < queries) {
            dq.set(out + (top + row) * outWidth, both0_0_0);
        }
        int both0_0_1 = GradientTiles.pair(values[own + 64] * scale, values[own + 65] * scale, none, nil);
        if (top + row + 8 < queries) {
            dq.set(out + (top + row + 8) * outWidth, both0_0_1);
        }
        context.mmaStore(s0_1, target, 0, ownTarget + 128, 8);
        int both0_1_0 = GradientTiles.pair(values[own + 128] * scale, values[own + 129] * scale, none, nil);
        if (top + row < queries) {
            dq.set(out + (top + row) * outWidth + 4, both0_1_0);
        }
        int both0_1_1 = GradientTiles.pair(values[own + 192] * scale, values[own + 193] * scale, none, nil);
        if (top + row + 8 < queries) {
            dq.set(out + (top + row + 8) * outWidth + 4, both0_1_1);
        }
        context.mmaStore(s0_2, target, 0, ownTarget + 256, 8);
        int both0_2_0 = GradientTiles.pair(values[own + 256] * scale, values[own + 257] * scale, none, nil);
        if (top + row < queries) {
            dq.set(out + (top + row) * outWidth + 8, both0_2_0);
        }
        int both0_2_1 = GradientTiles.pair(values[own + 320] * scale, values[own + 321] * scale, none, nil);
        if (top + row + 8 < queries) {
            dq.set(out + (top + row + 8) * outWidth + 8, both0_2_1);
        }
        context.mmaStore(s0_3, target, 0, ownTarget + 384, 8);
        int both0_3_0 = GradientTiles.pair(values[own + 384] * scale, values[own + 385] * scale, none, nil);
        if (top + row < queries) {
            dq.set(out + (top + row) * outWidth + 12, both0_3_0);
        }
        int both0_3_1 = GradientTiles.pair(values[own + 448] * scale, values[own + 449] * scale, none, nil);
        if (top + row + 8 < queries) {
            dq.set(out + (top + row + 8) * outWidth + 12, both0_3_1);
        }
        context.mmaStore(s1_0, target, 0, ownTarget + 512, 8);
        int both1_0_0 = GradientTiles.pair(values[own + 512] * scale, values[own + 513] * scale, none, nil);
        if (top + row + 16 < queries) {
            dq.set(out + (top + row + 16) * outWidth, both1_0_0);
        }
        int both1_0_1 = GradientTiles.pair(values[own + 576] * scale, values[own + 577] * scale, none, nil);
        if (top + row + 24 < queries) {
            dq.set(out + (top + row + 24) * outWidth, both1_0_1);
        }
        context.mmaStore(s1_1, target, 0, ownTarget + 640, 8);
        int both1_1_0 = GradientTiles.pair(values[own + 640] * scale, values[own + 641] * scale, none, nil);
        if (top + row + 16 < queries) {
            dq.set(out + (top + row + 16) * outWidth + 4, both1_1_0);
        }
        int both1_1_1 = GradientTiles.pair(values[own + 704] * scale, values[own + 705] * scale, none, nil);
        if (top + row + 24 < queries) {
            dq.set(out + (top + row + 24) * outWidth + 4, both1_1_1);
        }
        context.mmaStore(s1_2, target, 0, ownTarget + 768, 8);
        int both1_2_0 = GradientTiles.pair(values[own + 768] * scale, values[own + 769] * scale, none, nil);
        if (top + row + 16 < queries) {
            dq.set(out + (top + row + 16) * outWidth + 8, both1_2_0);
        }
        int both1_2_1 = GradientTiles.pair(values[own + 832] * scale, values[own + 833] * scale, none, nil);
        if (top + row + 24 < queries) {
            dq.set(out + (top + row + 24) * outWidth + 8, both1_2_1);
        }
        context.mmaStore(s1_3, target, 0, ownTarget + 896, 8);
        int both1_3_0 = GradientTiles.pair(values[own + 896] * scale, values[own + 897] * scale, none, nil);
        if (top + row + 16 < queries) {
            dq.set(out + (top + row + 16) * outWidth + 12, both1_3_0);
        }
        int both1_3_1 = GradientTiles.pair(values[own + 960] * scale, values[own + 961] * scale, none, nil);
        if (top + row + 24 < queries) {
            dq.set(out + (top + row + 24) * outWidth + 12, both1_3_1);
        }
    }
}
