package dev.gale.kernels.mma;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Writes the kernels of attention on the matrix unit, one class each; see `MmaGenerator`.
///
/// A work-group of four warps makes the rows of o of one head for a block of queries. Keys come in tiles. Of a tile's
/// scores each warp makes half of the keys for half of the queries, keys down and queries across, so that K stays as it is
/// stored and Q stays in registers. The scores pass through local memory, as no kernel sees the elements of a fragment, and
/// become weights; of `weights V` each warp makes half of the columns for half of the queries. While the scores of a tile
/// become weights, the weights of the tile before are multiplied, so that one barrier a tile is enough.
///
/// `main` rewrites the sources; `AttentionGeneratorTest` checks that they are what this writes.
public final class AttentionGenerator extends KernelSource {
    private static final int THREADS = AttentionTiles.THREADS;
    private static final int FRAGMENT = 128;                     // numbers of a fragment of scores

    /// One kernel.
    ///
    /// @param dims    of a head
    /// @param queries of a warp: half of those of a work-group
    /// @param keys    of a tile
    record Variant(String name, int dims, int queries, int keys) {
        String method() {
            return Character.toLowerCase(name.charAt(0)) + name.substring(1);
        }

        int rows() {
            return 2 * queries;
        }

        /// Longs of a row.
        int longs() {
            return dims / 4;
        }

        /// Ints of a row of a tile in local memory: 16 bytes more than it has, so that eight rows lie in different banks.
        int stride() {
            return dims / 2 + 4;
        }

        int rowsAtOnce() {
            return THREADS / longs();
        }

        /// Longs of a tile of K or V that a thread reads.
        int reads() {
            return keys / rowsAtOnce();
        }

        /// Ints of a tile of K or V.
        int tile() {
            return keys * stride();
        }

        /// Ints of a tile of weights.
        int weights() {
            return rows() * keys / 2;
        }

        /// Fragments of scores of a warp: blocks of 16 keys times blocks of 8 queries.
        int keyBlocks() {
            return keys / 32;
        }

        int queryBlocks() {
            return queries / 8;
        }

        /// Fragments of scores in local memory at a time.
        int slots() {
            return keyBlocks() * queryBlocks() / 2;
        }

        int scratch() {
            return 4 * slots() * FRAGMENT;
        }

        int localBytes() {
            return 4 * (4 * tile() + 2 * weights() + scratch() + 4 + 3 * rows() + 2);
        }
    }

    /// Every kernel there is.
    static final List<Variant> VARIANTS = List.of(
            new Variant("AttentionForward64", 64, 32, 32),
            new Variant("AttentionForward128", 128, 32, 32));

    private final Variant v;

    private AttentionGenerator(Variant variant) {
        v = variant;
    }

    /// @param args the folder of the package's sources, from the root of the project if none is given
    public static void main(String[] args) throws IOException {
        write(args, VARIANTS, Variant::name, AttentionGenerator::source);
    }

    /// The source of a kernel's class.
    static String source(Variant variant) {
        AttentionGenerator generator = new AttentionGenerator(variant);
        generator.head();
        generator.setUp();
        generator.ranges();
        generator.queries();
        generator.places();
        generator.largestScores();
        generator.start();
        generator.loop();
        generator.results();
        return generator.text();
    }

    private void lines(List<String> lines) {
        lines.forEach(line -> line("%s", line));
    }

    private void barrier() {
        line("context.localBarrier();");
    }

