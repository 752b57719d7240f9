package dev.gale.kernels.mma;

import java.io.IOException;
import java.util.List;

/// Writes the kernels that make attention's gradients on the matrix unit, one class each, for the reasons that
/// `MmaGenerator` gives. `main` rewrites the sources; a test checks that they are what this writes.
///
/// A work-group keeps some rows, keys or queries, and streams tiles of the others. Half of its warps are scorers: they make
/// the scores of their rows and from them p; the other half, their partners, make `dO vᵀ` of the same rows and, with p from
/// local memory, ds. So a warp has the operands of one product in its registers, and half of the sums of a row.
///
/// Helpers never get a parameter of a kernel as it is: TornadoVM 5.2.0 looks at how callees use those in a field that its
/// threads share, and now and then takes one callee's for another's.
public final class AttentionGradientGenerator extends KernelSource {
    /// Rows of a streamed tile: the lanes of a warp, and `AttentionKernels.BLOCK`.
    private static final int TILE = 32;

    /// When a tile is read.
    private enum Reads {
        /// While the one before is worked on.
        AHEAD,
        /// When it is needed. Addresses are computed each time, too: this takes the fewest registers.
        LATE
    }

    /// One kernel.
    ///
    /// @param ofKeys   whether it makes dk and dv rather than dq
    /// @param dims     width of a head
    /// @param warpRows that a warp keeps, a multiple of 16
    /// @param pairs    of a scorer and its partner in a work-group
    record Variant(String name, boolean ofKeys, int dims, int warpRows, int pairs, Reads reads) {
        int threads() {
            return pairs * 64;
        }

        /// Rows that a work-group keeps.
        int rows() {
            return pairs * warpRows;
        }

        String method() {
            return Character.toLowerCase(name.charAt(0)) + name.substring(1);
        }

        /// Columns of the sums of a warp.
        int cols() {
            return ofKeys ? dims : dims / 2;
        }

        /// Bytes from row to row of a tile: 16 more than it has, so that eight rows lie in different banks.
        int stride() {
            return 2 * dims + 16;
        }

        /// Columns of the piece of 16 rows that each warp has room for in the tiles.
        int pieceCols() {
            return pairs * 2 * 16 * (2 * 64 + 16) <= 2 * TILE * stride() ? 64 : 32;
        }

        int pieceStride() {
            return 2 * pieceCols() + 16;
        }

        /// Ints of the weights of a warp.
        int weightInts() {
            return warpRows * TILE / 2;
        }

        int localBytes() {
            int bounds = ofKeys ? 2 * TILE : 2 * rows();
            return 2 * TILE * stride() + 2 * pairs * weightInts() * 4 + (2 * pairs * warpRows * TILE + 4) * 4 + 2 * TILE * 4
                    + bounds * 4;
        }
    }

    /// Every kernel there is.
    static final List<Variant> VARIANTS = List.of(
            new Variant("AttentionDkDv128", true, 128, 32, 2, Reads.LATE),
            new Variant("AttentionDkDv64", true, 64, 32, 2, Reads.AHEAD),
            new Variant("AttentionDq128", false, 128, 32, 2, Reads.AHEAD),
            new Variant("AttentionDq64", false, 64, 32, 2, Reads.LATE));

    private final Variant v;

    private AttentionGradientGenerator(Variant variant) {
        v = variant;
    }

    /// @param args the folder of the package's sources, from the root of the project if none is given
    public static void main(String[] args) throws IOException {
        write(args, VARIANTS, Variant::name, AttentionGradientGenerator::source);
    }

    /// The source of a kernel's class.
    static String source(Variant variant) {
        AttentionGradientGenerator generator = new AttentionGradientGenerator(variant);
        generator.head();
        generator.setUp();
        generator.places();
        generator.keptRows();
        generator.sums();
        generator.loop();
        generator.results();
        return generator.text();
    }

    private int down() {
        return v.warpRows / 16;
    }

    private String streamed() {
        return v.ofKeys ? "queries" : "keys";
    }

    private String kept() {
        return v.ofKeys ? "keys" : "queries";
    }

