package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.BFloat16;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `AttentionGenerator`: change that, not this. Blocks of 128 queries, tiles of 32 keys, heads of 64.
public final class AttentionForward64 {
    private AttentionForward64() {}

    /// As `AttentionKernels.attentionForward`, on the matrix unit.
    /// Shapes: o, q `[queries, numHeads * 64]`, k, v `[keys, numKvHeads * 64]`, BF16, seen as longs of four
    /// elements, keys at least 1; lse F32 `[numHeads, queries]`; ranges from `attentionRanges`, norms from
    /// `AttentionTiles.keyNorms`. Operands in the table: o, lse, q, k, v, ranges, norms. Scale is positive.
    /// Launch: `MmaAttention.groups` groups of 128 threads; 43.5 KB of local memory.
    /// Numerics: F32 sums of BF16 weights, relative to what `AttentionTiles` says; a row depends on its own range and
    /// on the norms there. Writes: `=`.
    /// Source: Dao 2023, arXiv 2307.08691.
    public static void attentionForward64(KernelContext context, IntArray table, int slot, LongArray o, FloatArray lse,
            LongArray q, LongArray k, LongArray v, IntArray ranges, FloatArray norms, int numHeads, int numKvHeads,
            int queries, int keys, float scale, float softcap) {
        int[] tiles = context.allocateIntLocalArray(4608);               // two of K, two of V
        int[] weights = context.allocateIntLocalArray(4096);
        float[] scratch = context.allocateFloatLocalArray(2052);         // elements of fragments
        int[] bounds = context.allocateIntLocalArray(256);               // start and stop of each row
        float[] shifts = context.allocateFloatLocalArray(128);
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
        int top = ((queries + 127) / 128 - 1 - group / numHeads) * 128;   // the longest ranges of causal attention first
        int row = thread >> 4 & 7;
        int column = thread & 15;

        // Which keys any query sees, and which all do.
        int atRanges = table.get(slot + 5);
        if (thread < 128) {
            int query = Math.min(top + thread, queries - 1);
            int from = ranges.get(atRanges + query);
            int to = ranges.get(atRanges + queries + query);
            bounds[2 * thread] = from;
            bounds[2 * thread + 1] = to;
            tiles[thread] = from < to ? from : keys;
            tiles[128 + thread] = from < to ? to : 0;
            tiles[256 + thread] = from;
            tiles[384 + thread] = to;
        }
        if (thread < 2) flags[thread] = 0;
        context.localBarrier();
        for (int half = 64; half > 0; half = half / 2) {
            if (thread < half) {
                tiles[thread] = Math.min(tiles[thread], tiles[thread + half]);
                tiles[128 + thread] = Math.max(tiles[128 + thread], tiles[128 + thread + half]);
                tiles[256 + thread] = Math.max(tiles[256 + thread], tiles[256 + thread + half]);
                tiles[384 + thread] = Math.min(tiles[384 + thread], tiles[384 + thread + half]);
            }
            context.localBarrier();
        }
        int end = tiles[128];
        int first = Math.min(tiles[0], end) / 32 * 32;
        int fullFirst = tiles[256];
        int fullEnd = tiles[384];
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
        int qStride = numHeads * 16;
        int atQ = table.get(slot + 2) / 4 + head * 16 + column;
        long query0 = q.get(atQ + Math.min(top + row, queries - 1) * qStride);
        long query1 = q.get(atQ + Math.min(top + row + 8, queries - 1) * qStride);
        long query2 = q.get(atQ + Math.min(top + row + 16, queries - 1) * qStride);
        long query3 = q.get(atQ + Math.min(top + row + 24, queries - 1) * qStride);
        long query4 = q.get(atQ + Math.min(top + row + 32, queries - 1) * qStride);
        long query5 = q.get(atQ + Math.min(top + row + 40, queries - 1) * qStride);
        long query6 = q.get(atQ + Math.min(top + row + 48, queries - 1) * qStride);
        long query7 = q.get(atQ + Math.min(top + row + 56, queries - 1) * qStride);
        long query8 = q.get(atQ + Math.min(top + row + 64, queries - 1) * qStride);
        long query9 = q.get(atQ + Math.min(top + row + 72, queries - 1) * qStride);
        long query10 = q.get(atQ + Math.min(top + row + 80, queries - 1) * qStride);
        long query11 = q.get(atQ + Math.min(top + row + 88, queries - 1) * qStride);
        long query12 = q.get(atQ + Math.min(top + row + 96, queries - 1) * qStride);
        long query13 = q.get(atQ + Math.min(top + row + 104, queries - 1) * qStride);
        long query14 = q.get(atQ + Math.min(top + row + 112, queries - 1) * qStride);
        long query15 = q.get(atQ + Math.min(top + row + 120, queries - 1) * qStride);
        tiles[row * 36 + column * 2] = (int) query0;
        tiles[row * 36 + column * 2 + 1] = (int) (query0 >>> 32);
        tiles[row * 36 + column * 2 + 288] = (int) query1;
        tiles[row * 36 + column * 2 + 289] = (int) (query1 >>> 32);
        tiles[row * 36 + column * 2 + 576] = (int) query2;
        tiles[row * 36 + column * 2 + 577] = (int) (query2 >>> 32);
        tiles[row * 36 + column * 2 + 864] = (int) query3;
        tiles[row * 36 + column * 2 + 865] = (int) (query3 >>> 32);
        tiles[row * 36 + column * 2 + 1152] = (int) query4;
        tiles[row * 36 + column * 2 + 1153] = (int) (query4 >>> 32);
        tiles[row * 36 + column * 2 + 1440] = (int) query5;
        tiles[row * 36 + column * 2 + 1441] = (int) (query5 >>> 32);
        tiles[row * 36 + column * 2 + 1728] = (int) query6;
        tiles[row * 36 + column * 2 + 1729] = (int) (query6 >>> 32);
        tiles[row * 36 + column * 2 + 2016] = (int) query7;
        tiles[row * 36 + column * 2 + 2017] = (int) (query7 >>> 32);
        tiles[row * 36 + column * 2 + 2304] = (int) query8;
        tiles[row * 36 + column * 2 + 2305] = (int) (query8 >>> 32);
        tiles[row * 36 + column * 2 + 2592] = (int) query9;
        tiles[row * 36 + column * 2 + 2593] = (int) (query9 >>> 32);
        tiles[row * 36 + column * 2 + 2880] = (int) query10;
        tiles[row * 36 + column * 2 + 2881] = (int) (query10 >>> 32);
        tiles[row * 36 + column * 2 + 3168] = (int) query11;
        tiles[row * 36 + column * 2 + 3169] = (int) (query11 >>> 32);
        tiles[row * 36 + column * 2 + 3456] = (int) query12;
        tiles[row * 36 + column * 2 + 3457] = (int) (query12 >>> 32);
        tiles[row * 36 + column * 2 + 3744] = (int) query13;
        tiles[row * 36 + column * 2 + 3745] = (int) (query13 >>> 32);
        tiles[row * 36 + column * 2 + 4032] = (int) query14;
        tiles[row * 36 + column * 2 + 4033] = (int) (query14 >>> 32);
        tiles[row * 36 + column * 2 + 4320] = (int) query15;
        tiles[row * 36 + column * 2 + 4321] = (int) (query15 >>> 32);
        for (int r = row; r < 128; r += 8) {
            long four = AttentionTiles.four(tiles[r * 36 + column * 2], tiles[r * 36 + column * 2 + 1]);
            float square = AttentionTiles.rowSum(context, AttentionTiles.squares(four), 16);
            if (column == 0) shifts[r] = square;
        }
        context.localBarrier();
        float keyNorm = AttentionTiles.larger(AttentionTiles.larger(scratch[0], scratch[1]),
                AttentionTiles.larger(scratch[2], scratch[3]));
        int loose = 0;
        if (thread < 128) {
            loose = AttentionTiles.isLoose(shifts[thread], keyNorm, scale, softcap);
            if (loose == 1) flags[0] = 1;
            shifts[thread] = 0f;
        }
        int fixed = (lane & 15) * 32 + (lane >> 4 & 1) * 16;            // what loads of left operands add by themselves
        int qGet = (warpQueries * 64 + (lane & 7)) * 144 + (lane >> 3 & 1) * 16 - fixed;
        HalfFloat[] q00 = context.mmaLoadA(tiles, 16, qGet);
        HalfFloat[] q01 = context.mmaLoadA(tiles, 16, qGet + 32);
        HalfFloat[] q02 = context.mmaLoadA(tiles, 16, qGet + 64);
        HalfFloat[] q03 = context.mmaLoadA(tiles, 16, qGet + 96);
        HalfFloat[] q10 = context.mmaLoadA(tiles, 16, qGet + 1152);
        HalfFloat[] q11 = context.mmaLoadA(tiles, 16, qGet + 1184);
        HalfFloat[] q12 = context.mmaLoadA(tiles, 16, qGet + 1216);
        HalfFloat[] q13 = context.mmaLoadA(tiles, 16, qGet + 1248);
        HalfFloat[] q20 = context.mmaLoadA(tiles, 16, qGet + 2304);
        HalfFloat[] q21 = context.mmaLoadA(tiles, 16, qGet + 2336);
        HalfFloat[] q22 = context.mmaLoadA(tiles, 16, qGet + 2368);
        HalfFloat[] q23 = context.mmaLoadA(tiles, 16, qGet + 2400);
        HalfFloat[] q30 = context.mmaLoadA(tiles, 16, qGet + 3456);
        HalfFloat[] q31 = context.mmaLoadA(tiles, 16, qGet + 3488);
        HalfFloat[] q32 = context.mmaLoadA(tiles, 16, qGet + 3520);
        HalfFloat[] q33 = context.mmaLoadA(tiles, 16, qGet + 3552);
        HalfFloat[] q40 = context.mmaLoadA(tiles, 16, qGet + 4608);
        HalfFloat[] q41 = context.mmaLoadA(tiles, 16, qGet + 4640);
        HalfFloat[] q42 = context.mmaLoadA(tiles, 16, qGet + 4672);
        HalfFloat[] q43 = context.mmaLoadA(tiles, 16, qGet + 4704);
        HalfFloat[] q50 = context.mmaLoadA(tiles, 16, qGet + 5760);
        HalfFloat[] q51 = context.mmaLoadA(tiles, 16, qGet + 5792);
        HalfFloat[] q52 = context.mmaLoadA(tiles, 16, qGet + 5824);
        HalfFloat[] q53 = context.mmaLoadA(tiles, 16, qGet + 5856);
        HalfFloat[] q60 = context.mmaLoadA(tiles, 16, qGet + 6912);
        HalfFloat[] q61 = context.mmaLoadA(tiles, 16, qGet + 6944);
        HalfFloat[] q62 = context.mmaLoadA(tiles, 16, qGet + 6976);
        HalfFloat[] q63 = context.mmaLoadA(tiles, 16, qGet + 7008);
        HalfFloat[] q70 = context.mmaLoadA(tiles, 16, qGet + 8064);
        HalfFloat[] q71 = context.mmaLoadA(tiles, 16, qGet + 8096);
        HalfFloat[] q72 = context.mmaLoadA(tiles, 16, qGet + 8128);
        HalfFloat[] q73 = context.mmaLoadA(tiles, 16, qGet + 8160);
        context.localBarrier();

        // Where things are in local memory: K as it is; V with keys i and i + 8 side by side, as the weights are, because a
        // lane has these of a query. Blocks of weights have their rows in pairs that are exchanged every other time, so
        // that what a warp stores lies in different banks.
        int kPut = row * 36 + column * 2;
        int vPut = row * 72 + column * 2;
        int kGet = (warpKeys * 16 + (lane & 15)) * 144 + (lane >> 4 & 1) * 16 - fixed;
        int vGet = (lane & 15) * 128 + warpKeys * 64;
        int odd = lane >> 4 & 1;
        int wPut = ((warpQueries * 16 + warpKeys * 1) * 2 + odd) * 32 + (lane >> 2 & 3);
        int wPut0 = wPut + ((lane & 3) * 2 + odd) * 4;
        int wPut1 = wPut + ((lane & 3) * 2 + 1 - odd) * 4;
        int wGet = ((warpQueries * 8 + (lane >> 3 & 1)) * 4 + odd) * 128 + (lane & 7 ^ odd) * 16 - fixed;
        int slots = (thread >> 5) * 512;
        int at = slots + 4 + lane * 2;
        int myRow = warpQueries * 64 + (lane & 3) * 2;
        int myKey = warpKeys * 16 + (lane >> 2 & 7);

        int kvStride = numKvHeads * 16;
        int atK = table.get(slot + 3) / 4 + kvHead * 16 + column;
        int atV = table.get(slot + 4) / 4 + kvHead * 16 + column;

        // The largest score of rows that may have large ones.
        float m00 = AttentionTiles.LEAST, m01 = AttentionTiles.LEAST;
        float m10 = AttentionTiles.LEAST, m11 = AttentionTiles.LEAST;
        float m20 = AttentionTiles.LEAST, m21 = AttentionTiles.LEAST;
        float m30 = AttentionTiles.LEAST, m31 = AttentionTiles.LEAST;
        float m40 = AttentionTiles.LEAST, m41 = AttentionTiles.LEAST;
        float m50 = AttentionTiles.LEAST, m51 = AttentionTiles.LEAST;
        float m60 = AttentionTiles.LEAST, m61 = AttentionTiles.LEAST;
        float m70 = AttentionTiles.LEAST, m71 = AttentionTiles.LEAST;
        int passes = flags[0] == 1 ? count : 0;
        for (int t = 0; t < passes; t++) {
            context.localBarrier();
            int kKey = first + t * 32 + row;
            long kTile0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
            long kTile1 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
            long kTile2 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
            long kTile3 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
            tiles[kPut] = (int) kTile0;
            tiles[kPut + 1] = (int) (kTile0 >>> 32);
            tiles[kPut + 288] = (int) kTile1;
            tiles[kPut + 289] = (int) (kTile1 >>> 32);
            tiles[kPut + 576] = (int) kTile2;
            tiles[kPut + 577] = (int) (kTile2 >>> 32);
            tiles[kPut + 864] = (int) kTile3;
            tiles[kPut + 865] = (int) (kTile3 >>> 32);
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
            float[] s04 = context.mmaFragment(nothing);
            float[] s05 = context.mmaFragment(nothing);
            float[] s06 = context.mmaFragment(nothing);
            float[] s07 = context.mmaFragment(nothing);
            HalfFloat[] k00 = context.mmaLoadA(tiles, 16, kGet);
            s00 = context.mmaBF16(k00, q00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k00, q10, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k00, q20, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k00, q30, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k00, q40, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k00, q50, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k00, q60, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k00, q70, s07, MMAShape.M16N8K16);
            HalfFloat[] k01 = context.mmaLoadA(tiles, 16, kGet + 32);
            s00 = context.mmaBF16(k01, q01, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k01, q11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k01, q21, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k01, q31, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k01, q41, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k01, q51, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k01, q61, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k01, q71, s07, MMAShape.M16N8K16);
            HalfFloat[] k02 = context.mmaLoadA(tiles, 16, kGet + 64);
            s00 = context.mmaBF16(k02, q02, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k02, q12, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k02, q22, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k02, q32, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k02, q42, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k02, q52, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k02, q62, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k02, q72, s07, MMAShape.M16N8K16);
            HalfFloat[] k03 = context.mmaLoadA(tiles, 16, kGet + 96);
            s00 = context.mmaBF16(k03, q03, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k03, q13, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k03, q23, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k03, q33, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k03, q43, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k03, q53, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k03, q63, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k03, q73, s07, MMAShape.M16N8K16);
            context.mmaStore(s00, fragments, 0, slots, 8);
            context.mmaStore(s01, fragments, 0, slots + 128, 8);
            context.mmaStore(s02, fragments, 0, slots + 256, 8);
            context.mmaStore(s03, fragments, 0, slots + 384, 8);
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
                int from20 = bounds[myRow * 2 + 32], to20 = bounds[myRow * 2 + 33];
                scratch[at + 256] = AttentionTiles.seen(scratch[at + 256], key0, from20, to20);
                scratch[at + 320] = AttentionTiles.seen(scratch[at + 320], key0 + 8, from20, to20);
                int from21 = bounds[myRow * 2 + 34], to21 = bounds[myRow * 2 + 35];
                scratch[at + 257] = AttentionTiles.seen(scratch[at + 257], key0, from21, to21);
                scratch[at + 321] = AttentionTiles.seen(scratch[at + 321], key0 + 8, from21, to21);
                int from30 = bounds[myRow * 2 + 48], to30 = bounds[myRow * 2 + 49];
                scratch[at + 384] = AttentionTiles.seen(scratch[at + 384], key0, from30, to30);
                scratch[at + 448] = AttentionTiles.seen(scratch[at + 448], key0 + 8, from30, to30);
                int from31 = bounds[myRow * 2 + 50], to31 = bounds[myRow * 2 + 51];
                scratch[at + 385] = AttentionTiles.seen(scratch[at + 385], key0, from31, to31);
                scratch[at + 449] = AttentionTiles.seen(scratch[at + 449], key0 + 8, from31, to31);
            }
            m00 = AttentionTiles.largest(m00, scratch[at], scale, softcap);
            m01 = AttentionTiles.largest(m01, scratch[at + 1], scale, softcap);
            m00 = AttentionTiles.largest(m00, scratch[at + 64], scale, softcap);
            m01 = AttentionTiles.largest(m01, scratch[at + 65], scale, softcap);
            m10 = AttentionTiles.largest(m10, scratch[at + 128], scale, softcap);
            m11 = AttentionTiles.largest(m11, scratch[at + 129], scale, softcap);
            m10 = AttentionTiles.largest(m10, scratch[at + 192], scale, softcap);
            m11 = AttentionTiles.largest(m11, scratch[at + 193], scale, softcap);
            m20 = AttentionTiles.largest(m20, scratch[at + 256], scale, softcap);
            m21 = AttentionTiles.largest(m21, scratch[at + 257], scale, softcap);
            m20 = AttentionTiles.largest(m20, scratch[at + 320], scale, softcap);
            m21 = AttentionTiles.largest(m21, scratch[at + 321], scale, softcap);
            m30 = AttentionTiles.largest(m30, scratch[at + 384], scale, softcap);
            m31 = AttentionTiles.largest(m31, scratch[at + 385], scale, softcap);
            m30 = AttentionTiles.largest(m30, scratch[at + 448], scale, softcap);
            m31 = AttentionTiles.largest(m31, scratch[at + 449], scale, softcap);
            context.mmaStore(s04, fragments, 0, slots, 8);
            context.mmaStore(s05, fragments, 0, slots + 128, 8);
            context.mmaStore(s06, fragments, 0, slots + 256, 8);
            context.mmaStore(s07, fragments, 0, slots + 384, 8);
            if (masked == 1) {
                int key1 = key + myKey;
                int from40 = bounds[myRow * 2 + 64], to40 = bounds[myRow * 2 + 65];
                scratch[at] = AttentionTiles.seen(scratch[at], key1, from40, to40);
                scratch[at + 64] = AttentionTiles.seen(scratch[at + 64], key1 + 8, from40, to40);
                int from41 = bounds[myRow * 2 + 66], to41 = bounds[myRow * 2 + 67];
                scratch[at + 1] = AttentionTiles.seen(scratch[at + 1], key1, from41, to41);
                scratch[at + 65] = AttentionTiles.seen(scratch[at + 65], key1 + 8, from41, to41);
                int from50 = bounds[myRow * 2 + 80], to50 = bounds[myRow * 2 + 81];
                scratch[at + 128] = AttentionTiles.seen(scratch[at + 128], key1, from50, to50);
                scratch[at + 192] = AttentionTiles.seen(scratch[at + 192], key1 + 8, from50, to50);
                int from51 = bounds[myRow * 2 + 82], to51 = bounds[myRow * 2 + 83];
                scratch[at + 129] = AttentionTiles.seen(scratch[at + 129], key1, from51, to51);
                scratch[at + 193] = AttentionTiles.seen(scratch[at + 193], key1 + 8, from51, to51);
                int from60 = bounds[myRow * 2 + 96], to60 = bounds[myRow * 2 + 97];
                scratch[at + 256] = AttentionTiles.seen(scratch[at + 256], key1, from60, to60);
                scratch[at + 320] = AttentionTiles.seen(scratch[at + 320], key1 + 8, from60, to60);
                int from61 = bounds[myRow * 2 + 98], to61 = bounds[myRow * 2 + 99];
                scratch[at + 257] = AttentionTiles.seen(scratch[at + 257], key1, from61, to61);
                scratch[at + 321] = AttentionTiles.seen(scratch[at + 321], key1 + 8, from61, to61);
                int from70 = bounds[myRow * 2 + 112], to70 = bounds[myRow * 2 + 113];
                scratch[at + 384] = AttentionTiles.seen(scratch[at + 384], key1, from70, to70);
                scratch[at + 448] = AttentionTiles.seen(scratch[at + 448], key1 + 8, from70, to70);
                int from71 = bounds[myRow * 2 + 114], to71 = bounds[myRow * 2 + 115];
                scratch[at + 385] = AttentionTiles.seen(scratch[at + 385], key1, from71, to71);
                scratch[at + 449] = AttentionTiles.seen(scratch[at + 449], key1 + 8, from71, to71);
            }
            m40 = AttentionTiles.largest(m40, scratch[at], scale, softcap);
            m41 = AttentionTiles.largest(m41, scratch[at + 1], scale, softcap);
            m40 = AttentionTiles.largest(m40, scratch[at + 64], scale, softcap);
            m41 = AttentionTiles.largest(m41, scratch[at + 65], scale, softcap);
            m50 = AttentionTiles.largest(m50, scratch[at + 128], scale, softcap);
            m51 = AttentionTiles.largest(m51, scratch[at + 129], scale, softcap);
            m50 = AttentionTiles.largest(m50, scratch[at + 192], scale, softcap);
            m51 = AttentionTiles.largest(m51, scratch[at + 193], scale, softcap);
            m60 = AttentionTiles.largest(m60, scratch[at + 256], scale, softcap);
            m61 = AttentionTiles.largest(m61, scratch[at + 257], scale, softcap);
            m60 = AttentionTiles.largest(m60, scratch[at + 320], scale, softcap);
            m61 = AttentionTiles.largest(m61, scratch[at + 321], scale, softcap);
            m70 = AttentionTiles.largest(m70, scratch[at + 384], scale, softcap);
            m71 = AttentionTiles.largest(m71, scratch[at + 385], scale, softcap);
            m70 = AttentionTiles.largest(m70, scratch[at + 448], scale, softcap);
            m71 = AttentionTiles.largest(m71, scratch[at + 449], scale, softcap);
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
        scratch[(myRow + 32) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m40;
        scratch[(myRow + 33) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m41;
        scratch[(myRow + 40) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m50;
        scratch[(myRow + 41) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m51;
        scratch[(myRow + 48) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m60;
        scratch[(myRow + 49) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m61;
        scratch[(myRow + 56) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m70;
        scratch[(myRow + 57) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = m71;
        context.localBarrier();
        if (loose == 1) {
            float most = AttentionTiles.LEAST;
            for (int i = 0; i < 16; i++) most = AttentionTiles.larger(most, scratch[thread * 16 + i]);
            shifts[thread] = most == AttentionTiles.LEAST ? 0f : most;
        }

        // Before the first tile: weights of 0 for the tile before, and its values.
        for (int i = thread; i < 2048; i += 128) weights[2048 + i] = 0;
        for (int i = thread; i < 1152; i += 128) tiles[3456 + i] = 0;
        int kKey = first + 0 * 32 + row;
        long kNext0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
        long kNext1 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
        long kNext2 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
        long kNext3 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
        tiles[kPut] = (int) kNext0;
        tiles[kPut + 1] = (int) (kNext0 >>> 32);
        tiles[kPut + 288] = (int) kNext1;
        tiles[kPut + 289] = (int) (kNext1 >>> 32);
        tiles[kPut + 576] = (int) kNext2;
        tiles[kPut + 577] = (int) (kNext2 >>> 32);
        tiles[kPut + 864] = (int) kNext3;
        tiles[kPut + 865] = (int) (kNext3 >>> 32);
        int last = Math.max(count - 1, 0);
        kKey = first + Math.min(1, last) * 32 + row;
        kNext0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
        kNext1 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
        kNext2 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
        kNext3 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
        int vKey = first + 0 * 32 + row;
        long vNext0 = v.get(atV + MmaTiles.clamp(vKey, keys, 32) * kvStride);
        long vNext1 = v.get(atV + MmaTiles.clamp(vKey + 8, keys, 32) * kvStride);
        long vNext2 = v.get(atV + MmaTiles.clamp(vKey + 16, keys, 32) * kvStride);
        long vNext3 = v.get(atV + MmaTiles.clamp(vKey + 24, keys, 32) * kvStride);
        float[] o00 = context.mmaFragment(nothing);
        float[] o01 = context.mmaFragment(nothing);
        float[] o02 = context.mmaFragment(nothing);
        float[] o03 = context.mmaFragment(nothing);
        float[] o10 = context.mmaFragment(nothing);
        float[] o11 = context.mmaFragment(nothing);
        float[] o12 = context.mmaFragment(nothing);
        float[] o13 = context.mmaFragment(nothing);
        float[] o20 = context.mmaFragment(nothing);
        float[] o21 = context.mmaFragment(nothing);
        float[] o22 = context.mmaFragment(nothing);
        float[] o23 = context.mmaFragment(nothing);
        float[] o30 = context.mmaFragment(nothing);
        float[] o31 = context.mmaFragment(nothing);
        float[] o32 = context.mmaFragment(nothing);
        float[] o33 = context.mmaFragment(nothing);
        float l00 = 0f, l01 = 0f;
        float l10 = 0f, l11 = 0f;
        float l20 = 0f, l21 = 0f;
        float l30 = 0f, l31 = 0f;
        float l40 = 0f, l41 = 0f;
        float l50 = 0f, l51 = 0f;
        float l60 = 0f, l61 = 0f;
        float l70 = 0f, l71 = 0f;

        for (int t = 0; t < count; t++) {
            context.localBarrier();
            int key = first + t * 32;
            int masked = 1;
            if (key >= fullFirst) {
                if (key + 32 <= fullEnd) masked = 0;
            }
            int even = 1 - (t & 1);
            int kBuffer = (t & 1) * 1152;
            int kOther = even * 1152;
            int wBuffer = (t & 1) * 2048;
            int wGot = 4 * even * 2048 + wGet;
            int vGot = 4 * (2304 + kOther) + vGet;
            float[] s00 = context.mmaFragment(nothing);
            float[] s01 = context.mmaFragment(nothing);
            float[] s02 = context.mmaFragment(nothing);
            float[] s03 = context.mmaFragment(nothing);
            float[] s04 = context.mmaFragment(nothing);
            float[] s05 = context.mmaFragment(nothing);
            float[] s06 = context.mmaFragment(nothing);
            float[] s07 = context.mmaFragment(nothing);
            HalfFloat[] k00 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet);
            s00 = context.mmaBF16(k00, q00, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k00, q10, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k00, q20, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k00, q30, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k00, q40, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k00, q50, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k00, q60, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k00, q70, s07, MMAShape.M16N8K16);
            HalfFloat[] k01 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 32);
            s00 = context.mmaBF16(k01, q01, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k01, q11, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k01, q21, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k01, q31, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k01, q41, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k01, q51, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k01, q61, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k01, q71, s07, MMAShape.M16N8K16);
            HalfFloat[] k02 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 64);
            s00 = context.mmaBF16(k02, q02, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k02, q12, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k02, q22, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k02, q32, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k02, q42, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k02, q52, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k02, q62, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k02, q72, s07, MMAShape.M16N8K16);
            HalfFloat[] k03 = context.mmaLoadA(tiles, 16, 4 * kBuffer + kGet + 96);
            s00 = context.mmaBF16(k03, q03, s00, MMAShape.M16N8K16);
            s01 = context.mmaBF16(k03, q13, s01, MMAShape.M16N8K16);
            s02 = context.mmaBF16(k03, q23, s02, MMAShape.M16N8K16);
            s03 = context.mmaBF16(k03, q33, s03, MMAShape.M16N8K16);
            s04 = context.mmaBF16(k03, q43, s04, MMAShape.M16N8K16);
            s05 = context.mmaBF16(k03, q53, s05, MMAShape.M16N8K16);
            s06 = context.mmaBF16(k03, q63, s06, MMAShape.M16N8K16);
            s07 = context.mmaBF16(k03, q73, s07, MMAShape.M16N8K16);
            context.mmaStore(s00, fragments, 0, slots, 8);
            context.mmaStore(s01, fragments, 0, slots + 128, 8);
            context.mmaStore(s02, fragments, 0, slots + 256, 8);
            context.mmaStore(s03, fragments, 0, slots + 384, 8);
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
                int from20 = bounds[myRow * 2 + 32], to20 = bounds[myRow * 2 + 33];
                scratch[at + 256] = AttentionTiles.seen(scratch[at + 256], key0, from20, to20);
                scratch[at + 320] = AttentionTiles.seen(scratch[at + 320], key0 + 8, from20, to20);
                int from21 = bounds[myRow * 2 + 34], to21 = bounds[myRow * 2 + 35];
                scratch[at + 257] = AttentionTiles.seen(scratch[at + 257], key0, from21, to21);
                scratch[at + 321] = AttentionTiles.seen(scratch[at + 321], key0 + 8, from21, to21);
                int from30 = bounds[myRow * 2 + 48], to30 = bounds[myRow * 2 + 49];
                scratch[at + 384] = AttentionTiles.seen(scratch[at + 384], key0, from30, to30);
                scratch[at + 448] = AttentionTiles.seen(scratch[at + 448], key0 + 8, from30, to30);
                int from31 = bounds[myRow * 2 + 50], to31 = bounds[myRow * 2 + 51];
                scratch[at + 385] = AttentionTiles.seen(scratch[at + 385], key0, from31, to31);
                scratch[at + 449] = AttentionTiles.seen(scratch[at + 449], key0 + 8, from31, to31);
            }
            float shift00 = shifts[myRow];
            float shift01 = shifts[myRow + 1];
            float p000 = TornadoMath.exp(AttentionTiles.score(scratch[at], scale, softcap) - shift00);
            float p001 = TornadoMath.exp(AttentionTiles.score(scratch[at + 64], scale, softcap) - shift00);
            l00 += p000 + p001;
            int b000 = zero - (naught - BFloat16.bf16FromFloat(p000));
            int b001 = zero - (naught - BFloat16.bf16FromFloat(p001));
            weights[wBuffer + wPut0] = b000 | b001 << 16;
            float p010 = TornadoMath.exp(AttentionTiles.score(scratch[at + 1], scale, softcap) - shift01);
            float p011 = TornadoMath.exp(AttentionTiles.score(scratch[at + 65], scale, softcap) - shift01);
            l01 += p010 + p011;
            int b010 = zero - (naught - BFloat16.bf16FromFloat(p010));
            int b011 = zero - (naught - BFloat16.bf16FromFloat(p011));
            weights[wBuffer + wPut1] = b010 | b011 << 16;
            HalfFloat[] w00 = context.mmaLoadA(weights, 16, wGot);
            HalfFloat[] w10 = context.mmaLoadA(weights, 16, wGot + 1024);
            HalfFloat[] w20 = context.mmaLoadA(weights, 16, wGot + 2048);
            HalfFloat[] w30 = context.mmaLoadA(weights, 16, wGot + 3072);
            HalfFloat[] v00 = context.mmaLoadB(tiles, 16, vGot);
            o00 = context.mmaBF16(w00, v00, o00, MMAShape.M16N8K16);
            o10 = context.mmaBF16(w10, v00, o10, MMAShape.M16N8K16);
            o20 = context.mmaBF16(w20, v00, o20, MMAShape.M16N8K16);
            o30 = context.mmaBF16(w30, v00, o30, MMAShape.M16N8K16);
            float shift10 = shifts[myRow + 8];
            float shift11 = shifts[myRow + 9];
            float p100 = TornadoMath.exp(AttentionTiles.score(scratch[at + 128], scale, softcap) - shift10);
            float p101 = TornadoMath.exp(AttentionTiles.score(scratch[at + 192], scale, softcap) - shift10);
            l10 += p100 + p101;
            int b100 = zero - (naught - BFloat16.bf16FromFloat(p100));
            int b101 = zero - (naught - BFloat16.bf16FromFloat(p101));
            weights[wBuffer + wPut0 + 128] = b100 | b101 << 16;
            float p110 = TornadoMath.exp(AttentionTiles.score(scratch[at + 129], scale, softcap) - shift11);
            float p111 = TornadoMath.exp(AttentionTiles.score(scratch[at + 193], scale, softcap) - shift11);
            l11 += p110 + p111;
            int b110 = zero - (naught - BFloat16.bf16FromFloat(p110));
            int b111 = zero - (naught - BFloat16.bf16FromFloat(p111));
            weights[wBuffer + wPut1 + 128] = b110 | b111 << 16;
            HalfFloat[] v01 = context.mmaLoadB(tiles, 16, vGot + 16);
            o01 = context.mmaBF16(w00, v01, o01, MMAShape.M16N8K16);
            o11 = context.mmaBF16(w10, v01, o11, MMAShape.M16N8K16);
            o21 = context.mmaBF16(w20, v01, o21, MMAShape.M16N8K16);
            o31 = context.mmaBF16(w30, v01, o31, MMAShape.M16N8K16);
            float shift20 = shifts[myRow + 16];
            float shift21 = shifts[myRow + 17];
            float p200 = TornadoMath.exp(AttentionTiles.score(scratch[at + 256], scale, softcap) - shift20);
            float p201 = TornadoMath.exp(AttentionTiles.score(scratch[at + 320], scale, softcap) - shift20);
            l20 += p200 + p201;
            int b200 = zero - (naught - BFloat16.bf16FromFloat(p200));
            int b201 = zero - (naught - BFloat16.bf16FromFloat(p201));
            weights[wBuffer + wPut0 + 256] = b200 | b201 << 16;
            float p210 = TornadoMath.exp(AttentionTiles.score(scratch[at + 257], scale, softcap) - shift21);
            float p211 = TornadoMath.exp(AttentionTiles.score(scratch[at + 321], scale, softcap) - shift21);
            l21 += p210 + p211;
            int b210 = zero - (naught - BFloat16.bf16FromFloat(p210));
            int b211 = zero - (naught - BFloat16.bf16FromFloat(p211));
            weights[wBuffer + wPut1 + 256] = b210 | b211 << 16;
            HalfFloat[] v02 = context.mmaLoadB(tiles, 16, vGot + 32);
            o02 = context.mmaBF16(w00, v02, o02, MMAShape.M16N8K16);
            o12 = context.mmaBF16(w10, v02, o12, MMAShape.M16N8K16);
            o22 = context.mmaBF16(w20, v02, o22, MMAShape.M16N8K16);
            o32 = context.mmaBF16(w30, v02, o32, MMAShape.M16N8K16);
            float shift30 = shifts[myRow + 24];
            float shift31 = shifts[myRow + 25];
            float p300 = TornadoMath.exp(AttentionTiles.score(scratch[at + 384], scale, softcap) - shift30);
            float p301 = TornadoMath.exp(AttentionTiles.score(scratch[at + 448], scale, softcap) - shift30);
            l30 += p300 + p301;
            int b300 = zero - (naught - BFloat16.bf16FromFloat(p300));
            int b301 = zero - (naught - BFloat16.bf16FromFloat(p301));
            weights[wBuffer + wPut0 + 384] = b300 | b301 << 16;
            float p310 = TornadoMath.exp(AttentionTiles.score(scratch[at + 385], scale, softcap) - shift31);
            float p311 = TornadoMath.exp(AttentionTiles.score(scratch[at + 449], scale, softcap) - shift31);
            l31 += p310 + p311;
            int b310 = zero - (naught - BFloat16.bf16FromFloat(p310));
            int b311 = zero - (naught - BFloat16.bf16FromFloat(p311));
            weights[wBuffer + wPut1 + 384] = b310 | b311 << 16;
            HalfFloat[] v03 = context.mmaLoadB(tiles, 16, vGot + 48);
            o03 = context.mmaBF16(w00, v03, o03, MMAShape.M16N8K16);
            o13 = context.mmaBF16(w10, v03, o13, MMAShape.M16N8K16);
            o23 = context.mmaBF16(w20, v03, o23, MMAShape.M16N8K16);
            o33 = context.mmaBF16(w30, v03, o33, MMAShape.M16N8K16);
            context.mmaStore(s04, fragments, 0, slots, 8);
            context.mmaStore(s05, fragments, 0, slots + 128, 8);
            context.mmaStore(s06, fragments, 0, slots + 256, 8);
            context.mmaStore(s07, fragments, 0, slots + 384, 8);
            if (masked == 1) {
                int key1 = key + myKey;
                int from40 = bounds[myRow * 2 + 64], to40 = bounds[myRow * 2 + 65];
                scratch[at] = AttentionTiles.seen(scratch[at], key1, from40, to40);
                scratch[at + 64] = AttentionTiles.seen(scratch[at + 64], key1 + 8, from40, to40);
                int from41 = bounds[myRow * 2 + 66], to41 = bounds[myRow * 2 + 67];
                scratch[at + 1] = AttentionTiles.seen(scratch[at + 1], key1, from41, to41);
                scratch[at + 65] = AttentionTiles.seen(scratch[at + 65], key1 + 8, from41, to41);
                int from50 = bounds[myRow * 2 + 80], to50 = bounds[myRow * 2 + 81];
                scratch[at + 128] = AttentionTiles.seen(scratch[at + 128], key1, from50, to50);
                scratch[at + 192] = AttentionTiles.seen(scratch[at + 192], key1 + 8, from50, to50);
                int from51 = bounds[myRow * 2 + 82], to51 = bounds[myRow * 2 + 83];
                scratch[at + 129] = AttentionTiles.seen(scratch[at + 129], key1, from51, to51);
                scratch[at + 193] = AttentionTiles.seen(scratch[at + 193], key1 + 8, from51, to51);
                int from60 = bounds[myRow * 2 + 96], to60 = bounds[myRow * 2 + 97];
                scratch[at + 256] = AttentionTiles.seen(scratch[at + 256], key1, from60, to60);
                scratch[at + 320] = AttentionTiles.seen(scratch[at + 320], key1 + 8, from60, to60);
                int from61 = bounds[myRow * 2 + 98], to61 = bounds[myRow * 2 + 99];
                scratch[at + 257] = AttentionTiles.seen(scratch[at + 257], key1, from61, to61);
                scratch[at + 321] = AttentionTiles.seen(scratch[at + 321], key1 + 8, from61, to61);
                int from70 = bounds[myRow * 2 + 112], to70 = bounds[myRow * 2 + 113];
                scratch[at + 384] = AttentionTiles.seen(scratch[at + 384], key1, from70, to70);
                scratch[at + 448] = AttentionTiles.seen(scratch[at + 448], key1 + 8, from70, to70);
                int from71 = bounds[myRow * 2 + 114], to71 = bounds[myRow * 2 + 115];
                scratch[at + 385] = AttentionTiles.seen(scratch[at + 385], key1, from71, to71);
                scratch[at + 449] = AttentionTiles.seen(scratch[at + 449], key1 + 8, from71, to71);
            }
            float shift40 = shifts[myRow + 32];
            float shift41 = shifts[myRow + 33];
            float p400 = TornadoMath.exp(AttentionTiles.score(scratch[at], scale, softcap) - shift40);
            float p401 = TornadoMath.exp(AttentionTiles.score(scratch[at + 64], scale, softcap) - shift40);
            l40 += p400 + p401;
            int b400 = zero - (naught - BFloat16.bf16FromFloat(p400));
            int b401 = zero - (naught - BFloat16.bf16FromFloat(p401));
            weights[wBuffer + wPut0 + 512] = b400 | b401 << 16;
            float p410 = TornadoMath.exp(AttentionTiles.score(scratch[at + 1], scale, softcap) - shift41);
            float p411 = TornadoMath.exp(AttentionTiles.score(scratch[at + 65], scale, softcap) - shift41);
            l41 += p410 + p411;
            int b410 = zero - (naught - BFloat16.bf16FromFloat(p410));
            int b411 = zero - (naught - BFloat16.bf16FromFloat(p411));
            weights[wBuffer + wPut1 + 512] = b410 | b411 << 16;
            HalfFloat[] w01 = context.mmaLoadA(weights, 16, wGot + 256);
            HalfFloat[] w11 = context.mmaLoadA(weights, 16, wGot + 1280);
            HalfFloat[] w21 = context.mmaLoadA(weights, 16, wGot + 2304);
            HalfFloat[] w31 = context.mmaLoadA(weights, 16, wGot + 3328);
            HalfFloat[] v10 = context.mmaLoadB(tiles, 16, vGot + 2304);
            o00 = context.mmaBF16(w01, v10, o00, MMAShape.M16N8K16);
            o10 = context.mmaBF16(w11, v10, o10, MMAShape.M16N8K16);
            o20 = context.mmaBF16(w21, v10, o20, MMAShape.M16N8K16);
            o30 = context.mmaBF16(w31, v10, o30, MMAShape.M16N8K16);
            float shift50 = shifts[myRow + 40];
            float shift51 = shifts[myRow + 41];
            float p500 = TornadoMath.exp(AttentionTiles.score(scratch[at + 128], scale, softcap) - shift50);
            float p501 = TornadoMath.exp(AttentionTiles.score(scratch[at + 192], scale, softcap) - shift50);
            l50 += p500 + p501;
            int b500 = zero - (naught - BFloat16.bf16FromFloat(p500));
            int b501 = zero - (naught - BFloat16.bf16FromFloat(p501));
            weights[wBuffer + wPut0 + 640] = b500 | b501 << 16;
            float p510 = TornadoMath.exp(AttentionTiles.score(scratch[at + 129], scale, softcap) - shift51);
            float p511 = TornadoMath.exp(AttentionTiles.score(scratch[at + 193], scale, softcap) - shift51);
            l51 += p510 + p511;
            int b510 = zero - (naught - BFloat16.bf16FromFloat(p510));
            int b511 = zero - (naught - BFloat16.bf16FromFloat(p511));
            weights[wBuffer + wPut1 + 640] = b510 | b511 << 16;
            HalfFloat[] v11 = context.mmaLoadB(tiles, 16, vGot + 2320);
            o01 = context.mmaBF16(w01, v11, o01, MMAShape.M16N8K16);
            o11 = context.mmaBF16(w11, v11, o11, MMAShape.M16N8K16);
            o21 = context.mmaBF16(w21, v11, o21, MMAShape.M16N8K16);
            o31 = context.mmaBF16(w31, v11, o31, MMAShape.M16N8K16);
            float shift60 = shifts[myRow + 48];
            float shift61 = shifts[myRow + 49];
            float p600 = TornadoMath.exp(AttentionTiles.score(scratch[at + 256], scale, softcap) - shift60);
            float p601 = TornadoMath.exp(AttentionTiles.score(scratch[at + 320], scale, softcap) - shift60);
            l60 += p600 + p601;
            int b600 = zero - (naught - BFloat16.bf16FromFloat(p600));
            int b601 = zero - (naught - BFloat16.bf16FromFloat(p601));
            weights[wBuffer + wPut0 + 768] = b600 | b601 << 16;
            float p610 = TornadoMath.exp(AttentionTiles.score(scratch[at + 257], scale, softcap) - shift61);
            float p611 = TornadoMath.exp(AttentionTiles.score(scratch[at + 321], scale, softcap) - shift61);
            l61 += p610 + p611;
            int b610 = zero - (naught - BFloat16.bf16FromFloat(p610));
            int b611 = zero - (naught - BFloat16.bf16FromFloat(p611));
            weights[wBuffer + wPut1 + 768] = b610 | b611 << 16;
            HalfFloat[] v12 = context.mmaLoadB(tiles, 16, vGot + 2336);
            o02 = context.mmaBF16(w01, v12, o02, MMAShape.M16N8K16);
            o12 = context.mmaBF16(w11, v12, o12, MMAShape.M16N8K16);
            o22 = context.mmaBF16(w21, v12, o22, MMAShape.M16N8K16);
            o32 = context.mmaBF16(w31, v12, o32, MMAShape.M16N8K16);
            float shift70 = shifts[myRow + 56];
            float shift71 = shifts[myRow + 57];
            float p700 = TornadoMath.exp(AttentionTiles.score(scratch[at + 384], scale, softcap) - shift70);
            float p701 = TornadoMath.exp(AttentionTiles.score(scratch[at + 448], scale, softcap) - shift70);
            l70 += p700 + p701;
            int b700 = zero - (naught - BFloat16.bf16FromFloat(p700));
            int b701 = zero - (naught - BFloat16.bf16FromFloat(p701));
            weights[wBuffer + wPut0 + 896] = b700 | b701 << 16;
            float p710 = TornadoMath.exp(AttentionTiles.score(scratch[at + 385], scale, softcap) - shift71);
            float p711 = TornadoMath.exp(AttentionTiles.score(scratch[at + 449], scale, softcap) - shift71);
            l71 += p710 + p711;
            int b710 = zero - (naught - BFloat16.bf16FromFloat(p710));
            int b711 = zero - (naught - BFloat16.bf16FromFloat(p711));
            weights[wBuffer + wPut1 + 896] = b710 | b711 << 16;
            HalfFloat[] v13 = context.mmaLoadB(tiles, 16, vGot + 2352);
            o03 = context.mmaBF16(w01, v13, o03, MMAShape.M16N8K16);
            o13 = context.mmaBF16(w11, v13, o13, MMAShape.M16N8K16);
            o23 = context.mmaBF16(w21, v13, o23, MMAShape.M16N8K16);
            o33 = context.mmaBF16(w31, v13, o33, MMAShape.M16N8K16);
            if (masked == 1) {
                long infinite = 0;
                infinite = infinite | AttentionTiles.infinite(vNext0);
                infinite = infinite | AttentionTiles.infinite(vNext1);
                infinite = infinite | AttentionTiles.infinite(vNext2);
                infinite = infinite | AttentionTiles.infinite(vNext3);
                if (infinite != 0) {
                    flags[1] = 1;
                    vNext0 = AttentionTiles.finite(vNext0);
                    vNext1 = AttentionTiles.finite(vNext1);
                    vNext2 = AttentionTiles.finite(vNext2);
                    vNext3 = AttentionTiles.finite(vNext3);
                }
            }
            int vStore = 2304 + kBuffer + vPut;
            tiles[vStore] = (int) vNext0;
            tiles[vStore + 1] = (int) (vNext0 >>> 32);
            tiles[vStore + 36] = (int) vNext1;
            tiles[vStore + 37] = (int) (vNext1 >>> 32);
            tiles[vStore + 576] = (int) vNext2;
            tiles[vStore + 577] = (int) (vNext2 >>> 32);
            tiles[vStore + 612] = (int) vNext3;
            tiles[vStore + 613] = (int) (vNext3 >>> 32);
            int kStore = kOther + kPut;
            tiles[kStore] = (int) kNext0;
            tiles[kStore + 1] = (int) (kNext0 >>> 32);
            tiles[kStore + 288] = (int) kNext1;
            tiles[kStore + 289] = (int) (kNext1 >>> 32);
            tiles[kStore + 576] = (int) kNext2;
            tiles[kStore + 577] = (int) (kNext2 >>> 32);
            tiles[kStore + 864] = (int) kNext3;
            tiles[kStore + 865] = (int) (kNext3 >>> 32);
            kKey = first + Math.min(t + 2, last) * 32 + row;
            kNext0 = k.get(atK + MmaTiles.clamp(kKey, keys, 32) * kvStride);
            kNext1 = k.get(atK + MmaTiles.clamp(kKey + 8, keys, 32) * kvStride);
            kNext2 = k.get(atK + MmaTiles.clamp(kKey + 16, keys, 32) * kvStride);
            kNext3 = k.get(atK + MmaTiles.clamp(kKey + 24, keys, 32) * kvStride);
            vKey = first + Math.min(t + 1, last) * 32 + row;
            vNext0 = v.get(atV + MmaTiles.clamp(vKey, keys, 32) * kvStride);
            vNext1 = v.get(atV + MmaTiles.clamp(vKey + 8, keys, 32) * kvStride);
            vNext2 = v.get(atV + MmaTiles.clamp(vKey + 16, keys, 32) * kvStride);
            vNext3 = v.get(atV + MmaTiles.clamp(vKey + 24, keys, 32) * kvStride);
        }
        context.localBarrier();
        int wGot = 4 * (count + 1 & 1) * 2048 + wGet;
        int vGot = 4 * (2304 + (count + 1 & 1) * 1152) + vGet;
        HalfFloat[] w00 = context.mmaLoadA(weights, 16, wGot);
        HalfFloat[] w10 = context.mmaLoadA(weights, 16, wGot + 1024);
        HalfFloat[] w20 = context.mmaLoadA(weights, 16, wGot + 2048);
        HalfFloat[] w30 = context.mmaLoadA(weights, 16, wGot + 3072);
        HalfFloat[] v00 = context.mmaLoadB(tiles, 16, vGot);
        o00 = context.mmaBF16(w00, v00, o00, MMAShape.M16N8K16);
        o10 = context.mmaBF16(w10, v00, o10, MMAShape.M16N8K16);
        o20 = context.mmaBF16(w20, v00, o20, MMAShape.M16N8K16);
        o30 = context.mmaBF16(w30, v00, o30, MMAShape.M16N8K16);
        HalfFloat[] v01 = context.mmaLoadB(tiles, 16, vGot + 16);
        o01 = context.mmaBF16(w00, v01, o01, MMAShape.M16N8K16);
        o11 = context.mmaBF16(w10, v01, o11, MMAShape.M16N8K16);
        o21 = context.mmaBF16(w20, v01, o21, MMAShape.M16N8K16);
        o31 = context.mmaBF16(w30, v01, o31, MMAShape.M16N8K16);
        HalfFloat[] v02 = context.mmaLoadB(tiles, 16, vGot + 32);
        o02 = context.mmaBF16(w00, v02, o02, MMAShape.M16N8K16);
        o12 = context.mmaBF16(w10, v02, o12, MMAShape.M16N8K16);
        o22 = context.mmaBF16(w20, v02, o22, MMAShape.M16N8K16);
        o32 = context.mmaBF16(w30, v02, o32, MMAShape.M16N8K16);
        HalfFloat[] v03 = context.mmaLoadB(tiles, 16, vGot + 48);
        o03 = context.mmaBF16(w00, v03, o03, MMAShape.M16N8K16);
        o13 = context.mmaBF16(w10, v03, o13, MMAShape.M16N8K16);
        o23 = context.mmaBF16(w20, v03, o23, MMAShape.M16N8K16);
        o33 = context.mmaBF16(w30, v03, o33, MMAShape.M16N8K16);
        HalfFloat[] w01 = context.mmaLoadA(weights, 16, wGot + 256);
        HalfFloat[] w11 = context.mmaLoadA(weights, 16, wGot + 1280);
        HalfFloat[] w21 = context.mmaLoadA(weights, 16, wGot + 2304);
        HalfFloat[] w31 = context.mmaLoadA(weights, 16, wGot + 3328);
        HalfFloat[] v10 = context.mmaLoadB(tiles, 16, vGot + 2304);
        o00 = context.mmaBF16(w01, v10, o00, MMAShape.M16N8K16);
        o10 = context.mmaBF16(w11, v10, o10, MMAShape.M16N8K16);
        o20 = context.mmaBF16(w21, v10, o20, MMAShape.M16N8K16);
        o30 = context.mmaBF16(w31, v10, o30, MMAShape.M16N8K16);
        HalfFloat[] v11 = context.mmaLoadB(tiles, 16, vGot + 2320);
        o01 = context.mmaBF16(w01, v11, o01, MMAShape.M16N8K16);
        o11 = context.mmaBF16(w11, v11, o11, MMAShape.M16N8K16);
        o21 = context.mmaBF16(w21, v11, o21, MMAShape.M16N8K16);
        o31 = context.mmaBF16(w31, v11, o31, MMAShape.M16N8K16);
        HalfFloat[] v12 = context.mmaLoadB(tiles, 16, vGot + 2336);
        o02 = context.mmaBF16(w01, v12, o02, MMAShape.M16N8K16);
        o12 = context.mmaBF16(w11, v12, o12, MMAShape.M16N8K16);
        o22 = context.mmaBF16(w21, v12, o22, MMAShape.M16N8K16);
        o32 = context.mmaBF16(w31, v12, o32, MMAShape.M16N8K16);
        HalfFloat[] v13 = context.mmaLoadB(tiles, 16, vGot + 2352);
        o03 = context.mmaBF16(w01, v13, o03, MMAShape.M16N8K16);
        o13 = context.mmaBF16(w11, v13, o13, MMAShape.M16N8K16);
        o23 = context.mmaBF16(w21, v13, o23, MMAShape.M16N8K16);
        o33 = context.mmaBF16(w31, v13, o33, MMAShape.M16N8K16);

        // Sums of weights, then o through local memory, so that rows are written as a whole.
        scratch[(myRow) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l00;
        scratch[(myRow + 1) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l01;
        scratch[(myRow + 8) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l10;
        scratch[(myRow + 9) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l11;
        scratch[(myRow + 16) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l20;
        scratch[(myRow + 17) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l21;
        scratch[(myRow + 24) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l30;
        scratch[(myRow + 25) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l31;
        scratch[(myRow + 32) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l40;
        scratch[(myRow + 33) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l41;
        scratch[(myRow + 40) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l50;
        scratch[(myRow + 41) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l51;
        scratch[(myRow + 48) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l60;
        scratch[(myRow + 49) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l61;
        scratch[(myRow + 56) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l70;
        scratch[(myRow + 57) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = l71;
        context.localBarrier();
        if (thread < 128) {
            float total = 0f;
            for (int i = 0; i < 16; i++) total += scratch[thread * 16 + i];
            int query = top + thread;
            if (query < queries) {
                lse.set(table.get(slot + 1) + head * queries + query, shifts[thread] + TornadoMath.log(total));
            }
            shifts[thread] = bounds[2 * thread] < bounds[2 * thread + 1] ? 1f / total : 0f;
        }
        context.localBarrier();
        int atRow = warpQueries * 64 + (lane >> 2 & 7);
        int oPut = atRow * 36 + warpKeys * 16 + (lane & 3);
        float factor00 = shifts[atRow];
        float factor01 = shifts[atRow + 8];
        context.mmaStore(o00, fragments, 0, slots, 8);
        tiles[oPut] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor00))) << 16;
        tiles[oPut + 288] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor01))) << 16;
        context.mmaStore(o01, fragments, 0, slots + 128, 8);
        tiles[oPut + 4] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor00))) << 16;
        tiles[oPut + 292] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor01))) << 16;
        context.mmaStore(o02, fragments, 0, slots + 256, 8);
        tiles[oPut + 8] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 256] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 257] * factor00))) << 16;
        tiles[oPut + 296] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 320] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 321] * factor01))) << 16;
        context.mmaStore(o03, fragments, 0, slots + 384, 8);
        tiles[oPut + 12] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 384] * factor00)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 385] * factor00))) << 16;
        tiles[oPut + 300] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 448] * factor01)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 449] * factor01))) << 16;
        float factor10 = shifts[atRow + 16];
        float factor11 = shifts[atRow + 24];
        context.mmaStore(o10, fragments, 0, slots, 8);
        tiles[oPut + 576] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor10))) << 16;
        tiles[oPut + 864] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor11))) << 16;
        context.mmaStore(o11, fragments, 0, slots + 128, 8);
        tiles[oPut + 580] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor10))) << 16;
        tiles[oPut + 868] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor11))) << 16;
        context.mmaStore(o12, fragments, 0, slots + 256, 8);
        tiles[oPut + 584] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 256] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 257] * factor10))) << 16;
        tiles[oPut + 872] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 320] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 321] * factor11))) << 16;
        context.mmaStore(o13, fragments, 0, slots + 384, 8);
        tiles[oPut + 588] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 384] * factor10)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 385] * factor10))) << 16;
        tiles[oPut + 876] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 448] * factor11)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 449] * factor11))) << 16;
        float factor20 = shifts[atRow + 32];
        float factor21 = shifts[atRow + 40];
        context.mmaStore(o20, fragments, 0, slots, 8);
        tiles[oPut + 1152] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor20)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor20))) << 16;
        tiles[oPut + 1440] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor21)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor21))) << 16;
        context.mmaStore(o21, fragments, 0, slots + 128, 8);
        tiles[oPut + 1156] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor20)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor20))) << 16;
        tiles[oPut + 1444] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor21)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor21))) << 16;
        context.mmaStore(o22, fragments, 0, slots + 256, 8);
        tiles[oPut + 1160] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 256] * factor20)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 257] * factor20))) << 16;
        tiles[oPut + 1448] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 320] * factor21)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 321] * factor21))) << 16;
        context.mmaStore(o23, fragments, 0, slots + 384, 8);
        tiles[oPut + 1164] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 384] * factor20)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 385] * factor20))) << 16;
        tiles[oPut + 1452] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 448] * factor21)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 449] * factor21))) << 16;
        float factor30 = shifts[atRow + 48];
        float factor31 = shifts[atRow + 56];
        context.mmaStore(o30, fragments, 0, slots, 8);
        tiles[oPut + 1728] = zero - (naught - BFloat16.bf16FromFloat(scratch[at] * factor30)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 1] * factor30))) << 16;
        tiles[oPut + 2016] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 64] * factor31)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 65] * factor31))) << 16;
        context.mmaStore(o31, fragments, 0, slots + 128, 8);
        tiles[oPut + 1732] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 128] * factor30)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 129] * factor30))) << 16;
        tiles[oPut + 2020] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 192] * factor31)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 193] * factor31))) << 16;
        context.mmaStore(o32, fragments, 0, slots + 256, 8);
        tiles[oPut + 1736] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 256] * factor30)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 257] * factor30))) << 16;
        tiles[oPut + 2024] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 320] * factor31)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 321] * factor31))) << 16;
        context.mmaStore(o33, fragments, 0, slots + 384, 8);
        tiles[oPut + 1740] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 384] * factor30)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 385] * factor30))) << 16;
        tiles[oPut + 2028] = zero - (naught - BFloat16.bf16FromFloat(scratch[at + 448] * factor31)) & 0xffff
                | (zero - (naught - BFloat16.bf16FromFloat(scratch[at + 449] * factor31))) << 16;
        context.localBarrier();
        int atO = table.get(slot) / 4 + head * 16 + column;
        for (int r = row; r < 128; r += 8) {
            long four = AttentionTiles.four(tiles[r * 36 + column * 2], tiles[r * 36 + column * 2 + 1]);
            if (flags[1] == 1) {
                four = AttentionTiles.withInfinite(four, v, atV, kvStride, bounds[2 * r], bounds[2 * r + 1], zero, naught);
            }
            if (top + r < queries) o.set(atO + (top + r) * qStride, four);
        }
    }
}