    private void head() {
        line("package dev.gale.kernels.mma;");
        line("");
        line("import uk.ac.manchester.tornado.api.KernelContext;");
        line("import uk.ac.manchester.tornado.api.enums.MMAShape;");
        line("import uk.ac.manchester.tornado.api.math.TornadoMath;");
        for (String name : List.of("BFloat16", "HalfFloat", "arrays.FloatArray", "arrays.IntArray", "arrays.LongArray")) {
            line("import uk.ac.manchester.tornado.api.types.%s;", name);
        }
        line("");
        line("/// Written by `AttentionGenerator`: change that, not this. Blocks of %d queries, tiles of %d keys, heads of %d.",
                v.rows(), v.keys, v.dims);
        line("public final class %s {", v.name);
        line("private %s() {}", v.name);
        line("");
        line("/// As `AttentionKernels.attentionForward`, on the matrix unit.");
        line("/// Shapes: o, q `[queries, numHeads * %d]`, k, v `[keys, numKvHeads * %d]`, BF16, seen as longs of four", v.dims,
                v.dims);
        line("/// elements, keys at least 1; lse F32 `[numHeads, queries]`; ranges from `attentionRanges`, norms from");
        line("/// `AttentionTiles.keyNorms`. Operands in the table: o, lse, q, k, v, ranges, norms. Scale is positive.");
        line("/// Launch: `MmaAttention.groups` groups of %d threads; %.1f KB of local memory.", THREADS,
                v.localBytes() / 1024.0);
        line("/// Numerics: F32 sums of BF16 weights, relative to what `AttentionTiles` says; "
                + "a row depends on its own range and");
        line("/// on the norms there. Writes: `=`.");
        line("/// Source: Dao 2023, arXiv 2307.08691.");
        line("public static void %s(KernelContext context, IntArray table, int slot, LongArray o, FloatArray lse,", v.method());
        line("        LongArray q, LongArray k, LongArray v, IntArray ranges, FloatArray norms, int numHeads, int numKvHeads,");
        line("        int queries, int keys, float scale, float softcap) {");
    }

    private void setUp() {
        line("int[] tiles = context.allocateIntLocalArray(%d);               // two of K, two of V", 4 * v.tile());
        line("int[] weights = context.allocateIntLocalArray(%d);", 2 * v.weights());
        line("float[] scratch = context.allocateFloatLocalArray(%d);         // elements of fragments", v.scratch() + 4);
        line("int[] bounds = context.allocateIntLocalArray(%d);               // start and stop of each row", 2 * v.rows());
        line("float[] shifts = context.allocateFloatLocalArray(%d);", v.rows());
        line("int[] flags = context.allocateIntLocalArray(4);           "
                + "// two, and what the next array needs to begin on 16 bytes");
        line("FloatArray fragments = (FloatArray) (Object) scratch;           // element i is scratch[i + 4]");
        line("float[] pin = new float[1];                  // keeps reads where they stand: see Reduce");
        line("pin[0] = 0f;");
        line("float nothing = pin[0];");
        line("int thread = context.localIdx;");
        line("int group = context.groupIdx;");
        line("int lane = thread & 31;");
        line("int warpQueries = thread >> 6 & 1;");
        line("int warpKeys = thread >> 5 & 1;              // and columns of V");
        line("int head = group %% numHeads;");
        line("int kvHead = head / (numHeads / numKvHeads);");
        line("int top = ((queries + %d) / %d - 1 - group / numHeads) * %d;   // the longest ranges of causal attention first",
                v.rows() - 1, v.rows(), v.rows());
        line("int row = thread >> %d & %d;", log(v.longs()), v.rowsAtOnce() - 1);
        line("int column = thread & %d;", v.longs() - 1);
    }