    private void head() {
        line("package dev.gale.kernels.mma;");
        line("");
        line("import uk.ac.manchester.tornado.api.KernelContext;");
        line("import uk.ac.manchester.tornado.api.enums.MMAShape;");
        line("import uk.ac.manchester.tornado.api.math.TornadoMath;");
        for (String name : List.of("HalfFloat", "arrays.FloatArray", "arrays.IntArray", "arrays.LongArray")) {
            line("import uk.ac.manchester.tornado.api.types.%s;", name);
        }
        line("");
        line("/// Written by `AttentionGradientGenerator`: change that, not this. %d %s a work-group, %d a pair of warps.",
                v.rows(), kept(), v.warpRows);
        line("public final class %s {", v.name);
        line("private %s() {}", v.name);
        line("");
        if (v.ofKeys) {
            line("/// `dk = scale dsᵀ q`, `dv = pᵀ dO` on the matrix unit, summed over a key head's query heads; p and ds");
        } else {
            line("/// `dq = scale ds k` on the matrix unit; p and ds");
        }
        line("/// as in `AttentionGradientKernels.attentionGradient`.");
        line("/// Shapes: q, dO%s BF16 `[queries, heads * %d]`, k, v%s BF16 `[keys, kvHeads * %d]`;", v.ofKeys ? "" : ", dq",
                v.dims, v.ofKeys ? ", dk, dv" : "", v.dims);
        line("/// those that are read are seen as longs of four elements, those that are written as ints of two; stats from");
        line("/// `attentionDelta`, ranges from `attentionRanges`. Operands in the table: %s, q, k, v, dO, stats, ranges.",
                v.ofKeys ? "dk, dv" : "dq");
        line("/// Launch: `ceil(%s / %d) * %s` groups of %d threads; %.1f KB of local memory.", kept(), v.rows(), v.ofKeys
                ? "kvHeads" : "heads", v.threads(), v.localBytes() / 1024.0);
        line("/// Numerics: p and ds round to BF16; the matrix unit's F32 sums, 16 %s at a time%s. A NaN may reach",
                streamed(), v.ofKeys ? ", head by head" : "");
        line("/// all that shares its tile of %d %s and %d %s. Writes: `=`.", v.rows(), kept(), TILE, streamed());
        line("/// Source: Dao et al. 2022, arXiv 2205.14135.");
        line("public static void %s(KernelContext context, IntArray table, int slot, %s,", v.method(),
                v.ofKeys ? "IntArray dk, IntArray dv" : "IntArray dq");
        line("        LongArray q, LongArray k, LongArray v, LongArray dO, FloatArray stats, IntArray ranges, int heads,");
        line("        int kvHeads, int queries, int keys, float scale, float softcap) {");
    }

