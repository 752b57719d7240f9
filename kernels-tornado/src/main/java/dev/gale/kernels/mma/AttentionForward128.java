package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.BFloat16;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `AttentionGenerator`: change that, not this. Blocks of 64 queries, tiles of 32 keys, heads of 128.
public final class AttentionForward128 {
    private AttentionForward128() {}

    /// As `AttentionKernels.attentionForward`, on the matrix unit.
    /// Shapes: o, q `[queries, numHeads * 128]`, k, v `[keys, numKvHeads * 128]`, BF16, seen as longs of four
    /// elements, keys at least 1; lse F32 `[numHeads, queries]`; ranges from `attentionRanges`, norms from
    /// `AttentionTiles.keyNorms`. Operands in the table: o, lse, q, k, v, ranges, norms. Scale is positive.
    /// Launch: `MmaAttention.groups` groups of 128 threads; 46.8 KB of local memory.
    /// Numerics: F32 sums of BF16 weights, relative to what `AttentionTiles` says; a row depends on its own range and
    /// on the norms there. Writes: `=`.
    /// Source: Dao 2023, arXiv 2307.08691.
    public static void attentionForward128(KernelContext context, IntArray table, int slot, LongArray o, FloatArray lse,
            LongArray q, LongArray k, LongArray v, IntArray ranges, FloatArray norms, int numHeads, int numKvHeads,
            int queries, int keys, float scale, float softcap) {
        int[] tiles = context.allocateIntLocalArray(8704);               // two of K, two of V
        int[] weights = context.allocateIntLocalArray(2048);
        float[] scratch = context.allocateFloatLocalArray(1028);         // elements of fragments
        int[] bounds = context.allocateIntLocalArray(128);               // start and stop of each row
        float[] shifts = context.allocateFloatLocalArray(64);
        int[] flags = context.allocateIntLocalArray(2);
        FloatArray fragments = (FloatArray) (Object) scratch;           // element i is scratch[i + 4]
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        float nothing = pin[0];
        int thread = context.localIdx;
        int group = context.groupIdx;
        int zero = thread >> 10;
        int naught = thread >> 11;
        int lane = thread & 31;
        int warpQueries = thread >> 6 & 1;
        int warpKeys = thread >> 5 & 1;              // and columns of V
        int head = group % numHeads;
        int kvHead = head / (numHeads / numKvHeads);
        int top = ((queries + 63) / 64 - 1 - group / numHeads) * 64;   // the longest ranges of causal attention first
        int row = thread >> 5 & 3;
        int column = thread & 31;

        // Which keys any query sees, and which all do.
        int atRanges = table.get(slot + 5);
        if (thread < 64) {
            int query = Math.min(top + thread, queries - 1);
            int from = ranges.get(atRanges + query);
            int to = ranges.get(atRanges + queries + query);
            bounds[2 * thread] = from;
            bounds[2 * thread + 1] = to;
            tiles[thread] = from < to ? from : keys;
            tiles[64 + thread] = from < to ? to : 0;
            tiles[128 + thread] = from;
            tiles[192 + thread] = to;
        }
        if (thread < 2) flags[thread] = 0;
        context.localBarrier();
        for (int half = 32; half > 0; half = half / 2) {
            if (thread < half) {
                tiles[thread] = Math.min(tiles[thread], tiles[thread + half]);
                tiles[64 + thread] = Math.max(tiles[64 + thread], tiles[64 + thread + half]);
                tiles[128 + thread] = Math.max(tiles[128 + thread], tiles[128 + thread + half]);
                tiles[192 + thread] = Math.min(tiles[192 + thread], tiles[192 + thread + half]);
            }
            context.localBarrier();
        }
        int end = tiles[64];
        int first = Math.min(tiles[0], end) / 32 * 32;
        int fullFirst = tiles[128];
        int fullEnd = tiles[192];
        int count = (end - first + 31) / 32;
        int atNorms = table.get(slot + 6) + kvHead * ((keys + 63) / 64);
        float norm = 0f;
        for (int i = first / 64 + thread; i * 64 < end; i += 128) {
            norm = AttentionTiles.larger(norm, norms.get(atNorms + i));
        }
        for (int lanes = 16; lanes > 0; lanes = lanes / 2) {
            norm = AttentionTiles.larger(norm, context.simdShuffleDown(norm, lanes));
        }
        if (lane == 0) scratch[thread >> 5] = norm;
        context.localBarrier();

        // The queries, as right operands of the matrix unit, and how large their scores can be.
        int qStride = numHeads * 32;
        int atQ = table.get(slot + 2) / 4 + head * 32 + column;
        long query0 = q.get(atQ + Math.min(top + row, queries - 1) * qStride);
        long query1 = q.get(atQ + Math.min(top + row + 4, queries - 1) * qStride);
        long query2 = q.get(atQ + Math.min(top + row + 8, queries - 1) * qStride);
        long query3 = q.get(atQ + Math.min(top + row + 12, queries - 1) * qStride);
        long query4 = q.get(atQ + Math.min(top + row + 16, queries - 1) * qStride);
        long query5 = q.get(atQ + Math.min(top + row + 20, queries - 1) * qStride);
        long query6 = q.get(atQ + Math.min(top + row + 24, queries - 1) * qStride);
        long query7 = q.get(atQ + Math.min(top + row + 28, queries - 1) * qStride);
        long query8 = q.get(atQ + Math.min(top + row + 32, queries - 1) * qStride);
        long query9 = q.get(atQ + Math.min(top + row + 36, queries - 1) * qStride);
        long query10 = q.get(atQ + Math.min(top + row + 40, queries - 1) * qStride);
        long query11 = q.get(atQ + Math.min(top + row + 44, queries - 1) * qStride);
        long query12 = q.get(atQ + Math.min(top + row + 48, queries - 1) * qStride);
        long query13 = q.get(atQ + Math.min(top + row + 52, queries - 1) * qStride);
        long query14 = q.get(atQ + Math.min(top + row + 56, queries - 1) * qStride);
        long query15 = q.get(atQ + Math.min(top + row + 60, queries - 1) * qStride);
        tiles[row * 68 + column * 2] = (int) query0;
        tiles[row * 68 + column * 2 + 1] = (int) (query0 >>> 32);
        tiles[row * 68 + column * 2 + 272] = (int) query1;
        tiles[row * 68 + column * 2 + 273] = (int) (query1 >>> 32);
        tiles[row * 68 + column * 2 + 544] = (int) query2;
        tiles[row * 68 + column * 2 + 545] = (int) (query2 >>> 32);
        tiles[row * 68 + column * 2 + 816] = (int) query3;
        tiles[row * 68 + column * 2 + 817] = (int) (query3 >>> 32);
        tiles[row * 68 + column * 2 + 1088] = (int) query4;
        tiles[row * 68 + column * 2 + 1089] = (int) (query4 >>> 32);
        tiles[row * 68 + column * 2 + 1360] = (int) query5;
        tiles[row * 68 + column * 2 + 1361] = (int) (query5 >>> 32);
        tiles[row * 68 + column * 2 + 1632] = (int) query6;
        tiles[row * 68 + column * 2 + 1633] = (int) (query6 >>> 32);
        tiles[row * 68 + column * 2 + 1904] = (int) query7;
        tiles[row * 68 + column * 2 + 1905] = (int) (query7 >>> 32);
        tiles[row * 68 + column * 2 + 2176] = (int) query8;
        tiles[row * 68 + column * 2 + 2177] = (int) (query8 >>> 32);
        tiles[row * 68 + column * 2 + 2448] = (int) query9;
        tiles[row * 68 + column * 2 + 2449] = (int) (query9 >>> 32);
        tiles[row * 68 + column * 2 + 2720] = (int) query10;
        tiles[row * 68 + column * 2 + 2721] = (int) (query10 >>> 32);
        tiles[row * 68 + column * 2 + 2992] = (int) query11;
        tiles[row * 68 + column * 2 + 2993] = (int) (query11 >>> 32);
        tiles[row * 68 + column * 2 + 3264] = (int) query12;
        tiles[row * 68 + column * 2 + 3265] = (int) (query12 >>> 32);
        tiles[row * 68 + column * 2 + 3536] = (int) query13;
        tiles[row * 68 + column * 2 + 3537] = (int) (query13 >>> 32);
        tiles[row * 68 + column * 2 + 3808] = (int) query14;
        tiles[row * 68 + column * 2 + 3809] = (int) (query14 >>> 32);
        tiles[row * 68 + column * 2 + 4080] = (int) query15;
        tiles[row * 68 + column * 2 + 4081] = (int) (query15 >>> 32);
        for (int r = row; r < 64; r += 4) {
            long four = AttentionTiles.four(tiles[r * 68 + column * 2], tiles[r * 68 + column * 2 + 1]);
            float square = AttentionTiles.rowSum(context, AttentionTiles.squares(four), 32);
            if (column == 0) shifts[r] = square;
        }
        context.localBarrier();
        float keyNorm = AttentionTiles.larger(AttentionTiles.larger(scratch[0], scratch[1]),
                AttentionTiles.larger(scratch[2], scratch[3]));
        int loose = 0;
        if (thread < 64) {
            loose = AttentionTiles.isLoose(shifts[thread], keyNorm, scale, softcap);
            if (loose == 1) flags[0] = 1;
            shifts[thread] = 0f;
        }
        int fixed = (lane & 15) * 32 + (lane >> 4 & 1) * 16;            // what loads of left operands add by themselves
        int qGet = (warpQueries * 32 + (lane & 7)) * 272 + (lane >> 3 & 1) * 16 - fixed;
        HalfFloat[] q00 = context.mmaLoadA(tiles, 16, qGet);
        HalfFloat[] q01 = context.mmaLoadA(tiles, 16, qGet + 32);
        HalfFloat[] q02 = context.mmaLoadA(tiles, 16, qGet + 64);
        HalfFloat[] q03 = context.mmaLoadA(tiles, 16, qGet + 96);
        HalfFloat[] q04 = context.mmaLoadA(tiles, 16, qGet + 128);
        HalfFloat[] q05 = context.mmaLoadA(tiles, 16, qGet + 160);
        HalfFloat[] q06 = context.mmaLoadA(tiles, 16, qGet + 192);
        HalfFloat[] q07 = context.mmaLoadA(tiles, 16, qGet + 224);
        HalfFloat[] q10 = context.mmaLoadA(tiles, 16, qGet + 2176);
        HalfFloat[] q11 = context.mmaLoadA(tiles, 16, qGet + 2208);
        HalfFloat[] q12 = context.mmaLoadA(tiles, 16, qGet + 2240);
        HalfFloat[] q13 = context.mmaLoadA(tiles, 16, qGet + 2272);
        HalfFloat[] q14 = context.mmaLoadA(tiles, 16, qGet + 2304);
        HalfFloat[] q15 = context.mmaLoadA(tiles, 16, qGet + 2336);
        HalfFloat[] q16 = context.mmaLoadA(tiles, 16, qGet + 2368);
        HalfFloat[] q17 = context.mmaLoadA(tiles, 16, qGet + 2400);
        HalfFloat[] q20 = context.mmaLoadA(tiles, 16, qGet + 4352);
        HalfFloat[] q21 = context.mmaLoadA(tiles, 16, qGet + 4384);
        HalfFloat[] q22 = context.mmaLoadA(tiles, 16, qGet + 4416);
        HalfFloat[] q23 = context.mmaLoadA(tiles, 16, qGet + 4448);
        HalfFloat[] q24 = context.mmaLoadA(tiles, 16, qGet + 4480);
        HalfFloat[] q25 = context.mmaLoadA(tiles, 16, qGet + 4512);
        HalfFloat[] q26 = context.mmaLoadA(tiles, 16, qGet + 4544);
        HalfFloat[] q27 = context.mmaLoadA(tiles, 16, qGet + 4576);
        HalfFloat[] q30 = context.mmaLoadA(tiles, 16, qGet + 6528);
        HalfFloat[] q31 = context.mmaLoadA(tiles, 16, qGet + 6560);
        HalfFloat[] q32 = context.mmaLoadA(tiles, 16, qGet + 6592);
        HalfFloat[] q33 = context.mmaLoadA(tiles, 16, qGet + 6624);
        HalfFloat[] q34 = context.mmaLoadA(tiles, 16, qGet + 6656);
        HalfFloat[] q35 = context.mmaLoadA(tiles, 16, qGet + 6688);
        HalfFloat[] q36 = context.mmaLoadA(tiles, 16, qGet + 6720);
        HalfFloat[] q37 = context.mmaLoadA(tiles, 16, qGet + 6752);
        context.localBarrier();

        // Where things are in local memory: K as it is; V with keys i and i + 8 side by side, as the weights are, because a
        // lane has these of a query. Blocks of weights have their rows in pairs that are exchanged every other time, so
        // that what a warp stores lies in different banks.
        int kPut = row * 68 + column * 2;
        int vPut = row * 136 + column * 2;
        int kGet = (warpKeys * 16 + (lane & 15)) * 272 + (lane >> 4 & 1) * 16 - fixed;
        int vGet = (lane & 15) * 256 + warpKeys * 128;
        int odd = lane >> 4 & 1;
        int wPut = ((warpQueries * 8 + warpKeys * 1) * 2 + odd) * 32 + (lane >> 2 & 3);
        int wPut0 = wPut + ((lane & 3) * 2 + odd) * 4;
        int wPut1 = wPut + ((lane & 3) * 2 + 1 - odd) * 4;
        int wGet = ((warpQueries * 4 + (lane >> 3 & 1)) * 4 + odd) * 128 + (lane & 7 ^ odd) * 16 - fixed;
        int slots = (thread >> 5) * 256;
        int at = slots + 4 + lane * 2;
        int myRow = warpQueries * 32 + (lane & 3) * 2;
        int myKey = warpKeys * 16 + (lane >> 2 & 7);

        int kvStride = numKvHeads * 32;
        int atK = table.get(slot + 3) / 4 + kvHead * 32 + column;
        int atV = table.get(slot + 4) / 4 + kvHead * 32 + column;

        // The largest score of rows that may have large ones.
        float m00 = AttentionTiles.LEAST, m01 = AttentionTiles.LEAST;
        float m10 = AttentionTiles.LEAST, m11 = AttentionTiles.LEAST;
        float m20 = AttentionTiles.LEAST, m21 = AttentionTiles.LEAST;
        float m30 = AttentionTiles.LEAST, m31 = AttentionTiles.LEAST;
        int passes = flags[0] == 1 ? count : 0;
        for (int t = 0; t < passes; t++) {
            context.localBarrier();
            int kKey = first + t * 32 + row;
            long kTile0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
            long kTile1 = k.get(atK + MmaTiles.clamp(kKey + 4, keys, 32) * kvStride);
            long kTile2 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
            long kTile3 = k.get(atK + MmaTiles.clamp(kKey + 12, keys, 32) * kvStride);
            long kTile4 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
            long kTile5 = k.get(atK + MmaTiles.clamp(kKey + 20, keys, 32) * kvStride);
            long kTile6 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
            long kTile7 = k.get(atK + MmaTiles.clamp(kKey + 28, keys, 32) * kvStride);
            tiles[kPut] = (int) kTile0;
            tiles[kPut + 1] = (int) (kTile0 >>> 32);
            tiles[kPut + 272] = (int) kTile1;
            tiles[kPut + 273] = (int) (kTile1 >>> 32);
            tiles[kPut + 544] = (int) kTile2;
            tiles[kPut + 545] = (int) (kTile2 >>> 32);
            tiles[kPut + 816] = (int) kTile3;
            tiles[kPut + 817] = (int) (kTile3 >>> 32);
            tiles[kPut + 1088] = (int) kTile4;
            tiles[kPut + 1089] = (int) (kTile4 >>> 32);
            tiles[kPut + 1360] = (int) kTile5;
            tiles[kPut + 1361] = (int) (kTile5 >>> 32);
            tiles[kPut + 1632] = (int) kTile6;
            tiles[kPut + 1633] = (int) (kTile6 >>> 32);
            tiles[kPut + 1904] = (int) kTile7;
            tiles[kPut + 1905] = (int) (kTile7 >>> 32);
            context.localBarrier();
            int key = first + t * 32;
            int masked = 1;
            if (key >= fullFirst) {
                if (key + 32 <= fullEnd) masked = 0;
            }
            float[] s00 = context.mmaFragment(nothing);
            float[] s01 = context.mmaFragment(nothing);
            float[] s02 = context.mmaFragment(nothing);
            float[] s03 = context.mmaFragment(nothing);
            HalfFloat[] k00 = context.mmaLoadA(tiles, 16, kGet);
            s00 = context.mmaBF16(k00, q00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k00, q10, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k00, q20, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k00, q30, s03, MMAShape.M16N8K16);
            HalfFloat[] k01 = context.mmaLoadA(tiles, 16, kGet + 32);
            s00 = context.mmaBF16(k01, q01, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k01, q11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k01, q21, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k01, q31, s03, MMAShape.M16N8K16);
            HalfFloat[] k02 = context.mmaLoadA(tiles, 16, kGet + 64);
            s00 = context.mmaBF16(k02, q02, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k02, q12, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k02, q22, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k02, q32, s03, MMAShape.M16N8K16);
            HalfFloat[] k03 = context.mmaLoadA(tiles, 16, kGet + 96);
            s00 = context.mmaBF16(k03, q03, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k03, q13, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k03, q23, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k03, q33, s03, MMAShape.M16N8K16);
            HalfFloat[] k04 = context.mmaLoadA(tiles, 16, kGet + 128);
            s00 = context.mmaBF16(k04, q04, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k04, q14, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k04, q24, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k04, q34, s03, MMAShape.M16N8K16);
            HalfFloat[] k05 = context.mmaLoadA(tiles, 16, kGet + 160);
            s00 = context.mmaBF16(k05, q05, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k05, q15, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k05, q25, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k05, q35, s03, MMAShape.M16N8K16);
            HalfFloat[] k06 = context.mmaLoadA(tiles, 16, kGet + 192);
            s00 = context.mmaBF16(k06, q06, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k06, q16, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k06, q26, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k06, q36, s03, MMAShape.M16N8K16);
            HalfFloat[] k07 = context.mmaLoadA(tiles, 16, kGet + 224);
            s00 = context.mmaBF16(k07, q07, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k07, q17, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k07, q27, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k07, q37, s03, MMAShape.M16N8K16);
            context.mmaStore(s00, fragments, 0, slots, 8);
            context.mmaStore(s01, fragments, 0, slots + 128, 8);
            if (masked == 1) {
                int key0 = key + myKey;
                int from00 = bounds[myRow * 2], to00 = bounds[myRow * 2 + 1];
                scratch[at] = AttentionTiles.seen(scratch[at], key0, from00, to00);
                scratch[at + 64] = AttentionTiles.seen(scratch[at + 64], key0 + 8, from00, to00);
                int from01 = bounds[myRow * 2 + 2], to01 = bounds[myRow * 2 + 3];
                scratch[at + 1] = AttentionTiles.seen(scratch[at + 1], key0, from01, to01);
                scratch[at + 65] = AttentionTiles.seen(scratch[at + 65], key0 + 8, from01, to01);
                int from10 = bounds[myRow * 2 + 16], to10 = bounds[myRow * 2 + 17];
                scratch[at + 128] = AttentionTiles.seen(scratch[at + 128], key0, from10, to10);
                scratch[at + 192] = AttentionTiles.seen(scratch[at + 192], key0 + 8, from10, to10);
                int from11 = bounds[myRow * 2 + 18], to11 = bounds[myRow * 2 + 19];
                scratch[at + 129] = AttentionTiles.seen(scratch[at + 129], key0, from11, to11);
                scratch[at + 193] = AttentionTiles.seen(scratch[at + 193], key0 + 8, from11, to11);
            }
            m00 = AttentionTiles.largest(m00, scratch[at], scale, softcap);
            m01 = AttentionTiles.largest(m01, scratch[at + 1], scale, softcap);
            m00 = AttentionTiles.largest(m00, scratch[at + 64], scale, softcap);
            m01 = AttentionTiles.largest(m01, scratch[at + 65], scale, softcap);
            m10 = AttentionTiles.largest(m10, scratch[at + 128], scale, softcap);
            m11 = AttentionTiles.largest(m11, scratch[at + 129], scale, softcap);
            m10 = AttentionTiles.largest(m10, scratch[at + 192], scale, softcap);
            m11 = AttentionTiles.largest(m11, scratch[at + 193], scale, softcap);
            context.mmaStore(s02, fragments, 0, slots, 8);
            context.mmaStore(s03, fragments, 0, slots + 128, 8);
            if (masked == 1) {
                int key1 = key + myKey;
                int from20 = bounds[myRow * 2 + 32], to20 = bounds[myRow * 2 + 33];
                scratch[at] = AttentionTiles.seen(scratch[at], key1, from20, to20);
                scratch[at + 64] = AttentionTiles.seen(scratch[at + 64], key1 + 8, from20, to20);
                int from21 = bounds[myRow * 2 + 34], to21 = bounds[myRow * 2 + 35];
                scratch[at + 1] = AttentionTiles.seen(scratch[at + 1], key1, from21, to21);
                scratch[at + 65] = AttentionTiles.seen(scratch[at + 65], key1 + 8, from21, to21);
                int from30 = bounds[myRow * 2 + 48], to30 = bounds[myRow * 2 + 49];
                scratch[at + 128] = AttentionTiles.seen(scratch[at + 128], key1, from30, to30);
                scratch[at + 192] = AttentionTiles.seen(scratch[at + 192], key1 + 8, from30, to30);
                int from31 = bounds[myRow * 2 + 50], to31 = bounds[myRow * 2 + 51];
                scratch[at + 129] = AttentionTiles.seen(scratch[at + 129], key1, from31, to31);
                scratch[at + 193] = AttentionTiles.seen(scratch[at + 193], key1 + 8, from31, to31);
            }
            m20 = AttentionTiles.largest(m20, scratch[at], scale, softcap);
            m21 = AttentionTiles.largest(m21, scratch[at + 1], scale, softcap);
            m20 = AttentionTiles.largest(m20, scratch[at + 64], scale, softcap);
            m21 = AttentionTiles.largest(m21, scratch[at + 65], scale, softcap);
            m30 = AttentionTiles.largest(m30, scratch[at + 128], scale, softcap);
            m31 = AttentionTiles.largest(m31, scratch[at + 129], scale, softcap);
            m30 = AttentionTiles.largest(m30, scratch[at + 192], scale, softcap);
            m31 = AttentionTiles.largest(m31, scratch[at + 193], scale, softcap);
        }
        context.localBarrier();
        scratch[(myRow) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m00;
        scratch[(myRow + 1) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m01;
        scratch[(myRow + 8) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m10;
        scratch[(myRow + 9) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m11;
        scratch[(myRow + 16) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m20;
        scratch[(myRow + 17) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m21;
        scratch[(myRow + 24) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m30;
        scratch[(myRow + 25) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m31;
        context.localBarrier();
        if (loose == 1) {
            float most = AttentionTiles.LEAST;
            for (int i = 0; i < 16; i++) most = AttentionTiles.larger(most, scratch[thread * 16 + i]);
            shifts[thread] = most == AttentionTiles.LEAST ? 0f : most;
        }

        // Before the first tile: weights of 0 for the tile before, and its values.
        for (int i = thread; i < 1024; i += 128) weights[1024 + i] = 0;
        for (int i = thread; i < 2176; i += 128) tiles[6528 + i] = 0;
        int kKey = first + 0 * 32 + row;
        long kNext0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
        long kNext1 = k.get(atK + MmaTiles.clamp(kKey + 4, keys, 32) * kvStride);
        long kNext2 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
        long kNext3 = k.get(atK + MmaTiles.clamp(kKey + 12, keys, 32) * kvStride);
        long kNext4 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
        long kNext5 = k.get(atK + MmaTiles.clamp(kKey + 20, keys, 32) * kvStride);
        long kNext6 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
        long kNext7 = k.get(atK + MmaTiles.clamp(kKey + 28, keys, 32) * kvStride);
        tiles[kPut] = (int) kNext0;
        tiles[kPut + 1] = (int) (kNext0 >>> 32);
        tiles[kPut + 272] = (int) kNext1;
        tiles[kPut + 273] = (int) (kNext1 >>> 32);
        tiles[kPut + 544] = (int) kNext2;
        tiles[kPut + 545] = (int) (kNext2 >>> 32);
        tiles[kPut + 816] = (int) kNext3;
        tiles[kPut + 817] = (int) (kNext3 >>> 32);
        tiles[kPut + 1088] = (int) kNext4;
        tiles[kPut + 1089] = (int) (kNext4 >>> 32);
        tiles[kPut + 1360] = (int) kNext5;
        tiles[kPut + 1361] = (int) (kNext5 >>> 32);
        tiles[kPut + 1632] = (int) kNext6;
        tiles[kPut + 1633] = (int) (kNext6 >>> 32);
        tiles[kPut + 1904] = (int) kNext7;
        tiles[kPut + 1905] = (int) (kNext7 >>> 32);
        int last = Math.max(count - 1, 0);
        kKey = first + Math.min(1, last) * 32 + row;
        kNext0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
        kNext1 = k.get(atK + MmaTiles.clamp(kKey + 4, keys, 32) * kvStride);
        kNext2 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
        kNext3 = k.get(atK + MmaTiles.clamp(kKey + 12, keys, 32) * kvStride);
        kNext4 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
        kNext5 = k.get(atK + MmaTiles.clamp(kKey + 20, keys, 32) * kvStride);
        kNext6 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
        kNext7 = k.get(atK + MmaTiles.clamp(kKey + 28, keys, 32) * kvStride);
        int vKey = first + 0 * 32 + row;
        long vNext0 = v.get(atV + MmaTiles.clamp(vKey, keys, 32) * kvStride);
        long vNext1 = v.get(atV + MmaTiles.clamp(vKey + 4, keys, 32) * kvStride);
        long vNext2 = v.get(atV + MmaTiles.clamp(vKey + 8, keys, 32) * kvStride);
        long vNext3 = v.get(atV + MmaTiles.clamp(vKey + 12, keys, 32) * kvStride);
        long vNext4 = v.get(atV + MmaTiles.clamp(vKey + 16, keys, 32) * kvStride);
        long vNext5 = v.get(atV + MmaTiles.clamp(vKey + 20, keys, 32) * kvStride);
        long vNext6 = v.get(atV + MmaTiles.clamp(vKey + 24, keys, 32) * kvStride);
        long vNext7 = v.get(atV + MmaTiles.clamp(vKey + 28, keys, 32) * kvStride);
        float[] o00 = context.mmaFragment(nothing);
        float[] o01 = context.mmaFragment(nothing);
        float[] o02 = context.mmaFragment(nothing);
        float[] o03 = context.mmaFragment(nothing);
        float[] o04 = context.mmaFragment(nothing);
        float[] o05 = context.mmaFragment(nothing);
        float[] o06 = context.mmaFragment(nothing);
        float[] o07 = context.mmaFragment(nothing);
        float[] o10 = context.mmaFragment(nothing);
        float[] o11 = context.mmaFragment(nothing);
        float[] o12 = context.mmaFragment(nothing);
        float[] o13 = context.mmaFragment(nothing);
        float[] o14 = context.mmaFragment(nothing);
        float[] o15 = context.mmaFragment(nothing);
        float[] o16 = context.mmaFragment(nothing);
        float[] o17 = context.mmaFragment(nothing);
        float l00 = 0f, l01 = 0f;
        float l10 = 0f, l11 = 0f;
        float l20 = 0f, l21 = 0f;
        float l30 = 0f, l31 = 0f;

        for (int t = 0; t < count; t++) {
            context.localBarrier();
            int key = first + t * 32;
            int masked = 1;
            if (key >= fullFirst) {
                if (key + 32 <= fullEnd) masked = 0;
            }
            int even = 1 - (t & 1);
            int kBuffer = (t & 1) * 2176;
            int kOther = even * 2176;
            int wBuffer = (t & 1) * 1024;
            int wGot = 4 * even * 1024 + wGet;
            int vGot = 4 * (4352 + kOther) + vGet;
            float[] s00 = context.mmaFragment(nothing);
            float[] s01 = context.mmaFragment(nothing);
            float[] s02 = context.mmaFragment(nothing);
            float[] s03 = context.mmaFragment(nothing);
            HalfFloat[] k00 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet);
            s00 = context.mmaBF16(k00, q00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k00, q10, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k00, q20, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k00, q30, s03, MMAShape.M16N8K16);
            HalfFloat[] k01 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 32);
            s00 = context.mmaBF16(k01, q01, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k01, q11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k01, q21, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k01, q31, s03, MMAShape.M16N8K16);
            HalfFloat[] k02 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 64);
            s00 = context.mmaBF16(k02, q02, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k02, q12, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k02, q22, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k02, q32, s03, MMAShape.M16N8K16);
            HalfFloat[] k03 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 96);
            s00 = context.mmaBF16(k03, q03, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k03, q13, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k03, q23, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k03, q33, s03, MMAShape.M16N8K16);
            HalfFloat[] k04 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 128);
            s00 = context.mmaBF16(k04, q04, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k04, q14, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k04, q24, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k04, q34, s03, MMAShape.M16N8K16);
            HalfFloat[] k05 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 160);
            s00 = context.mmaBF16(k05, q05, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k05, q15, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k05, q25, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k05, q35, s03, MMAShape.M16N8K16);
            HalfFloat[] k06 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 192);
            s00 = context.mmaBF16(k06, q06, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k06, q16, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k06, q26, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k06, q36, s03, MMAShape.M16N8K16);
            HalfFloat[] k07 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 224);
            s00 = context.mmaBF16(k07, q07, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k07, q17, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k07, q27, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k07, q37, s03, MMAShape.M16N8K16);
            context.mmaStore(s00, fragments, 0, slots, 8);
            context.mmaStore(s01, fragments, 0, slots + 128, 8);
            if (masked == 1) {
                int key0 = key + myKey;
                int from00 = bounds[myRow * 2], to00 = bounds[myRow * 2 + 1];
                scratch[at] = AttentionTiles.seen(scratch[at], key0, from00, to00);
                scratch[at + 64] = AttentionTiles.seen(scratch[at + 64], key0 + 8, from00, to00);
                int from01 = bounds[myRow * 2 + 2], to01 = bounds[myRow * 2 + 3];
                scratch[at + 1] = AttentionTiles.seen(scratch[at + 1], key0, from01, to01);
                scratch[at + 65] = AttentionTiles.seen(scratch[at + 65], key0 + 8, from01, to01);
                int from10 = bounds[myRow * 2 + 16], to10 = bounds[myRow * 2 + 17];
                scratch[at + 128] = AttentionTiles.seen(scratch[at + 128], key0, from10, to10);
                scratch[at + 192] = AttentionTiles.seen(scratch[at + 192], key0 + 8, from10, to10);
                int from11 = bounds[myRow * 2 + 18], to11 = bounds[myRow * 2 + 19];
                scratch[at + 129] = AttentionTiles.seen(scratch[at + 129], key0, from11, to11);
                scratch[at + 193] = AttentionTiles.seen(scratch[at + 193], key0 + 8, from11, to11);
            }
            float shift00 = shifts[myRow];
            float shift01 = shifts[myRow + 1];
            float p000 = TornadoMath.exp(AttentionTiles.score(scratch[at], scale, softcap) - shift00);
            float p001 = TornadoMath.exp(AttentionTiles.score(scratch[at + 64], scale, softcap) - shift00);
            l00 += p000 + p001;
            int b000 = zero - (naught - BFloat16.bf16FromFloat(p000));
            int b001 = zero - (naught - BFloat16.bf16FromFloat(p001));
            weights[wBuffer + wPut0] = b000 | b001 << 16;
            HalfFloat[] w00 = context.mmaLoadA(weights, 16, wGot);
            HalfFloat[] w10 = context.mmaLoadA(weights, 16, wGot + 1024);
            HalfFloat[] v00 = context.mmaLoadB(tiles, 16, vGot);
            o00 = context.mmaBF16(w00, v00, o00, MMAShape.M16N8K16);
            o10 = context.mmaBF16(w10, v00, o10, MMAShape.M16N8K16);
            HalfFloat[] v01 = context.mmaLoadB(tiles, 16, vGot + 16);
            o01 = context.mmaBF16(w00, v01, o01, MMAShape.M16N8K16);
            o11 = context.mmaBF16(w10, v01, o11, MMAShape.M16N8K16);
            float p010 = TornadoMath.exp(AttentionTiles.score(scratch[at + 1], scale, softcap) - shift01);
            float p011 = TornadoMath.exp(AttentionTiles.score(scratch[at + 65], scale, softcap) - shift01);
            l01 += p010 + p011;
            int b010 = zero - (naught - BFloat16.bf16FromFloat(p010));
            int b011 = zero - (naught - BFloat16.bf16FromFloat(p011));
            weights[wBuffer + wPut1] = b010 | b011 << 16;
            HalfFloat[] v02 = context.mmaLoadB(tiles, 16, vGot + 32);
            o02 = context.mmaBF16(w00, v02, o02, MMAShape.M16N8K16);
            o12 = context.mmaBF16(w10, v02, o12, MMAShape.M16N8K16);
            HalfFloat[] v03 = context.mmaLoadB(tiles, 16, vGot + 48);
            o03 = context.mmaBF16(w00, v03, o03, MMAShape.M16N8K16);
            o13 = context.mmaBF16(w10, v03, o13, MMAShape.M16N8K16);
            float shift10 = shifts[myRow + 8];
            float shift11 = shifts[myRow + 9];
            float p100 = TornadoMath.exp(AttentionTiles.score(scratch[at + 128], scale, softcap) - shift10);
            float p101 = TornadoMath.exp(AttentionTiles.score(scratch[at + 192], scale, softcap) - shift10);
            l10 += p100 + p101;
            int b100 = zero - (naught - BFloat16.bf16FromFloat(p100));
            int b101 = zero - (naught - BFloat16.bf16FromFloat(p101));
            weights[wBuffer + wPut0 + 128] = b100 | b101 << 16;
            HalfFloat[] v04 = context.mmaLoadB(tiles, 16, vGot + 64);
            o04 = context.mmaBF16(w00, v04, o04, MMAShape.M16N8K16);
            o14 = context.mmaBF16(w10, v04, o14, MMAShape.M16N8K16);
            HalfFloat[] v05 = context.mmaLoadB(tiles, 16, vGot + 80);
            o05 = context.mmaBF16(w00, v05, o05, MMAShape.M16N8K16);
            o15 = context.mmaBF16(w10, v05, o15, MMAShape.M16N8K16);
            float p110 = TornadoMath.exp(AttentionTiles.score(scratch[at + 129], scale, softcap) - shift11);
            float p111 = TornadoMath.exp(AttentionTiles.score(scratch[at + 193], scale, softcap) - shift11);
            l11 += p110 + p111;
            int b110 = zero - (naught - BFloat16.bf16FromFloat(p110));
            int b111 = zero - (naught - BFloat16.bf16FromFloat(p111));
            weights[wBuffer + wPut1 + 128] = b110 | b111 << 16;
            HalfFloat[] v06 = context.mmaLoadB(tiles, 16, vGot + 96);
            o06 = context.mmaBF16(w00, v06, o06, MMAShape.M16N8K16);
            o16 = context.mmaBF16(w10, v06, o16, MMAShape.M16N8K16);
            HalfFloat[] v07 = context.mmaLoadB(tiles, 16, vGot + 112);
            o07 = context.mmaBF16(w00, v07, o07, MMAShape.M16N8K16);
            o17 = context.mmaBF16(w10, v07, o17, MMAShape.M16N8K16);
            context.mmaStore(s02, fragments, 0, slots, 8);
            context.mmaStore(s03, fragments, 0, slots + 128, 8);
            if (masked == 1) {
                int key1 = key + myKey;
                int from20 = bounds[myRow * 2 + 32], to20 = bounds[myRow * 2 + 33];
                scratch[at] = AttentionTiles.seen(scratch[at], key1, from20, to20);
                scratch[at + 64] = AttentionTiles.seen(scratch[at + 64], key1 + 8, from20, to20);
                int from21 = bounds[myRow * 2 + 34], to21 = bounds[myRow * 2 + 35];
                scratch[at + 1] = AttentionTiles.seen(scratch[at + 1], key1, from21, to21);
                scratch[at + 65] = AttentionTiles.seen(scratch[at + 65], key1 + 8, from21, to21);
                int from30 = bounds[myRow * 2 + 48], to30 = bounds[myRow * 2 + 49];
                scratch[at + 128] = AttentionTiles.seen(scratch[at + 128], key1, from30, to30);
                scratch[at + 192] = AttentionTiles.seen(scratch[at + 192], key1 + 8, from30, to30);
                int from31 = bounds[myRow * 2 + 50], to31 = bounds[myRow * 2 + 51];
                scratch[at + 129] = AttentionTiles.seen(scratch[at + 129], key1, from31, to31);
                scratch[at + 193] = AttentionTiles.seen(scratch[at + 193], key1 + 8, from31, to31);
            }
            float shift20 = shifts[myRow + 16];
            float shift21 = shifts[myRow + 17];
            float p200 = TornadoMath.exp(AttentionTiles.score(scratch[at], scale, softcap) - shift20);
            float p201 = TornadoMath.exp(AttentionTiles.score(scratch[at + 64], scale, softcap) - shift20);
            l20 += p200 + p201;
            int b200 = zero - (naught - BFloat16.bf16FromFloat(p200));
            int b201 = zero - (naught - BFloat16.bf16FromFloat(p201));
            weights[wBuffer + wPut0 + 256] = b200 | b201 << 16;
            HalfFloat[] w01 = context.mmaLoadA(weights, 16, wGot + 256);
            HalfFloat[] w11 = context.mmaLoadA(weights, 16, wGot + 1280);
            HalfFloat[] v10 = context.mmaLoadB(tiles, 16, vGot + 4352);
            o00 = context.mmaBF16(w01, v10, o00, MMAShape.M16N8K16);
            o10 = context.mmaBF16(w11, v10, o10, MMAShape.M16N8K16);
            HalfFloat[] v11 = context.mmaLoadB(tiles, 16, vGot + 4368);
            o01 = context.mmaBF16(w01, v11, o01, MMAShape.M16N8K16);
            o11 = context.mmaBF16(w11, v11, o11, MMAShape.M16N8K16);
            float p210 = TornadoMath.exp(AttentionTiles.score(scratch[at + 1], scale, softcap) - shift21);
            float p211 = TornadoMath.exp(AttentionTiles.score(scratch[at + 65], scale, softcap) - shift21);
            l21 += p210 + p211;
            int b210 = zero - (naught - BFloat16.bf16FromFloat(p210));
            int b211 = zero - (naught - BFloat16.bf16FromFloat(p211));
            weights[wBuffer + wPut1 + 256] = b210 | b211 << 16;
            HalfFloat[] v12 = context.mmaLoadB(tiles, 16, vGot + 4384);
            o02 = context.mmaBF16(w01, v12, o02, MMAShape.M16N8K16);
            o12 = context.mmaBF16(w11, v12, o12, MMAShape.M16N8K16);
            HalfFloat[] v13 = context.mmaLoadB(tiles, 16, vGot + 4400);
            o03 = context.mmaBF16(w01, v13, o03, MMAShape.M16N8K16);
            o13 = context.mmaBF16(w11, v13, o13, MMAShape.M16N8K16);
            float shift30 = shifts[myRow + 24];
            float shift31 = shifts[myRow + 25];
            float p300 = TornadoMath.exp(AttentionTiles.score(scratch[at + 128], scale, softcap) - shift30);
            float p301 = TornadoMath.exp(AttentionTiles.score(scratch[at + 192], scale, softcap) - shift30);
            l30 += p300 + p301;
            int b300 = zero - (naught - BFloat16.bf16FromFloat(p300));
            int b301 = zero - (naught - BFloat16.bf16FromFloat(p301));
            weights[wBuffer + wPut0 + 384] = b300 | b301 << 16;
            HalfFloat[] v14 = context.mmaLoadB(tiles, 16, vGot + 4416);
            o04 = context.mmaBF16(w01, v14, o04, MMAShape.M16N8K16);
            o14 = context.mmaBF16(w11, v14, o14, MMAShape.M16N8K16);
            HalfFloat[] v15 = context.mmaLoadB(tiles, 16, vGot + 4432);
            o05 = context.mmaBF16(w01, v15, o05, MMAShape.M16N8K16);
            o15 = context.mmaBF16(w11, v15, o15, MMAShape.M16N8K16);
            float p310 = TornadoMath.exp(AttentionTiles.score(scratch[at + 129], scale, softcap) - shift31);
            float p311 = TornadoMath.exp(AttentionTiles.score(scratch[at + 193], scale, softcap) - shift31);
            l31 += p310 + p311;
            int b310 = zero - (naught - BFloat16.bf16FromFloat(p310));
            int b311 = zero - (naught - BFloat16.bf16FromFloat(p311));
            weights[wBuffer + wPut1 + 384] = b310 | b311 << 16;
            HalfFloat[] v16 = context.mmaLoadB(tiles, 16, vGot + 4448);
            o06 = context.mmaBF16(w01, v16, o06, MMAShape.M16N8K16);
            o16 = context.mmaBF16(w11, v16, o16, MMAShape.M16N8K16);
            HalfFloat[] v17 = context.mmaLoadB(tiles, 16, vGot + 4464);
            o07 = context.mmaBF16(w01, v17, o07, MMAShape.M16N8K16);
            o17 = context.mmaBF16(w11, v17, o17, MMAShape.M16N8K16);
            if (masked == 1) {
                long infinite = 0;
                infinite = infinite | AttentionTiles.infinite(vNext0);
                infinite = infinite | AttentionTiles.infinite(vNext1);
                infinite = infinite | AttentionTiles.infinite(vNext2);
                infinite = infinite | AttentionTiles.infinite(vNext3);
                infinite = infinite | AttentionTiles.infinite(vNext4);
                infinite = infinite | AttentionTiles.infinite(vNext5);
                infinite = infinite | AttentionTiles.infinite(vNext6);
                infinite = infinite | AttentionTiles.infinite(vNext7);
                if (infinite != 0) {
                    flags[1] = 1;
                    vNext0 = AttentionTiles.finite(vNext0);
                    vNext1 = AttentionTiles.finite(vNext1);
                    vNext2 = AttentionTiles.finite(vNext2);
                    vNext3 = AttentionTiles.finite(vNext3);
                    vNext4 = AttentionTiles.finite(vNext4);
                    vNext5 = AttentionTiles.finite(vNext5);
                    vNext6 = AttentionTiles.finite(vNext6);
                    vNext7 = AttentionTiles.finite(vNext7);
                }
            }
            int vStore = 4352 + kBuffer + vPut;
            tiles[vStore] = (int) vNext0;
            tiles[vStore + 1] = (int) (vNext0 >>> 32);
            tiles[vStore + 544] = (int) vNext1;
            tiles[vStore + 545] = (int) (vNext1 >>> 32);
            tiles[vStore + 68] = (int) vNext2;
            tiles[vStore + 69] = (int) (vNext2 >>> 32);
            tiles[vStore + 612] = (int) vNext3;
            tiles[vStore + 613] = (int) (vNext3 >>> 32);
            tiles[vStore + 1088] = (int) vNext4;
            tiles[vStore + 1089] = (int) (vNext4 >>> 32);
            tiles[vStore + 1632] = (int) vNext5;
            tiles[vStore + 1633] = (int) (vNext5 >>> 32);
            tiles[vStore + 1156] = (int) vNext6;
            tiles[vStore + 1157] = (int) (vNext6 >>> 32);
            tiles[vStore + 1700] = (int) vNext7;
            tiles[vStore + 1701] = (int) (vNext7 >>> 32);
            int kStore = kOther + kPut;
            tiles[kStore] = (int) kNext0;
            tiles[kStore + 1] = (int) (kNext0 >>> 32);
            tiles[kStore + 272] = (int) kNext1;
            tiles[kStore + 273] = (int) (kNext1 >>> 32);
            tiles[kStore + 544] = (int) kNext2;
            tiles[kStore + 545] = (int) (kNext2 >>> 32);
            tiles[kStore + 816] = (int) kNext3;
            tiles[kStore + 817] = (int) (kNext3 >>> 32);
            tiles[kStore + 1088] = (int) kNext4;
            tiles[kStore + 1089] = (int) (kNext4 >>> 32);
            tiles[kStore + 1360] = (int) kNext5;
            tiles[kStore + 1361] = (int) (kNext5 >>> 32);
            tiles[kStore + 1632] = (int) kNext6;
            tiles[kStore + 1633] = (int) (kNext6 >>> 32);
            tiles[kStore + 1904] = (int) kNext7;
            tiles[kStore + 1905] = (int) (kNext7 >>> 32);
            kKey = first + Math.min(t + 2, last) * 32 + row;
            kNext0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
            kNext1 = k.get(atK + MmaTiles.clamp(kKey + 4, keys, 32) * kvStride);
            kNext2 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
            kNext3 = k.get(atK + MmaTiles.clamp(kKey + 12, keys, 32) * kvStride);
            kNext4 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
            kNext5 = k.get(atK + MmaTiles.clamp(kKey + 20, keys, 32) * kvStride);
            kNext6 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
            kNext7 = k.get(atK + MmaTiles.clamp(kKey + 28, keys, 32) * kvStride);
            vKey = first + Math.min(t + 1, last) * 32 + row;
            vNext0 = v.get(atV + MmaTiles.clamp(vKey, keys, 32) * kvStride);
            vNext1 = v.get(atV + MmaTiles.clamp(vKey + 4, keys, 32) * kvStride);
            vNext2 = v.get(atV + MmaTiles.clamp(vKey + 8, keys, 32) * kvStride);
            vNext3 = v.get(atV + MmaTiles.clamp(vKey + 12, keys, 32) * kvStride);
            vNext4 = v.get(atV + MmaTiles.clamp(vKey + 16, keys, 32) * kvStride);
            vNext5 = v.get(atV + MmaTiles.clamp(vKey + 20, keys, 32) * kvStride);
            vNext6 = v.get(atV + MmaTiles.clamp(vKey + 24, keys, 32) * kvStride);
            vNext7 = v.get(atV + MmaTiles.clamp(vKey + 28, keys, 32) * kvStride);
        }
        context.localBarrier();
        int wGot = 4 * (count + 1 & 1) * 1024 + wGet;
        int vGot = 4 * (4352 + (count + 1 & 1) * 2176) + vGet;
        HalfFloat[] w00 = context.mmaLoadA(weights, 16, wGot);
        HalfFloat[] w10 = context.mmaLoadA(weights, 16, wGot + 1024);
        HalfFloat[] v00 = context.mmaLoadB(tiles, 16, vGot);
        o00 = context.mmaBF16(w00, v00, o00, MMAShape.M16N8K16);
        o10 = context.mmaBF16(w10, v00, o10, MMAShape.M16N8K16);
        HalfFloat[] v01 = context.mmaLoadB(tiles, 16, vGot + 16);
        o01 = context.mmaBF16(w00, v01, o01, MMAShape.M16N8K16);
        o11 = context.mmaBF16(w10, v01, o11, MMAShape.M16N8K16);
        HalfFloat[] v02 = context.mmaLoadB(tiles, 16, vGot + 32);
        o02 = context.mmaBF16(w00, v02, o02, MMAShape.M16N8K16);
        o12 = context.mmaBF16(w10, v02, o12, MMAShape.M16N8K16);
        HalfFloat[] v03 = context.mmaLoadB(tiles, 16, vGot + 48);
        o03 = context.mmaBF16(w00, v03, o03, MMAShape.M16N8K16);
        o13 = context.mmaBF16(w10, v03, o13, MMAShape.M16N8K16);
        HalfFloat[] v04 = context.mmaLoadB(tiles, 16, vGot + 64);
        o04 = context.mmaBF16(w00, v04, o04, MMAShape.M16N8K16);
        o14 = context.mmaBF16(w10, v04, o14, MMAShape.M16N8K16);
        HalfFloat[] v05 = context.mmaLoadB(tiles, 16, vGot + 80);
        o05 = context.mmaBF16(w00, v05, o05, MMAShape.M16N8K16);
        o15 = context.mmaBF16(w10, v05, o15, MMAShape.M16N8K16);
        HalfFloat[] v06 = context.mmaLoadB(tiles, 16, vGot + 96);
        o06 = context.mmaBF16(w00, v06, o06, MMAShape.M16N8K16);
        o16 = context.mmaBF16(w10, v06, o16, MMAShape.M16N8K16);
        HalfFloat[] v07 = context.mmaLoadB(tiles, 16, vGot + 112);
        o07 = context.mmaBF16(w00, v07, o07, MMAShape.M16N8K16);
        o17 = context.mmaBF16(w10, v07, o17, MMAShape.M16N8K16);
        HalfFloat[] w01 = context.mmaLoadA(weights, 16, wGot + 256);
        HalfFloat[] w11 = context.mmaLoadA(weights, 16, wGot + 1280);
        HalfFloat[] v10 = context.mmaLoadB(tiles, 16, vGot + 4352);
        o00 = context.mmaBF16(w01, v10, o00, MMAShape.M16N8K16);
        o10 = context.mmaBF16(w11, v10, o10, MMAShape.M16N8K16);
        HalfFloat[] v11 = context.mmaLoadB(tiles, 16, vGot + 4368);
        o01 = context.mmaBF16(w01, v11, o01, MMAShape.M16N8K16);
        o11 = context.mmaBF16(w11, v11, o11, MMAShape.M16N8K16);
        HalfFloat[] v12 = context.mmaLoadB(tiles, 16, vGot + 4384);
        o02 = context.mmaBF16(w01, v12, o02, MMAShape.M16N8K16);
        o12 = context.mmaBF16(w11, v12, o12, MMAShape.M16N8K16);
        HalfFloat[] v13 = context.mmaLoadB(tiles, 16, vGot + 4400);
        o03 = context.mmaBF16(w01, v13, o03, MMAShape.M16N8K16);
        o13 = context.mmaBF16(w11, v13, o13, MMAShape.M16N8K16);
        HalfFloat[] v14 = context.mmaLoadB(tiles, 16, vGot + 4416);
        o04 = context.mmaBF16(w01, v14, o04, MMAShape.M16N8K16);
        o14 = context.mmaBF16(w11, v14, o14, MMAShape.M16N8K16);
        HalfFloat[] v15 = context.mmaLoadB(tiles, 16, vGot + 4432);
        o05 = context.mmaBF16(w01, v15, o05, MMAShape.M16N8K16);
        o15 = context.mmaBF16(w11, v15, o15, MMAShape.M16N8K16);
        HalfFloat[] v16 = context.mmaLoadB(tiles, 16, vGot + 4448);
        o06 = context.mmaBF16(w01, v16, o06, MMAShape.M16N8K16);
        o16 = context.mmaBF16(w11, v16, o16, MMAShape.M16N8K16);
        HalfFloat[] v17 = context.mmaLoadB(tiles, 16, vGot + 4464);
        o07 = context.mmaBF16(w01, v17, o07, MMAShape.M16N8K16);
        o17 = context.mmaBF16(w11, v17, o17, MMAShape.M16N8K16);

        // Sums of weights, then o through local memory, so that rows are written as a whole.
        scratch[(myRow) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l00;
        scratch[(myRow + 1) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l01;
        scratch[(myRow + 8) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l10;
        scratch[(myRow + 9) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l11;
        scratch[(myRow + 16) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l20;
        scratch[(myRow + 17) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l21;
        scratch[(myRow + 24) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l30;
        scratch[(myRow + 25) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l31;
        context.localBarrier();
        if (thread < 64) {
            float total = 0f;
            for (int i = 0; i < 16; i++) total += scratch[thread * 16 + i];
            int query = top + thread;
            if (query < queries) {
                lse.set(table.get(slot + 1) + head * queries + query, shifts[thread] + TornadoMath.log(total));
            }
            shifts[thread] = bounds[2 * thread] < bounds[2 * thread + 1] ? 1f / total : 0f;
        }
        context.localBarrier();
        int atRow = warpQueries * 32 + (lane >> 2 & 7);
        int oPut = atRow * 68 + warpKeys * 32 + (lane & 3);
        float factor00 = shifts[atRow];
        float factor01 = shifts[atRow + 8];
        context.mmaStore(o00, fragments, 0, slots, 8);
        tiles[oPut] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor00))) << 16;
        tiles[oPut + 544] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor01))) << 16;
        context.mmaStore(o01, fragments, 0, slots + 128, 8);
        tiles[oPut + 4] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor00))) << 16;
        tiles[oPut + 548] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor01))) << 16;
        context.mmaStore(o02, fragments, 0, slots, 8);
        tiles[oPut + 8] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor00))) << 16;
        tiles[oPut + 552] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor01))) << 16;
        context.mmaStore(o03, fragments, 0, slots + 128, 8);
        tiles[oPut + 12] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor00))) << 16;
        tiles[oPut + 556] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor01))) << 16;
        context.mmaStore(o04, fragments, 0, slots, 8);
        tiles[oPut + 16] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor00))) << 16;
        tiles[oPut + 560] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor01))) << 16;
        context.mmaStore(o05, fragments, 0, slots + 128, 8);
        tiles[oPut + 20] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor00))) << 16;
        tiles[oPut + 564] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor01))) << 16;
        context.mmaStore(o06, fragments, 0, slots, 8);
        tiles[oPut + 24] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor00))) << 16;
        tiles[oPut + 568] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor01))) << 16;
        context.mmaStore(o07, fragments, 0, slots + 128, 8);
        tiles[oPut + 28] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor00))) << 16;
        tiles[oPut + 572] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor01))) << 16;
        float factor10 = shifts[atRow + 16];
        float factor11 = shifts[atRow + 24];
        context.mmaStore(o10, fragments, 0, slots, 8);
        tiles[oPut + 1088] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor10))) << 16;
        tiles[oPut + 1632] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor11))) << 16;
        context.mmaStore(o11, fragments, 0, slots + 128, 8);
        tiles[oPut + 1092] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor10))) << 16;
        tiles[oPut + 1636] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor11))) << 16;
        context.mmaStore(o12, fragments, 0, slots, 8);
        tiles[oPut + 1096] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor10))) << 16;
        tiles[oPut + 1640] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor11))) << 16;
        context.mmaStore(o13, fragments, 0, slots + 128, 8);
        tiles[oPut + 1100] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor10))) << 16;
        tiles[oPut + 1644] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor11))) << 16;
        context.mmaStore(o14, fragments, 0, slots, 8);
        tiles[oPut + 1104] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor10))) << 16;
        tiles[oPut + 1648] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor11))) << 16;
        context.mmaStore(o15, fragments, 0, slots + 128, 8);
        tiles[oPut + 1108] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor10))) << 16;
        tiles[oPut + 1652] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor11))) << 16;
        context.mmaStore(o16, fragments, 0, slots, 8);
        tiles[oPut + 1112] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor10))) << 16;
        tiles[oPut + 1656] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor11))) << 16;
        context.mmaStore(o17, fragments, 0, slots + 128, 8);
        tiles[oPut + 1116] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor10))) << 16;
        tiles[oPut + 1660] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor11))) << 16;
        context.localBarrier();
        int atO = table.get(slot) / 4 + head * 32 + column;
        for (int r = row; r < 64; r += 4) {
            long four = AttentionTiles.four(tiles[r * 68 + column * 2], tiles[r * 68 + column * 2 + 1]);
            if (flags[1] == 1) {
                four = AttentionTiles.withInfinite(four, v, atV, kvStride, bounds[2 * r], bounds[2 * r + 1], zero, naught);
            }
            if (top + r < queries) o.set(atO + (top + r) * qStride, four);
        }
    }
}