    /// What the work-group sees: first, end; and what each of its queries does: fullFirst, fullEnd.
    private void ranges() {
        int rows = v.rows();
        line("");
        line("// Which keys any query sees, and which all do.");
        line("int atRanges = table.get(slot + 5);");
        line("if (thread < %d) {", rows);
        line("int query = Math.min(top + thread, queries - 1);");
        line("int from = ranges.get(atRanges + query);");
        line("int to = ranges.get(atRanges + queries + query);");
        line("bounds[2 * thread] = from;");
        line("bounds[2 * thread + 1] = to;");
        line("tiles[thread] = from < to ? from : keys;");
        line("tiles[%d + thread] = from < to ? to : 0;", rows);
        line("tiles[%d + thread] = from;", 2 * rows);
        line("tiles[%d + thread] = to;", 3 * rows);
        line("}");
        line("if (thread < 2) flags[thread] = 0;");
        barrier();
        line("for (int half = %d; half > 0; half = half / 2) {", rows / 2);
        line("if (thread < half) {");
        line("tiles[thread] = Math.min(tiles[thread], tiles[thread + half]);");
        line("tiles[%d + thread] = Math.max(tiles[%d + thread], tiles[%d + thread + half]);", rows, rows, rows);
        line("tiles[%d + thread] = Math.max(tiles[%d + thread], tiles[%d + thread + half]);", 2 * rows, 2 * rows, 2 * rows);
        line("tiles[%d + thread] = Math.min(tiles[%d + thread], tiles[%d + thread + half]);", 3 * rows, 3 * rows, 3 * rows);
        line("}");
        barrier();
        line("}");
        line("int end = tiles[%d];", rows);
        line("int first = Math.min(tiles[0], end) / %d * %d;", v.keys, v.keys);
        line("int fullFirst = tiles[%d];", 2 * rows);
        line("int fullEnd = tiles[%d];", 3 * rows);
        line("int count = (end - first + %d) / %d;", v.keys - 1, v.keys);
        line("int atNorms = table.get(slot + 6) + kvHead * ((keys + %d) / %d);", AttentionTiles.NORM_KEYS - 1,
                AttentionTiles.NORM_KEYS);
        line("float norm = 0f;");
        line("for (int i = first / %d + thread; i * %d < end; i += %d) {", AttentionTiles.NORM_KEYS, AttentionTiles.NORM_KEYS,
                THREADS);
        line("norm = AttentionTiles.larger(norm, norms.get(atNorms + i));");
        line("}");
        line("for (int lanes = 16; lanes > 0; lanes = lanes / 2) {");
        line("norm = AttentionTiles.larger(norm, context.simdShuffleDown(norm, lanes));");
        line("}");
        line("if (lane == 0) scratch[thread >> 5] = norm;");
        barrier();
    }

    /// Q through local memory into registers, and which rows need their exact maximum.
    private void queries() {
        int stride = v.stride();
        line("");
        line("// The queries, as right operands of the matrix unit, and how large their scores can be.");
        line("int qStride = numHeads * %d;", v.longs());
        line("int atQ = table.get(slot + 2) / 4 + head * %d + column;", v.longs());
        int passes = v.rows() / v.rowsAtOnce();
        for (int i = 0; i < passes; i++) {
            line("long query%d = q.get(atQ + Math.min(top + row%s, queries - 1) * qStride);", i, plus(i * v.rowsAtOnce()));
        }
        for (int i = 0; i < passes; i++) {
            int at = i * v.rowsAtOnce();
            line("tiles[row * %d + column * 2%s] = (int) query%d;", stride, plus(at * stride), i);
            line("tiles[row * %d + column * 2%s] = (int) (query%d >>> 32);", stride, plus(at * stride + 1), i);
        }
        line("for (int r = row; r < %d; r += %d) {", v.rows(), v.rowsAtOnce());
        line("long four = AttentionTiles.four(tiles[r * %d + column * 2], tiles[r * %d + column * 2 + 1]);", stride, stride);
        line("float square = AttentionTiles.rowSum(context, AttentionTiles.squares(four), %d);", v.longs());
        line("if (column == 0) shifts[r] = square;");
        line("}");
        barrier();
        line("float keyNorm = AttentionTiles.larger(AttentionTiles.larger(scratch[0], scratch[1]),");
        line("        AttentionTiles.larger(scratch[2], scratch[3]));");
        line("int loose = 0;");
        line("if (thread < %d) {", v.rows());
        line("loose = AttentionTiles.isLoose(shifts[thread], keyNorm, scale, softcap);");
        line("if (loose == 1) flags[0] = 1;");
        line("shifts[thread] = 0f;");
        line("}");
        line("int fixed = (lane & 15) * 32 + (lane >> 4 & 1) * 16;            "
                + "// what loads of left operands add by themselves");
        line("int qGet = (warpQueries * %d + (lane & 7)) * %d + (lane >> 3 & 1) * 16 - fixed;", v.queries, stride * 4);
        for (int b = 0; b < v.queryBlocks(); b++) {
            for (int s = 0; s < v.dims / 16; s++) {
                line("HalfFloat[] q%d%d = context.mmaLoadA(tiles, 16, qGet%s);", b, s, plus(b * 8 * stride * 4 + s * 32));
            }
        }
        barrier();
    }