    private void setUp() {
        int outs = v.ofKeys ? 2 : 1;
        line("int[] tiles = context.allocateIntLocalArray(%d);", 2 * TILE * v.stride() / 4);
        line("int[] weights = context.allocateIntLocalArray(%d);", 2 * v.pairs * v.weightInts());
        line("float[] values = context.allocateFloatLocalArray(%d);", 2 * v.pairs * v.warpRows * TILE + 4);
        line("FloatArray target = (FloatArray) (Object) values;      // its element i is values[i + 4]");
        if (v.ofKeys) line("float[] marks = context.allocateFloatLocalArray(%d);", 2 * TILE);
        line("int[] bounds = context.allocateIntLocalArray(%d);", v.ofKeys ? 2 * TILE : 2 * v.rows());
        line("float[] pin = new float[1];                  // keeps reads where they stand: see Reduce");
        line("pin[0] = 0f;");
        line("float zero = pin[0];");
        line("int thread = context.localIdx;");
        line("int place = context.groupIdx;");
        line("int none = thread >> 10;                     // two zeros that TornadoVM does not know: see GradientTiles.pair");
        line("int nil = thread >> 11;");
        line("int lane = thread & 31;");
        line("int pair = thread >> 5 & %d;", v.pairs - 1);
        line("int partner = thread >> %d & 1;               // 0: makes scores and p, 1: makes ds", 5 + log(v.pairs));
        line("int warp = partner * %d + pair;", v.pairs);
        line("int column = (lane & 3) * 2;                 // of a lane's first element in a piece of 16 x 8, and its row");
        line("int row = pair * %d + (lane >> 2 & 7);", v.warpRows);
        line("int width = heads * %d;                       // longs of a row", v.dims / 4);
        line("int kvWidth = kvHeads * %d;", v.dims / 4);
        line("int shared = heads / kvHeads;");
        line("float cap = TornadoMath.max(softcap, 1e-9f);");
        line("int atStats = table.get(slot + %d);", outs + 4);
        line("int atRanges = table.get(slot + %d);", outs + 5);
        line("");
        line("// The rows that this work-group keeps, and what sees them or is seen by them.");
        if (v.ofKeys) {
            line("int kvHead = place %% kvHeads;");
            line("int top = place / kvHeads * %d;", v.rows());
            line("int atBlocks = atRanges + 2 * queries + 2 * ((queries + 31) / 32);");
        } else {
            line("int head = place %% heads;");
            line("int kvHead = head / shared;");
            line("int top = ((queries + %d) / %d - 1 - place / heads) * %d;", v.rows() - 1, v.rows(), v.rows());
            line("int atBlocks = atRanges + 2 * queries;");
        }
        line("int begin = %s;", streamed());
        line("int end = 0;");
        line("for (int b = top / 32; b < Math.min(top / 32 + %d, (%s + 31) / 32); b++) {", v.rows() / 32, kept());
        line("int blockEnd = ranges.get(atBlocks + 2 * b + 1);");
        line("begin = blockEnd > 0 ? Math.min(begin, ranges.get(atBlocks + 2 * b)) : begin;");
        line("end = Math.max(end, blockEnd);");
        line("}");
        line("int perHead = (Math.max(end - begin, 0) + %d) / %d;", TILE - 1, TILE);
        line("int steps = perHead%s;", v.ofKeys ? " * shared" : "");
    }

    private int rowsAtOnce() {
        return v.threads() / (v.dims / 4);
    }

    /// Where a thread's share of tiles stands in local memory, and from where a lane's registers are loaded: byte offsets,
    /// less those that the loads add by themselves.
    private void places() {
        int stride = v.stride();
        int loadA = 32;
        int loadB = 16;
        line("");
        line("// Where things stand in local memory, and where the lane's registers of the matrix unit come from: byte");
        line("// offsets, less those that the loads add by themselves.");
        line("int put = (thread >> %d & %d) * %d + (thread & %d) * 2;", log(v.dims / 4), rowsAtOnce() - 1, stride / 4,
                v.dims / 4 - 1);
        line("int fixed = (lane & 15) * %d + (lane >> 4 & 1) * 16;", loadA);
        line("int get = partner * %d + (lane & 7) * %d + (lane >> 3 & 1) * 16 - fixed;", TILE * stride, stride);
        if (v.ofKeys) {
            line("int getOther = (1 - partner) * %d + (lane & 15) * %d;", TILE * stride, stride - loadB);
        } else {
            line("int getOther = partner * %d + (lane & 15) * %d;", v.dims, stride - loadB);
        }
        line("int own = warp * %d + %d + lane * 2;", v.warpRows * TILE, 4);
        line("int ownTarget = warp * %d;", v.warpRows * TILE);
        line("int pPut = pair * %d + lane;", v.weightInts());
        line("int dsPut = pPut + %d;", v.pairs * v.weightInts());
        line("int weightGet = %s * %d + lane * 16 - fixed;", v.ofKeys ? "warp" : "(pair + %d)".formatted(v.pairs),
                v.weightInts() * 4);
    }

