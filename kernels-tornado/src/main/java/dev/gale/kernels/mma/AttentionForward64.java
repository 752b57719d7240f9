package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.enums.MMAShape;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.BFloat16;
import uk.ac.manchester.tornado.api.types.HalfFloat;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// Written by `AttentionGenerator`: change that, not this. Blocks of 64 queries, tiles of 32 keys, heads of 64.
public final class AttentionForward64 {
    private AttentionForward64() {}

    /// As `AttentionKernels.attentionForward`, on the matrix unit.
    /// Shapes: o, q `[queries, numHeads * 64]`, k, v `[keys, numKvHeads * 64]`, BF16, seen as longs of four
    /// elements, keys at least 1; lse F32 `[numHeads, queries]`; ranges from `attentionRanges`, norms from
    /// `AttentionTiles.keyNorms`. Operands in the table: o, lse, q, k, v, ranges, norms. Scale is positive.
    /// Launch: `MmaAttention.groups` groups of 128 threads; 30.8 KB of local memory.
    /// Numerics: F32 sums of BF16 weights, relative to what `AttentionTiles` says; a row depends on its own range and
    /// on the norms there. Writes: `=`.
    /// Source: Dao 2023, arXiv 2307.08691.
    public static void attentionForward64(KernelContext context, IntArray table, int slot, LongArray o, FloatArray lse,
            LongArray q, LongArray k, LongArray v, IntArray ranges, FloatArray norms, int numHeads, int numKvHeads,
            int queries, int keys, float scale, float softcap) {
        int[] tiles = context.allocateIntLocalArray(4608);               // two of K, two of V
        int[] weights = context.allocateIntLocalArray(2048);
        float[] scratch = context.allocateFloatLocalArray(1028);         // elements of fragments
        int[] bounds = context.allocateIntLocalArray(128);               // start and stop of each row
        float[] shifts = context.allocateFloatLocalArray(64);
        int[] flags = context.allocateIntLocalArray(4);           // two, and what the next array needs to begin on 16 bytes
        FloatArray fragments = (FloatArray) (Object) scratch;           // element i is scratch[i + 4]
        float[] pin = new float[1];                  // keeps reads where they stand: see Reduce
        pin[0] = 0f;
        float nothing = pin[0];
        int thread = context.localIdx;
        int group = context.groupIdx;
        int lane = thread & 31;
        int warpQueries = thread >> 6 & 1;
        int warpKeys = thread >> 5 & 1;              // and columns of V
        int head = group % numHeads;
        int kvHead = head / (numHeads / numKvHeads);
        int top = ((queries + 63) / 64 - 1 - group / numHeads) * 64;   // the longest ranges of causal attention first
        int row = thread >> 4 & 7;
        int column = thread & 15;

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
        for (int r = row; r < 64; r += 8) {
            long four = AttentionTiles.four(tiles[r * 36 + column * 2], tiles[r * 36 + column * 2 + 1]);
            float square = AttentionTiles.rowSum(context, AttentionTiles.squares(four), 16);
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
        int qGet = (warpQueries * 32 + (lane & 7)) * 144 + (lane >> 3 & 1) * 16 - fixed;
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
        context.localBarrier();

        // Where things are in local memory: K as it is; V with keys i and i + 8 side by side, as the weights are, because a
        // lane has these of a query. Blocks of weights have their rows in pairs that are exchanged every other time, so
        // that what a warp stores lies in different banks.
        int kPut = row * 36 + column * 2;
        int vPut = row * 72 + column * 2;
        int kGet = (warpKeys * 16 + (lane & 15)) * 144 + (lane >> 4 & 1) * 16 - fixed;
        int vGet = (lane & 15) * 128 + warpKeys * 64;
        int odd = lane >> 4 & 1;
        int wPut = ((warpQueries * 8 + warpKeys * 1) * 2 + odd) * 32 + (lane >> 2 & 3);
        int wPut0 = wPut + ((lane & 3) * 2 + odd) * 4;
        int wPut1 = wPut + ((lane & 3) * 2 + 1 - odd) * 4;
        int wGet = ((warpQueries * 4 + (lane >> 3 & 1)) * 4 + odd) * 128 + (lane & 7 ^ odd) * 16 - fixed;
        int slots = (thread >> 5) * 256;
        int at = slots + 4 + lane * 2;
        int myRow = warpQueries * 32 + (lane & 3) * 2;
        int myKey = warpKeys * 16 + (lane >> 2 & 7);

        int kvStride = numKvHeads * 16;
        int atK = table.get(slot + 3) / 4 + kvHead * 16 + column;
        int atV = table.get(slot + 4) / 4 + kvHead * 16 + column;

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
            int kBuffer = (t & 1) * 1152;
            int kOther = even * 1152;
            int wBuffer = (t & 1) * 1024;
            int wGot = 4 * even * 1024 + wGet;
            int vGot = 4 * (2304 + kOther) + vGet;
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
            int b000 = 65535 - BFloat16.bf16FromFloat(p000);
            int b001 = 65535 - BFloat16.bf16FromFloat(p001);
            weights[wBuffer + wPut0] = ~(b000 | b001 << 16);
            HalfFloat[] w00 = context.mmaLoadA(weights, 16, wGot);
            HalfFloat[] w10 = context.mmaLoadA(weights, 16, wGot + 1024);
            HalfFloat[] v00 = context.mmaLoadB(tiles, 16, vGot);
            o00 = context.mmaBF16(w00, v00, o00, MMAShape.M16N8K16);
            o10 = context.mmaBF16(w10, v00, o10, MMAShape.M16N8K16);
            float p010 = TornadoMath.exp(AttentionTiles.score(scratch[at + 1], scale, softcap) - shift01);
            float p011 = TornadoMath.exp(AttentionTiles.score(scratch[at + 65], scale, softcap) - shift01);
            l01 += p010 + p011;
            int b010 = 65535 - BFloat16.bf16FromFloat(p010);
            int b011 = 65535 - BFloat16.bf16FromFloat(p011);
            weights[wBuffer + wPut1] = ~(b010 | b011 << 16);
            HalfFloat[] v01 = context.mmaLoadB(tiles, 16, vGot + 16);
            o01 = context.mmaBF16(w00, v01, o01, MMAShape.M16N8K16);
            o11 = context.mmaBF16(w10, v01, o11, MMAShape.M16N8K16);
            float shift10 = shifts[myRow + 8];
            float shift11 = shifts[myRow + 9];
            float p100 = TornadoMath.exp(AttentionTiles.score(scratch[at + 128], scale, softcap) - shift10);
            float p101 = TornadoMath.exp(AttentionTiles.score(scratch[at + 192], scale, softcap) - shift10);
            l10 += p100 + p101;
            int b100 = 65535 - BFloat16.bf16FromFloat(p100);
            int b101 = 65535 - BFloat16.bf16FromFloat(p101);
            weights[wBuffer + wPut0 + 128] = ~(b100 | b101 << 16);
            HalfFloat[] v02 = context.mmaLoadB(tiles, 16, vGot + 32);
            o02 = context.mmaBF16(w00, v02, o02, MMAShape.M16N8K16);
            o12 = context.mmaBF16(w10, v02, o12, MMAShape.M16N8K16);
            float p110 = TornadoMath.exp(AttentionTiles.score(scratch[at + 129], scale, softcap) - shift11);
            float p111 = TornadoMath.exp(AttentionTiles.score(scratch[at + 193], scale, softcap) - shift11);
            l11 += p110 + p111;
            int b110 = 65535 - BFloat16.bf16FromFloat(p110);
            int b111 = 65535 - BFloat16.bf16FromFloat(p111);
            weights[wBuffer + wPut1 + 128] = ~(b110 | b111 << 16);
            HalfFloat[] v03 = context.mmaLoadB(tiles, 16, vGot + 48);
            o03 = context.mmaBF16(w00, v03, o03, MMAShape.M16N8K16);
            o13 = context.mmaBF16(w10, v03, o13, MMAShape.M16N8K16);
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
            int b200 = 65535 - BFloat16.bf16FromFloat(p200);
            int b201 = 65535 - BFloat16.bf16FromFloat(p201);
            weights[wBuffer + wPut0 + 256] = ~(b200 | b201 << 16);
            HalfFloat[] w01 = context.mmaLoadA(weights, 16, wGot + 256);
            HalfFloat[] w11 = context.mmaLoadA(weights, 16, wGot + 1280);
            HalfFloat[] v10 = context.mmaLoadB(tiles, 16, vGot + 2304);
            o00 = context.mmaBF16(w01, v10, o00, MMAShape.M16N8K16);
            o10 = context.mmaBF16(w11, v10, o10, MMAShape.M16N8K16);
            float p210 = TornadoMath.exp(AttentionTiles.score(scratch[at + 1], scale, softcap) - shift21);
            float p211 = TornadoMath.exp(AttentionTiles.score(scratch[at + 65], scale, softcap) - shift21);
            l21 += p210 + p211;
            int b210 = 65535 - BFloat16.bf16FromFloat(p210);
            int b211 = 65535 - BFloat16.bf16FromFloat(p211);
            weights[wBuffer + wPut1 + 256] = ~(b210 | b211 << 16);
            HalfFloat[] v11 = context.mmaLoadB(tiles, 16, vGot + 2320);
            o01 = context.mmaBF16(w01, v11, o01, MMAShape.M16N8K16);
            o11 = context.mmaBF16(w11, v11, o11, MMAShape.M16N8K16);
            float shift30 = shifts[myRow + 24];
            float shift31 = shifts[myRow + 25];
            float p300 = TornadoMath.exp(AttentionTiles.score(scratch[at + 128], scale, softcap) - shift30);
            float p301 = TornadoMath.exp(AttentionTiles.score(scratch[at + 192], scale, softcap) - shift30);
            l30 += p300 + p301;
            int b300 = 65535 - BFloat16.bf16FromFloat(p300);
            int b301 = 65535 - BFloat16.bf16FromFloat(p301);
            weights[wBuffer + wPut0 + 384] = ~(b300 | b301 << 16);
            HalfFloat[] v12 = context.mmaLoadB(tiles, 16, vGot + 2336);
            o02 = context.mmaBF16(w01, v12, o02, MMAShape.M16N8K16);
            o12 = context.mmaBF16(w11, v12, o12, MMAShape.M16N8K16);
            float p310 = TornadoMath.exp(AttentionTiles.score(scratch[at + 129], scale, softcap) - shift31);
            float p311 = TornadoMath.exp(AttentionTiles.score(scratch[at + 193], scale, softcap) - shift31);
            l31 += p310 + p311;
            int b310 = 65535 - BFloat16.bf16FromFloat(p310);
            int b311 = 65535 - BFloat16.bf16FromFloat(p311);
            weights[wBuffer + wPut1 + 384] = ~(b310 | b311 << 16);
            HalfFloat[] v13 = context.mmaLoadB(tiles, 16, vGot + 2352);
            o03 = context.mmaBF16(w01, v13, o03, MMAShape.M16N8K16);
            o13 = context.mmaBF16(w11, v13, o13, MMAShape.M16N8K16);
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
        int wGot = 4 * (count + 1 & 1) * 1024 + wGet;
        int vGot = 4 * (2304 + (count + 1 & 1) * 1152) + vGet;
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
        HalfFloat[] w01 = context.mmaLoadA(weights, 16, wGot + 256);
        HalfFloat[] w11 = context.mmaLoadA(weights, 16, wGot + 1280);
        HalfFloat[] v10 = context.mmaLoadB(tiles, 16, vGot + 2304);
        o00 = context.mmaBF16(w01, v10, o00, MMAShape.M16N8K16);
        o10 = context.mmaBF16(w11, v10, o10, MMAShape.M16N8K16);
        HalfFloat[] v11 = context.mmaLoadB(tiles, 16, vGot + 2320);
        o01 = context.mmaBF16(w01, v11, o01, MMAShape.M16N8K16);
        o11 = context.mmaBF16(w11, v11, o11, MMAShape.M16N8K16);
        HalfFloat[] v12 = context.mmaLoadB(tiles, 16, vGot + 2336);
        o02 = context.mmaBF16(w01, v12, o02, MMAShape.M16N8K16);
        o12 = context.mmaBF16(w11, v12, o12, MMAShape.M16N8K16);
        HalfFloat[] v13 = context.mmaLoadB(tiles, 16, vGot + 2352);
        o03 = context.mmaBF16(w01, v13, o03, MMAShape.M16N8K16);
        o13 = context.mmaBF16(w11, v13, o13, MMAShape.M16N8K16);

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
        int oPut = atRow * 36 + warpKeys * 16 + (lane & 3);
        float factor00 = shifts[atRow];
        float factor01 = shifts[atRow + 8];
        context.mmaStore(o00, fragments, 0, slots, 8);
        int o000 = 65535 - BFloat16.bf16FromFloat(scratch[at] * factor00) & 0xffff;
        int o001 = 65535 - BFloat16.bf16FromFloat(scratch[at + 1] * factor00);
        tiles[oPut] = ~(o000 | o001 << 16);
        int o002 = 65535 - BFloat16.bf16FromFloat(scratch[at + 64] * factor01) & 0xffff;
        int o003 = 65535 - BFloat16.bf16FromFloat(scratch[at + 65] * factor01);
        tiles[oPut + 288] = ~(o002 | o003 << 16);
        context.mmaStore(o01, fragments, 0, slots + 128, 8);
        int o010 = 65535 - BFloat16.bf16FromFloat(scratch[at + 128] * factor00) & 0xffff;
        int o011 = 65535 - BFloat16.bf16FromFloat(scratch[at + 129] * factor00);
        tiles[oPut + 4] = ~(o010 | o011 << 16);
        int o012 = 65535 - BFloat16.bf16FromFloat(scratch[at + 192] * factor01) & 0xffff;
        int o013 = 65535 - BFloat16.bf16FromFloat(scratch[at + 193] * factor01);
        tiles[oPut + 292] = ~(o012 | o013 << 16);
        context.mmaStore(o02, fragments, 0, slots, 8);
        int o020 = 65535 - BFloat16.bf16FromFloat(scratch[at] * factor00) & 0xffff;
        int o021 = 65535 - BFloat16.bf16FromFloat(scratch[at + 1] * factor00);
        tiles[oPut + 8] = ~(o020 | o021 << 16);
        int o022 = 65535 - BFloat16.bf16FromFloat(scratch[at + 64] * factor01) & 0xffff;
        int o023 = 65535 - BFloat16.bf16FromFloat(scratch[at + 65] * factor01);
        tiles[oPut + 296] = ~(o022 | o023 << 16);
        context.mmaStore(o03, fragments, 0, slots + 128, 8);
        int o030 = 65535 - BFloat16.bf16FromFloat(scratch[at + 128] * factor00) & 0xffff;
        int o031 = 65535 - BFloat16.bf16FromFloat(scratch[at + 129] * factor00);
        tiles[oPut + 12] = ~(o030 | o031 << 16);
        int o032 = 65535 - BFloat16.bf16FromFloat(scratch[at + 192] * factor01) & 0xffff;
        int o033 = 65535 - BFloat16.bf16FromFloat(scratch[at + 193] * factor01);
        tiles[oPut + 300] = ~(o032 | o033 << 16);
        float factor10 = shifts[atRow + 16];
        float factor11 = shifts[atRow + 24];
        context.mmaStore(o10, fragments, 0, slots, 8);
        int o100 = 65535 - BFloat16.bf16FromFloat(scratch[at] * factor10) & 0xffff;
        int o101 = 65535 - BFloat16.bf16FromFloat(scratch[at + 1] * factor10);
        tiles[oPut + 576] = ~(o100 | o101 << 16);
        int o102 = 65535 - BFloat16.bf16FromFloat(scratch[at + 64] * factor11) & 0xffff;
        int o103 = 65535 - BFloat16.bf16FromFloat(scratch[at + 65] * factor11);
        tiles[oPut + 864] = ~(o102 | o103 << 16);
        context.mmaStore(o11, fragments, 0, slots + 128, 8);
        int o110 = 65535 - BFloat16.bf16FromFloat(scratch[at + 128] * factor10) & 0xffff;
        int o111 = 65535 - BFloat16.bf16FromFloat(scratch[at + 129] * factor10);
        tiles[oPut + 580] = ~(o110 | o111 << 16);
        int o112 = 65535 - BFloat16.bf16FromFloat(scratch[at + 192] * factor11) & 0xffff;
        int o113 = 65535 - BFloat16.bf16FromFloat(scratch[at + 193] * factor11);
        tiles[oPut + 868] = ~(o112 | o113 << 16);
        context.mmaStore(o12, fragments, 0, slots, 8);
        int o120 = 65535 - BFloat16.bf16FromFloat(scratch[at] * factor10) & 0xffff;
        int o121 = 65535 - BFloat16.bf16FromFloat(scratch[at + 1] * factor10);
        tiles[oPut + 584] = ~(o120 | o121 << 16);
        int o122 = 65535 - BFloat16.bf16FromFloat(scratch[at + 64] * factor11) & 0xffff;
        int o123 = 65535 - BFloat16.bf16FromFloat(scratch[at + 65] * factor11);
        tiles[oPut + 872] = ~(o122 | o123 << 16);
        context.mmaStore(o13, fragments, 0, slots + 128, 8);
        int o130 = 65535 - BFloat16.bf16FromFloat(scratch[at + 128] * factor10) & 0xffff;
        int o131 = 65535 - BFloat16.bf16FromFloat(scratch[at + 129] * factor10);
        tiles[oPut + 588] = ~(o130 | o131 << 16);
        int o132 = 65535 - BFloat16.bf16FromFloat(scratch[at + 192] * factor11) & 0xffff;
        int o133 = 65535 - BFloat16.bf16FromFloat(scratch[at + 193] * factor11);
        tiles[oPut + 876] = ~(o132 | o133 << 16);
        context.localBarrier();
        int atO = table.get(slot) / 4 + head * 16 + column;
        for (int r = row; r < 64; r += 8) {
            long four = AttentionTiles.four(tiles[r * 36 + column * 2], tiles[r * 36 + column * 2 + 1]);
            if (flags[1] == 1) {
                four = AttentionTiles.withInfinite(four, v, atV, kvStride, bounds[2 * r], bounds[2 * r + 1]);
            }
            if (top + r < queries) o.set(atO + (top + r) * qStride, four);
        }
    }
}