    private void places() {
        int stride = v.stride();
        line("");
        line("// Where things are in local memory: K as it is; V with keys i and i + 8 side by side, "
                + "as the weights are, because a");
        line("// lane has these of a query. Blocks of weights have their rows in pairs that are "
                + "exchanged every other time, so");
        line("// that what a warp stores lies in different banks.");
        line("int kPut = row * %d + column * 2;", stride);
        line("int vPut = row * %d + column * 2;", 2 * stride);
        line("int kGet = (warpKeys * %d + (lane & 15)) * %d + (lane >> 4 & 1) * 16 - fixed;", v.keys / 2, stride * 4);
        line("int vGet = (lane & 15) * %d + warpKeys * %d;", stride * 4 - 16, v.dims);
        line("int odd = lane >> 4 & 1;");
        line("int wPut = ((warpQueries * %d + warpKeys * %d) * 2 + odd) * 32 + (lane >> 2 & 3);", v.queryBlocks() * v.keys / 16,
                v.keyBlocks());
        line("int wPut0 = wPut + ((lane & 3) * 2 + odd) * 4;");
        line("int wPut1 = wPut + ((lane & 3) * 2 + 1 - odd) * 4;");
        line("int wGet = ((warpQueries * %d + (lane >> 3 & 1)) * %d + odd) * 128 + (lane & 7 ^ odd) * 16 - fixed;",
                v.queryBlocks(), v.keys / 8);
        line("int slots = (thread >> 5) * %d;", v.slots() * FRAGMENT);
        line("int at = slots + 4 + lane * 2;");
        line("int myRow = warpQueries * %d + (lane & 3) * 2;", v.queries);
        line("int myKey = warpKeys * %d + (lane >> 2 & 7);", v.keys / 2);
        line("");
        line("int kvStride = numKvHeads * %d;", v.longs());
        line("int atK = table.get(slot + 3) / 4 + kvHead * %d + column;", v.longs());
        line("int atV = table.get(slot + 4) / 4 + kvHead * %d + column;", v.longs());
    }

    // ---- tiles of K and V ----

    private void readTile(String declared, String array, String name, String index, String tile) {
        line("%s%s = first + %s * %d + row;", declared.isEmpty() ? "" : "int ", index, tile, v.keys);
        for (int i = 0; i < v.reads(); i++) {
            line("%s%s%d = %s.get(at%s + MmaTiles.clamp(%s%s, keys, %d) * kvStride);", declared, name, i, array,
                    array.toUpperCase(), index, plus(i * v.rowsAtOnce()), v.keys);
        }
    }

    private void storeTile(String name, String at, boolean paired) {
        for (int i = 0; i < v.reads(); i++) {
            int key = i * v.rowsAtOnce();
            int before = paired ? (key & ~15) + 2 * (key & 7) + (key >> 3 & 1) : key;
            line("tiles[%s%s] = (int) %s%d;", at, plus(before * v.stride()), name, i);
            line("tiles[%s%s] = (int) (%s%d >>> 32);", at, plus(before * v.stride() + 1), name, i);
        }
    }

    // ---- scores ----

    private String score(int fragment) {
        return "s" + fragment / v.queryBlocks() + fragment % v.queryBlocks();
    }

    private void scores(String buffer) {
        int fragments = 2 * v.slots();
        for (int f = 0; f < fragments; f++) line("float[] %s = context.mmaFragment(nothing);", score(f));
        for (int s = 0; s < v.dims / 16; s++) {
            for (int b = 0; b < v.keyBlocks(); b++) {
                line("HalfFloat[] k%d%d = context.mmaLoadA(tiles, 16, %skGet%s);", b, s, buffer,
                        plus(b * 16 * v.stride() * 4 + s * 32));
                for (int n = 0; n < v.queryBlocks(); n++) {
                    line("s%d%d = context.mmaBF16(k%d%d, q%d%d, s%d%d, MMAShape.M16N8K16);", b, n, b, s, n, s, b, n);
                }
            }
        }
    }