    /// Rows of k and v, or of q and dO, as the left operands of products: piece by piece through local memory.
    private void keptRows() {
        int longs = v.pieceCols() / 4;
        int atOnce = 32 / longs;
        String width = v.ofKeys ? "kvWidth" : "width";
        String scored = v.ofKeys ? "k" : "q";
        String other = v.ofKeys ? "v" : "dO";
        int outs = v.ofKeys ? 2 : 1;
        line("");
        line("// The rows that this warp keeps.");
        line("int lastKept = %s - 1;", kept());
        line("int keptRow = top + pair * %d + (lane >> %d & %d);", v.warpRows, log(longs), atOnce - 1);
        line("int keptAt = table.get(slot + %s) / 4 + %s * %d + (lane & %d);", v.ofKeys ? outs + 1 + " + partner"
                : outs + " + 3 * partner", v.ofKeys ? "kvHead" : "head", v.dims / 4, longs - 1);
        line("int keptPut = warp * %d + (lane >> %d & %d) * %d + (lane & %d) * 2;", 16 * v.pieceStride() / 4, log(longs),
                atOnce - 1, v.pieceStride() / 4, longs - 1);
        line("int keptGet = warp * %d + (lane & 15) * %d;", 16 * v.pieceStride(), v.pieceStride() - 32);
        for (int m = 0; m < down(); m++) {
            for (int piece = 0; piece < v.dims / v.pieceCols(); piece++) {
                keptPiece(m, piece, longs, atOnce, width, scored, other);
            }
        }
        if (v.ofKeys) return;
        line("");
        line("// What this warp's rows see, and their marks: lse for scores, delta for their partners.");
        line("if (thread < %d) {", v.rows());
        line("bounds[thread] = top + thread < queries ? ranges.get(atRanges + top + thread) : 0;");
        line("bounds[%d + thread] = top + thread < queries ? ranges.get(atRanges + queries + top + thread) : keys;", v.rows());
        line("}");
        line("context.localBarrier();");
        line("int latestStart = 0;");
        line("int earliestStop = keys;");
        line("for (int r = 0; r < %d; r++) {", v.warpRows);
        line("latestStart = Math.max(latestStart, bounds[pair * %d + r]);", v.warpRows);
        line("earliestStop = Math.min(earliestStop, bounds[%d + pair * %d + r]);", v.rows(), v.warpRows);
        line("}");
        line("int atMarks = atStats + (partner * heads + head) * queries;");
        for (int r = 0; r < v.warpRows / 8; r++) {
            line("float mark%d = GradientTiles.finite(stats.get(atMarks + Math.min(top + row%s, lastKept)));", r, plus(8 * r));
        }
    }

    private void keptPiece(int m, int piece, int longs, int atOnce, String width, String scored, String other) {
        int loads = 16 / atOnce;
        line("context.localBarrier();");
        for (int i = 0; i < loads; i++) line("long kept%d%d%d;", m, piece, i);
        for (String operand : new String[] {scored, other}) {
            line(operand.equals(scored) ? "if (partner == 0) {" : "} else {");
            for (int i = 0; i < loads; i++) {
                line("kept%d%d%d = %s.get(keptAt + Math.min(keptRow%s, lastKept) * %s%s);", m, piece, i, operand,
                        plus(16 * m + i * atOnce), width, plus(piece * longs));
            }
        }
        line("}");
        for (int i = 0; i < loads; i++) {
            putLong("keptPut", i * atOnce * v.pieceStride() / 4, "kept%d%d%d".formatted(m, piece, i));
        }
        line("context.localBarrier();");
        for (int s = 0; s < v.pieceCols() / 16; s++) {
            line("HalfFloat[] x%d_%d = context.mmaLoadA(tiles, 16, keptGet%s);", m, piece * v.pieceCols() / 16 + s,
                    plus(32 * s));
        }
    }

    private void putLong(String at, int distance, String value) {
        line("tiles[%s%s] = (int) %s;", at, plus(distance), value);
        line("tiles[%s%s] = (int) (%s >>> 32);", at, plus(distance + 1), value);
    }

    private void sums() {
        line("");
        for (int m = 0; m < down(); m++) {
            for (int n = 0; n < v.cols() / 8; n++) line("float[] s%d_%d = context.mmaFragment(zero);", m, n);
        }
    }

    // ---- the loop over tiles ----

    private int tileLongs() {
        return TILE / rowsAtOnce();
    }