    /// Half of the fragments to local memory, where those that are not seen are replaced.
    private void expose(int half) {
        for (int i = 0; i < v.slots(); i++) {
            line("context.mmaStore(%s, fragments, 0, slots%s, 8);", score(half * v.slots() + i), plus(i * FRAGMENT));
        }
        line("if (masked == 1) {");
        line("int key%d = key + myKey;", half);
        for (int i = 0; i < v.slots(); i++) {
            int f = half * v.slots() + i;
            int block = f / v.queryBlocks();
            int n = f % v.queryBlocks();
            for (int e = 0; e < 2; e++) {
                int bound = 16 * n + 2 * e;
                line("int from%d%d = bounds[myRow * 2%s], to%d%d = bounds[myRow * 2%s];", f, e, plus(bound), f, e,
                        plus(bound + 1));
                for (int later = 0; later < 2; later++) {
                    String place = element(i, e + 2 * later);
                    line("%s = AttentionTiles.seen(%s, key%d%s, from%d%d, to%d%d);", place, place, half,
                            plus(block * 16 + later * 8), f, e, f, e);
                }
            }
        }
        line("}");
    }

    private String element(int slot, int e) {
        return "scratch[at%s]".formatted(plus(slot * FRAGMENT + (e >> 1) * 64 + (e & 1)));
    }

    private void tileHead() {
        line("int key = first + t * %d;", v.keys);
        line("int masked = 1;");
        line("if (key >= fullFirst) {");
        line("if (key + %d <= fullEnd) masked = 0;", v.keys);
        line("}");
    }

    private void largestScores() {
        line("");
        line("// The largest score of rows that may have large ones.");
        for (int n = 0; n < v.queryBlocks(); n++) line("float m%d0 = AttentionTiles.LEAST, m%d1 = AttentionTiles.LEAST;", n, n);
        line("int passes = flags[0] == 1 ? count : 0;");
        line("for (int t = 0; t < passes; t++) {");
        barrier();
        readTile("long ", "k", "kTile", "kKey", "t");
        storeTile("kTile", "kPut", false);
        barrier();
        tileHead();
        scores("");
        for (int half = 0; half < 2; half++) {
            expose(half);
            for (int i = 0; i < v.slots(); i++) {
                int n = (half * v.slots() + i) % v.queryBlocks();
                for (int e = 0; e < 4; e++) {
                    line("m%d%d = AttentionTiles.largest(m%d%d, %s, scale, softcap);", n, e & 1, n, e & 1, element(i, e));
                }
            }
        }
        line("}");
        barrier();
        perRow("m");
        barrier();
        line("if (loose == 1) {");
        line("float most = AttentionTiles.LEAST;");
        line("for (int i = 0; i < 16; i++) most = AttentionTiles.larger(most, scratch[thread * 16 + i]);");
        line("shifts[thread] = most == AttentionTiles.LEAST ? 0f : most;");
        line("}");
    }

    /// A number of each thread for each of its rows, 16 of them side by side.
    private void perRow(String name) {
        for (int n = 0; n < v.queryBlocks(); n++) {
            for (int e = 0; e < 2; e++) {
                line("scratch[(myRow%s) * 16 + warpKeys * 8 + (lane >> 2 & 7)] = %s%d%d;", plus(8 * n + e), name, n, e);
            }
        }
    }

    // ---- the loop over keys ----

    private void start() {
        line("");
        line("// Before the first tile: weights of 0 for the tile before, and its values.");
        line("for (int i = thread; i < %d; i += %d) weights[%d + i] = 0;", v.weights(), THREADS, v.weights());
        line("for (int i = thread; i < %d; i += %d) tiles[%d + i] = 0;", v.tile(), THREADS, 3 * v.tile());
        readTile("long ", "k", "kNext", "kKey", "0");
        storeTile("kNext", "kPut", false);
        line("int last = Math.max(count - 1, 0);");
        readTile("", "k", "kNext", "kKey", "Math.min(1, last)");
        readTile("long ", "v", "vNext", "vKey", "0");
        for (int m = 0; m < v.queries / 16; m++) {
            for (int n = 0; n < v.dims / 16; n++) line("float[] o%d%d = context.mmaFragment(nothing);", m, n);
        }
        for (int n = 0; n < v.queryBlocks(); n++) line("float l%d0 = 0f, l%d1 = 0f;", n, n);
    }

    private void loop() {
        line("");
        line("for (int t = 0; t < count; t++) {");
        barrier();
        tileHead();
        line("int even = 1 - (t & 1);");
        line("int kBuffer = (t & 1) * %d;", v.tile());
        line("int kOther = even * %d;", v.tile());
        line("int wBuffer = (t & 1) * %d;", v.weights());
        line("int wGot = 4 * even * %d + wGet;", v.weights());
        line("int vGot = 4 * (%d + kOther) + vGet;", 2 * v.tile());
        scores("4 * kBuffer + ");
        List<List<String>> products = products();
        int pieces = 4 * v.slots();
        int piece = 0;
        for (int half = 0; half < 2; half++) {
            expose(half);
            for (int i = 0; i < v.slots(); i++) {
                for (List<String> part : weightParts(half * v.slots() + i, i)) {
                    lines(part);
                    int from = piece * products.size() / pieces;
                    int to = (piece + 1) * products.size() / pieces;
                    for (int p = from; p < to; p++) lines(products.get(p));
                    piece++;
                }
            }
        }
        line("if (masked == 1) {");
        line("long infinite = 0;");
        for (int i = 0; i < v.reads(); i++) line("infinite = infinite | AttentionTiles.infinite(vNext%d);", i);
        line("if (infinite != 0) {");
        line("flags[1] = 1;");
        for (int i = 0; i < v.reads(); i++) line("vNext%d = AttentionTiles.finite(vNext%d);", i, i);
        line("}");
        line("}");
        line("int vStore = %d + kBuffer + vPut;", 2 * v.tile());
        storeTile("vNext", "vStore", true);
        line("int kStore = kOther + kPut;");
        storeTile("kNext", "kStore", false);
        readTile("", "k", "kNext", "kKey", "Math.min(t + 2, last)");
        readTile("", "v", "vNext", "vKey", "Math.min(t + 1, last)");
        line("}");
        barrier();
        line("int wGot = 4 * (count + 1 & 1) * %d + wGet;", v.weights());
        line("int vGot = 4 * (%d + (count + 1 & 1) * %d) + vGet;", 2 * v.tile(), v.tile());
        products().forEach(this::lines);
    }

    /// How the scores of a fragment become weights, in two parts, one for each of the lane's two queries.
    private List<List<String>> weightParts(int fragment, int slot) {
        int block = fragment / v.queryBlocks();
        int n = fragment % v.queryBlocks();
        List<List<String>> parts = new ArrayList<>();
        for (int e = 0; e < 2; e++) {
            List<String> part = new ArrayList<>();
            String name = fragment + "" + e;
            if (e == 0) {
                for (int each = 0; each < 2; each++) {
                    part.add("float shift%d%d = shifts[myRow%s];".formatted(fragment, each, plus(8 * n + each)));
                }
            }
            for (int half = 0; half < 2; half++) {
                part.add("float p%s%d = TornadoMath.exp(AttentionTiles.score(%s, scale, softcap) - shift%s);".formatted(name,
                        half, element(slot, 2 * half + e), name));
            }
            part.add("l%d%d += p%s0 + p%s1;".formatted(n, e, name, name));
            for (int half = 0; half < 2; half++) {
                part.add("int b%s%d = %s;".formatted(name, half, complement("p" + name + half)));
            }
            part.add("weights[wBuffer + wPut%d%s] = ~(b%s0 | b%s1 << 16);".formatted(e,
                    plus(n * v.keys / 16 * 64 + block * 64), name, name));
            parts.add(part);
        }
        return parts;
    }