    private void read(String step, boolean declare) {
        String ofInt = declare ? "int " : "";
        String ofLong = declare ? "long " : "";
        if (v.ofKeys) {
            line("%shead = kvHead * shared + %s / Math.max(perHead, 1);", ofInt, step);
            line("%sfirst = begin + %s %% Math.max(perHead, 1) * %d;", ofInt, step, TILE);
        } else {
            line("%sfirst = begin + %s * %d;", ofInt, step, TILE);
        }
        String width = v.ofKeys ? "width" : "kvWidth";
        line("%sstreamRow = Math.min(first + (thread >> %d & %d), %s - 1);", ofInt, log(v.dims / 4), rowsAtOnce() - 1,
                streamed());
        line("%sroom = %s - 1 - streamRow;", ofInt, streamed());
        line("%sindex = streamRow * %s + %s * %d + (thread & %d);", ofInt, width, v.ofKeys ? "head" : "kvHead", v.dims / 4,
                v.dims / 4 - 1);
        readOne(0, ofLong);
        readOne(1, ofLong);
        if (!v.ofKeys) return;
        line("%squery = Math.min(first + lane, queries - 1);", ofInt);
        line("%sodd = thread >> 5 & 1;", ofInt);
        line("%snextMark = GradientTiles.finite(stats.get(atStats + (odd * heads + head) * queries + query));",
                declare ? "float " : "");
        line("%snextBound = first + lane < queries ? ranges.get(atRanges + odd * queries + query) : 0;", ofInt);
    }

    private String streamed(int operand) {
        if (v.ofKeys) return operand == 0 ? "q" : "dO";
        return operand == 0 ? "k" : "v";
    }

    private String still() {
        return v.reads == Reads.LATE ? " + still" : "";
    }

    private void readOne(int operand, String ofLong) {
        for (int i = 0; i < tileLongs(); i++) {
            String at = i == 0 ? "" : " + Math.min(%d, room) * %s".formatted(i * rowsAtOnce(), v.ofKeys ? "width" : "kvWidth");
            line("%snext%d%d = %s.get(%sAt + index%s);", ofLong, operand, i, streamed(operand), streamed(operand), at);
        }
    }

    private void putOne(int operand) {
        int longRows = rowsAtOnce() * v.stride() / 4;
        for (int i = 0; i < tileLongs(); i++) {
            putLong("put", operand * TILE * v.stride() / 4 + i * longRows, "next%d%d".formatted(operand, i));
        }
    }

    private void loop() {
        int outs = v.ofKeys ? 2 : 1;
        int[] slots = v.ofKeys ? new int[] {outs, outs + 3} : new int[] {outs + 1, outs + 2};
        line("");
        for (int o = 0; o < 2; o++) line("int %sAt = table.get(slot + %d) / 4;", streamed(o), slots[o]);
        if (v.reads == Reads.AHEAD) read("0", true);
        line("for (int step = 0; step < steps; step++) {");
        if (v.reads == Reads.LATE) {
            line("int still = step >> 30 & 1;                  // 0, unknown to compilers: addresses do not stay in registers");
            read("step", true);
        }
        line("context.localBarrier();");
        putOne(0);
        putOne(1);
        if (v.ofKeys) {
            line("if (thread < %d) {", 2 * TILE);
            line("marks[thread] = nextMark;");
            line("bounds[thread] = nextBound;");
            line("}");
        } else {
            line("int tile = begin + step * %d;", TILE);
        }
        if (v.reads == Reads.AHEAD) {
            line("int next = Math.min(step + 1, steps - 1);");
            read("next", false);
        }
        line("context.localBarrier();");
        scores();
        line("");
        if (v.ofKeys) {
            line("int low = bounds[lane] <= top + pair * %d ? 1 : 0;", v.warpRows);
            line("int high = bounds[%d + lane] >= Math.min(top + %d + pair * %d, keys) ? 1 : 0;", TILE, v.warpRows, v.warpRows);
            line("float seen = context.simdSum((float) (low * high));");
            line("int whole = seen == 32f ? 1 : 0;");
        } else {
            line("int whole = tile >= latestStart ? tile + %d <= earliestStop ? 1 : 0 : 0;", TILE);
        }
        line("if (partner == 0) {");
        mask();
        weights();
        line("}");
        line("context.localBarrier();");
        line("if (partner == 1) {");
        gradients();
        line("}");
        if (!v.ofKeys) line("context.localBarrier();");
        multiply();
        line("}");
    }