    /// The complement of a number as BF16: TornadoVM takes what is computed from its 16 bits alone for 16 bits, but not a
    /// difference that begins with an int.
    private static String complement(String value) {
        return "65535 - BFloat16.bf16FromFloat(%s)".formatted(value);
    }

    /// The products of weights and values, those that share an operand together.
    private List<List<String>> products() {
        List<List<String>> products = new ArrayList<>();
        int down = v.queries / 16;
        for (int s = 0; s < v.keys / 16; s++) {
            for (int n = 0; n < v.dims / 16; n++) {
                List<String> group = new ArrayList<>();
                if (n == 0) {
                    for (int m = 0; m < down; m++) {
                        group.add("HalfFloat[] w%d%d = context.mmaLoadA(weights, 16, wGot%s);".formatted(m, s,
                                plus(m * v.keys * 32 + s * 256)));
                    }
                }
                group.add("HalfFloat[] v%d%d = context.mmaLoadB(tiles, 16, vGot%s);".formatted(s, n,
                        plus(s * 16 * v.stride() * 4 + n * 16)));
                for (int m = 0; m < down; m++) {
                    group.add("o%d%d = context.mmaBF16(w%d%d, v%d%d, o%d%d, MMAShape.M16N8K16);".formatted(m, n, m, s, s, n,
                            m, n));
                }
                products.add(group);
            }
        }
        return products;
    }

    private void results() {
        int stride = v.stride();
        line("");
        line("// Sums of weights, then o through local memory, so that rows are written as a whole.");
        perRow("l");
        barrier();
        line("if (thread < %d) {", v.rows());
        line("float total = 0f;");
        line("for (int i = 0; i < 16; i++) total += scratch[thread * 16 + i];");
        line("int query = top + thread;");
        line("if (query < queries) {");
        line("lse.set(table.get(slot + 1) + head * queries + query, shifts[thread] + TornadoMath.log(total));");
        line("}");
        line("shifts[thread] = bounds[2 * thread] < bounds[2 * thread + 1] ? 1f / total : 0f;");
        line("}");
        barrier();
        line("int atRow = warpQueries * %d + (lane >> 2 & 7);", v.queries);
        line("int oPut = atRow * %d + warpKeys * %d + (lane & 3);", stride, v.dims / 4);
        int i = 0;
        for (int m = 0; m < v.queries / 16; m++) {
            for (int half = 0; half < 2; half++) {
                line("float factor%d%d = shifts[atRow%s];", m, half, plus(16 * m + 8 * half));
            }
            for (int n = 0; n < v.dims / 16; n++) {
                int slot = i++ % v.slots();
                line("context.mmaStore(o%d%d, fragments, 0, slots%s, 8);", m, n, plus(slot * FRAGMENT));
                for (int half = 0; half < 2; half++) {
                    String factor = " * factor" + m + half;
                    line("int o%d%d%d = %s & 0xffff;", m, n, 2 * half, complement(element(slot, 2 * half) + factor));
                    line("int o%d%d%d = %s;", m, n, 2 * half + 1, complement(element(slot, 2 * half + 1) + factor));
                    line("tiles[oPut%s] = ~(o%d%d%d | o%d%d%d << 16);", plus((16 * m + 8 * half) * stride + 4 * n), m, n,
                            2 * half, m, n, 2 * half + 1);
                }
            }
        }
        barrier();
        line("int atO = table.get(slot) / 4 + head * %d + column;", v.longs());
        line("for (int r = row; r < %d; r += %d) {", v.rows(), v.rowsAtOnce());
        line("long four = AttentionTiles.four(tiles[r * %d + column * 2], tiles[r * %d + column * 2 + 1]);", stride, stride);
        line("if (flags[1] == 1) {");
        line("four = AttentionTiles.withInfinite(four, v, atV, kvStride, bounds[2 * r], bounds[2 * r + 1]);");
        line("}");
        line("if (top + r < queries) o.set(atO + (top + r) * qStride, four);");
        line("}");
        line("}");
        line("}");
    }
}