    /// Products of the kept rows with those of the tile, 16 of it at a time.
    private void scores() {
        for (int n = 0; n < TILE / 8; n += 2) {
            for (int m = 0; m < down(); m++) {
                for (int j = n; j < n + 2; j++) line("float[] t%d_%d = context.mmaFragment(zero);", m, j);
            }
            for (int s = 0; s < v.dims / 16; s++) {
                for (int j = n; j < n + 2; j++) {
                    line("HalfFloat[] y%d_%d = context.mmaLoadA(tiles, 16, get%s%s);", s, j, still(),
                            plus(j * 8 * v.stride() + s * 32));
                }
                for (int m = 0; m < down(); m++) {
                    for (int c = 0; c < 2; c++) {
                        int j = m % 2 == 0 ? n + c : n + 1 - c;
                        line("t%d_%d = context.mmaBF16(x%d_%d, y%d_%d, t%d_%d, MMAShape.M16N8K16);", m, j, m, s, s, j, m, j);
                    }
                }
            }
            for (int m = 0; m < down(); m++) {
                for (int j = n; j < n + 2; j++) {
                    line("context.mmaStore(t%d_%d, target, 0, ownTarget%s, 8);", m, j, plus(piece(m, j)));
                }
            }
        }
    }

    /// Where a piece of 16 x 8 begins among the values of a warp.
    private static int piece(int m, int n) {
        return (m * (TILE / 8) + n) * 128;
    }

    /// Where the pair of weights of a lane stands in the pieces of 16 x 16 that are left operands, as `mmaLoadA` wants them.
    private static int weight(int m, int n, int h) {
        return (m * (TILE / 16) + n / 2) * 128 + ((n & 1) * 2 + h) * 32;
    }

    private void mask() {
        line("if (whole == 0) {");
        if (v.ofKeys) line("int key = top + row;");
        else line("int key = tile + column;");
        for (int n = 0; n < TILE / 8; n++) {
            if (v.ofKeys) {
                for (int e = 0; e < 2; e++) {
                    line("int start%d%d = bounds[column%s];", n, e, plus(8 * n + e));
                    line("int stop%d%d = bounds[column%s];", n, e, plus(TILE + 8 * n + e));
                }
            }
        }
        for (int m = 0; m < down(); m++) {
            for (int h = 0; h < 2; h++) {
                int r = 2 * m + h;
                if (!v.ofKeys) {
                    line("int start%d = bounds[row%s];", r, plus(8 * r));
                    line("int stop%d = bounds[row%s];", r, plus(v.rows() + 8 * r));
                }
                for (int n = 0; n < TILE / 8; n++) {
                    for (int e = 0; e < 2; e++) {
                        String key = "key" + plus(v.ofKeys ? 8 * r : 8 * n + e);
                        String of = v.ofKeys ? "" + n + e : "" + r;
                        String at = "own" + plus(piece(m, n) + 64 * h + e);
                        line("if (%s < start%s) values[%s] = GradientTiles.UNSEEN;", key, of, at);
                        line("if (%s >= stop%s) values[%s] = GradientTiles.UNSEEN;", key, of, at);
                    }
                }
            }
        }
        line("}");
    }

    private String mark(int n, int r, int e) {
        return v.ofKeys ? "mark%d%d".formatted(n, e) : "mark" + r;
    }

    private void marks(int n, int from) {
        if (!v.ofKeys) return;
        for (int e = 0; e < 2; e++) line("float mark%d%d = marks[column%s];", n, e, plus(from + 8 * n + e));
    }

    private void weights() {
        for (int n = 0; n < TILE / 8; n++) {
            marks(n, 0);
            for (int m = 0; m < down(); m++) {
                for (int h = 0; h < 2; h++) {
                    String id = "%d%d%d".formatted(m, n, h);
                    for (int e = 0; e < 2; e++) {
                        line("float score%s%d = values[own%s] * scale;", id, e, plus(piece(m, n) + 64 * h + e));
                        line("float p%s%d = TornadoMath.exp(score%s%d - %s);", id, e, id, e, mark(n, 2 * m + h, e));
                    }
                    line("if (softcap > 0f) {");
                    for (int e = 0; e < 2; e++) {
                        line("float bend%s%d = TornadoMath.tanh(score%s%d / cap);", id, e, id, e);
                        line("p%s%d = GradientTiles.seen(score%s%d, TornadoMath.exp(cap * bend%s%d - %s));", id, e, id, e,
                                id, e, mark(n, 2 * m + h, e));
                        line("float bent%s%d = p%s%d * (1f - bend%s%d * bend%s%d);", id, e, id, e, id, e, id, e);
                    }
                    line("weights[dsPut%s] = GradientTiles.pair(bent%s0, bent%s1, none, nil);", plus(weight(m, n, h)), id, id);
                    line("}");
                    line("weights[pPut%s] = GradientTiles.pair(p%s0, p%s1, none, nil);", plus(weight(m, n, h)), id, id);
                }
            }
        }
    }

    private void gradients() {
        line("int weightAt = softcap > 0f ? dsPut : pPut;");
        for (int n = 0; n < TILE / 8; n++) {
            marks(n, TILE);
            for (int m = 0; m < down(); m++) {
                for (int h = 0; h < 2; h++) {
                    String id = "%d%d%d".formatted(m, n, h);
                    line("int both%s = weights[weightAt%s];", id, plus(weight(m, n, h)));
                    for (int e = 0; e < 2; e++) {
                        line("float ds%s%d = GradientTiles.gradient(GradientTiles.%s(both%s), values[own%s], %s);", id, e,
                                e == 0 ? "low" : "high", id, plus(piece(m, n) + 64 * h + e), mark(n, 2 * m + h, e));
                    }
                    line("weights[dsPut%s] = GradientTiles.pair(ds%s0, ds%s1, none, nil);", plus(weight(m, n, h)), id, id);
                }
            }
        }
    }

    private void multiply() {
        for (int s = 0; s < TILE / 16; s++) {
            for (int m = 0; m < down(); m++) {
                line("HalfFloat[] w%d_%d = context.mmaLoadA(weights, 16, weightGet%s);", m, s,
                        plus((m * (TILE / 16) + s) * 512));
            }
            for (int n = 0; n < v.cols() / 8; n++) {
                line("HalfFloat[] z%d_%d = context.mmaLoadB(tiles, 16, getOther%s%s);", s, n, still(),
                        plus(s * 16 * v.stride() + n * 16));
                for (int m = 0; m < down(); m++) {
                    line("s%d_%d = context.mmaBF16(w%d_%d, z%d_%d, s%d_%d, MMAShape.M16N8K16);", m, n, m, s, s, n, m, n);
                }
            }
        }
    }

    private void results() {
        line("");
        if (v.ofKeys) {
            line("float factor = partner == 0 ? 1f : scale;");
            line("int out = table.get(slot + 1 - partner) / 2 + kvHead * %d + (lane & 3);", v.dims / 2);
            line("int outWidth = 2 * kvWidth;");
        } else {
            line("int out = table.get(slot) / 2 + head * %d + partner * %d + (lane & 3);", v.dims / 2, v.dims / 4);
            line("int outWidth = 2 * width;");
        }
        int pieces = v.warpRows * TILE / 128;
        for (int m = 0; m < down(); m++) {
            for (int n = 0; n < v.cols() / 8; n++) {
                int from = (m * v.cols() / 8 + n) % pieces * 128;
                line("context.mmaStore(s%d_%d, target, 0, ownTarget%s, 8);", m, n, plus(from));
                for (int h = 0; h < 2; h++) {
                    String factor = v.ofKeys ? "factor" : "scale";
                    line("int both%d_%d_%d = GradientTiles.pair(values[own%s] * %s, values[own%s] * %s, none, nil);", m, n, h,
                            plus(from + 64 * h), factor, plus(from + 64 * h + 1), factor);
                    String at = "out + (top + row%s) * outWidth%s, both%d_%d_%d".formatted(plus(16 * m + 8 * h), plus(4 * n),
                            m, n, h);
                    line("if (top + row%s < %s) {", plus(16 * m + 8 * h), kept());
                    if (v.ofKeys) {
                        line("if (partner == 0) dv.set(%s);", at);
                        line("else dk.set(%s);", at);
                    } else {
                        line("dq.set(%s);", at);
                    }
                    line("}");
                }
            }
        }
        line("}");
        line("}");
    }
}
