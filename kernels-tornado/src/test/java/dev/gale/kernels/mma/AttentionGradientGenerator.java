package dev.gale.kernels.mma;

import java.io.IOException;
import java.util.List;

/// Writes the kernels of attention's gradients in which a warp works alone: it keeps 16 rows, keys or queries, and makes
/// the scores, `dO vᵀ`, p, ds and its sums from tiles of the others, which its work-group streams. For the reasons that
/// `MmaGenerator` gives these are written out; `main` rewrites the sources, and a test checks that they are what this writes.
///
/// Streamed rows are the left operand of the first products and kept rows the right one, which takes the fewest loads from
/// local memory. A lane then has, of a piece of 16 x 8, the rows g = lane / 4 and g + 8 in two columns. What it packs of one
/// column, the two rows side by side, is a pair of terms of the second products: their left operand has kept rows, and their
/// term 2 g belongs to streamed row g, 2 g + 1 to g + 8.
///
/// Elements of fragments stay in registers. `mmaStore` writes them to a private array at places that CUDA's compiler finds to
/// be constants: the row and the column that it is given cancel those of the lane. So that TornadoVM 5.2.0 lets the private
/// array pass for a `FloatArray`, it must not see before it drops the checks of casts that nothing else is ever cast. It
/// sees that late if that follows from the bounds of the loop's counter and one of the kernel's constants. The same way numbers
/// that are computed become their bits: in an array of ints.
///
/// Helpers never get a parameter of a kernel as it is: TornadoVM 5.2.0 looks at how callees use those in a field that its
/// threads share, and now and then takes one callee's for another's.
public final class AttentionGradientGenerator extends KernelSource {
    /// Rows of a streamed tile: the lanes of a warp, and `AttentionKernels.BLOCK`.
    private static final int TILE = 32;
    /// Rows that a warp keeps.
    private static final int KEPT = 16;
    /// Bytes from row to row of packed weights, an odd number of 16, so that eight rows lie in different banks.
    private static final int WEIGHT_STRIDE = 48;
    /// Ints of the packed weights of 16 x 16 pairs.
    private static final int WEIGHTS = 16 * WEIGHT_STRIDE / 4;
    /// Pairs of tiles that are kept: what is worked on and what comes next.
    private static final int SIDES = 2;
    /// More steps than any loop has.
    private static final int FOREVER = 1 << 24;

    /// What a step is, and what follows what in it.
    enum Order {
        /// A tile: first products of both halves, then weights and sums of each.
        TILES,
        /// Half a tile: first products, weights, sums.
        HALVES
    }

    /// One kernel.
    ///
    /// @param ofKeys whether it makes dk and dv rather than dq
    /// @param dims   width of a head
    /// @param warps  of a work-group
    record Variant(String name, boolean ofKeys, int dims, int warps, Order order) {
        int threads() {
            return warps * 32;
        }

        /// Rows that a work-group keeps.
        int rows() {
            return warps * KEPT;
        }

        String method() {
            return Character.toLowerCase(name.charAt(0)) + name.substring(1);
        }

        /// Bytes from row to row of a tile: 16 more than it has, so that eight rows lie in different banks.
        int stride() {
            return 2 * dims + 16;
        }

        /// Bytes of the tile of one operand.
        int tileBytes() {
            return at(TILE);
        }

        /// Where a row of a tile begins. 64 bytes after every eight rows bring row g + 8 into other banks than those near
        /// row g.
        int at(int row) {
            return row * stride() + row / 8 * 64;
        }

        /// Halves of a tile in a step.
        int halves() {
            return order == Order.TILES ? 2 : 1;
        }

        /// Matrices of weights: p and ds, or ds.
        int kinds() {
            return ofKeys ? 2 : 1;
        }

        int tilesInts() {
            return Math.max(SIDES * 2 * tileBytes(), rows() * stride()) / 4;
        }

        int weightInts() {
            return warps * halves() * kinds() * WEIGHTS;
        }

        int localBytes() {
            int marks = ofKeys ? SIDES * 4 * TILE : 2 * rows();
            return (tilesInts() + weightInts() + warps * 256 + 4 + marks) * 4;
        }
    }

    /// Every kernel there is.
    static final List<Variant> VARIANTS = List.of(
            new Variant("AttentionDkDv64", true, 64, 4, Order.TILES),
            new Variant("AttentionDq64", false, 64, 4, Order.HALVES),
            new Variant("AttentionDkDv128", true, 128, 4, Order.HALVES),
            new Variant("AttentionDq128", false, 128, 4, Order.HALVES));

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
        generator.firstTile();
        generator.loop();
        generator.results();
        return generator.text();
    }

    private String streamed() {
        return v.ofKeys ? "queries" : "keys";
    }

    private String kept() {
        return v.ofKeys ? "keys" : "queries";
    }

    /// Operands of the first products, and of the second ones.
    private String streamed(int operand) {
        if (v.ofKeys) return operand == 0 ? "q" : "dO";
        return operand == 0 ? "k" : "v";
    }

    private String kept(int operand) {
        if (v.ofKeys) return operand == 0 ? "k" : "v";
        return operand == 0 ? "q" : "dO";
    }

    /// Where an operand's offset stands in the table.
    private int slot(String operand) {
        return v.kinds() + List.of("q", "k", "v", "dO", "stats", "ranges").indexOf(operand);
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
        line("/// Written by `AttentionGradientGenerator`: change that, not this. "
                + "%d %s a work-group, %d a warp.", v.rows(), kept(), KEPT);
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
        line("/// Numerics: p and ds round to BF16; the matrix unit's F32 sums, 16 %s at a time%s. A NaN may reach", streamed(),
                v.ofKeys ? ", head by head" : "");
        line("/// all that shares its tile of %d %s and %d %s, and so may what exceeds 1e33. Writes: `=`.", KEPT, kept(), TILE,
                streamed());
        line("/// Source: Dao et al. 2022, arXiv 2205.14135.");
        line("public static void %s(KernelContext context, IntArray table, int slot, %s,", v.method(),
                v.ofKeys ? "IntArray dk, IntArray dv" : "IntArray dq");
        line("        LongArray q, LongArray k, LongArray v, LongArray dO, FloatArray stats, IntArray ranges, int heads,");
        line("        int kvHeads, int queries, int keys, float scale, float softcap) {");
    }

    private void setUp() {
        line("int[] tiles = context.allocateIntLocalArray(%d);", v.tilesInts());
        line("int[] weights = context.allocateIntLocalArray(%d);", v.weightInts());
        line("float[] values = context.allocateFloatLocalArray(%d);", v.warps * 256 + 4);
        line("FloatArray target = (FloatArray) (Object) values;      // its element i is values[i + 4]");
        if (v.ofKeys) line("float[] marks = context.allocateFloatLocalArray(%d);", SIDES * 2 * TILE);
        line("int[] bounds = context.allocateIntLocalArray(%d);", v.ofKeys ? SIDES * 2 * TILE : 2 * v.rows());
        line("float[] made = new float[%d];                // elements of products: as FloatArray, i is made[i + 4]",
                4 + 16 * v.halves());
        line("int[] bits = new int[%d];", 4 + 16 * Math.max(v.kinds() * v.halves() / 2, 1));
        for (int i = 0; i < (v.ofKeys ? v.halves() : 2); i++) line("float[] less%d = new float[4];", i);
        for (int i = 0; i < 2 * v.halves() * v.kinds(); i++) line("float[] pack%d = new float[4];", i);
        line("int thread = context.localIdx;");
        line("int place = context.groupIdx;");
        line("int lane = thread & 31;");
        line("int warp = thread >> 5 & %d;", v.warps - 1);
        line("int down = -(lane >> 2 & 7);                 // of a fragment's element, less its place: see the generator");
        line("int across = (lane & 3) * -2;");
        line("int column = (lane & 3) * 2;                 // of a lane's first element in a piece of 16 x 8, and its rows");
        line("int row = lane >> 2 & 7;");
        line("int width = heads * %d;                       // longs of a row", v.dims / 4);
        line("int kvWidth = kvHeads * %d;", v.dims / 4);
        line("int shared = heads / kvHeads;");
        line("float cap = TornadoMath.max(softcap, 1e-9f);");
        line("int atStats = table.get(slot + %d);", slot("stats"));
        line("int atRanges = table.get(slot + %d);", slot("ranges"));
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
        line("int steps = perHead%s%s & %d;", v.ofKeys ? " * shared" : "", v.halves() == 2 ? "" : " * 2", FOREVER - 1);
        line("int warpTop = top + warp * %d;", KEPT);
    }

    private int longs() {
        return v.dims / 4;
    }

    private int rowsAtOnce() {
        return v.threads() / longs();
    }

    private void places() {
        int stride = v.stride();
        line("");
        line("// Where things stand in local memory, and where the lane's registers of the matrix unit come from: byte");
        line("// offsets, less those that the loads add by themselves.");
        line("int putKept = (thread >> %d & %d) * %d + (thread & %d) * 2;", log(longs()), rowsAtOnce() - 1, stride / 4,
                longs() - 1);
        line("int put = putKept%s;", rowsAtOnce() <= 8 ? "" : " + (thread >> %d & %d) * 16".formatted(log(longs()) + 3,
                rowsAtOnce() / 8 - 1));
        line("int getLeft = (lane & 15) * %d + (lane >> 3 & 1) * 64;", stride - 32);
        line("int getRight = (lane >> 1 & 7) * %d + (lane & 1) * %d;", stride - 32, v.at(8) - 16);
        line("int own = warp * 256 + 4 + lane * 2;");
        line("int ownTarget = warp * 256;");
        line("int weightPut = warp * %d + column * %d + row;", v.halves() * v.kinds() * WEIGHTS, WEIGHT_STRIDE / 4);
        line("int weightGet = warp * %d + (lane & 15) * %d;", 4 * v.halves() * v.kinds() * WEIGHTS,
                WEIGHT_STRIDE - 32);
    }

    /// Kept rows as right operands of products, through the local memory of the tiles.
    private void keptRows() {
        String width = v.ofKeys ? "kvWidth" : "width";
        line("");
        line("// The rows that this warp keeps.");
        line("int lastKept = %s - 1;", kept());
        line("int keptRow = top + (thread >> %d & %d);", log(longs()), rowsAtOnce() - 1);
        line("int keptAt = %s * %d + (thread & %d);", v.ofKeys ? "kvHead" : "head", longs(), longs() - 1);
        line("int getKept = (warp * %d + (lane & 7)) * %d + (lane >> 3 & 1) * 16",
                KEPT, v.stride());
        line("        - (lane & 15) * 32 - (lane >> 4 & 1) * 16;");
        for (int o = 0; o < 2; o++) {
            String at = "at" + Character.toUpperCase(kept(o).charAt(0)) + kept(o).substring(1);
            line("int %s = table.get(slot + %d) / 4 + keptAt;", at, slot(kept(o)));
            for (int i = 0; i < v.rows() / rowsAtOnce(); i++) {
                line("long kept%d_%d = %s.get(%s + Math.min(keptRow%s, lastKept) * %s);", o, i, kept(o), at,
                        plus(i * rowsAtOnce()), width);
            }
            if (o > 0) line("context.localBarrier();");
            for (int i = 0; i < v.rows() / rowsAtOnce(); i++) {
                putLong("putKept", i * rowsAtOnce() * v.stride() / 4, "kept%d_%d".formatted(o, i));
            }
            line("context.localBarrier();");
            for (int n = 0; n < 2; n++) {
                for (int s = 0; s < v.dims / 16; s++) {
                    line("HalfFloat[] x%d_%d_%d = context.mmaLoadA(tiles, 16, getKept%s);", o, n, s,
                            plus(n * 8 * v.stride() + s * 32));
                }
            }
        }
        if (v.ofKeys) return;
        line("");
        line("// What this warp's rows see, and their marks: lse for scores, delta for dO vᵀ.");
        line("if (thread < %d) {", v.rows());
        line("bounds[thread] = top + thread < queries ? ranges.get(atRanges + top + thread) : 0;");
        line("bounds[%d + thread] = top + thread < queries ? ranges.get(atRanges + queries + top + thread) : keys;", v.rows());
        line("}");
        line("context.localBarrier();");
        line("int latestStart = 0;");
        line("int earliestStop = keys;");
        line("for (int r = 0; r < %d; r++) {", KEPT);
        line("latestStart = Math.max(latestStart, bounds[warp * %d + r]);", KEPT);
        line("earliestStop = Math.min(earliestStop, bounds[%d + warp * %d + r]);", v.rows(), KEPT);
        line("}");
        line("int atMarks = atStats + head * queries;");
        for (int n = 0; n < 2; n++) {
            for (int e = 0; e < 2; e++) {
                String at = "Math.min(warpTop + column%s, lastKept)".formatted(plus(8 * n + e));
                line("float mark%d%d = GradientTiles.finite(stats.get(atMarks + %s));", n, e, at);
                line("float delta%d%d = GradientTiles.finite(stats.get(atMarks + heads * queries + %s));", n, e, at);
            }
            for (int i = 0; i < 4; i++) line("less%d[%d] = -delta%d%d;", n, i, n, i % 2);
        }
    }

    private void putLong(String at, int distance, String value) {
        line("tiles[%s%s] = (int) %s;", at, plus(distance), value);
        line("tiles[%s%s] = (int) (%s >>> 32);", at, plus(distance + 1), value);
    }

    private void sums() {
        line("");
        for (int o = 0; o < v.kinds(); o++) {
            for (int n = 0; n < v.dims / 8; n++) line("float[] s%d_%d = context.mmaFragment(0f);", o, n);
        }
    }

    // ---- tiles ----

    private int tileLoads() {
        return TILE / rowsAtOnce();
    }

    /// @param set of the variables
    private void readOne(int operand, int set, String ofLong) {
        for (int i = 0; i < tileLoads(); i++) {
            String at = i == 0 ? "" : " + Math.min(%d, room) * %s".formatted(i * rowsAtOnce(), v.ofKeys ? "width" : "kvWidth");
            line("%snext%d%d = %s.get(%sAt + index%s);", ofLong, set, i, streamed(operand), streamed(operand), at);
        }
    }

    private void putOne(String at, int operand, int set) {
        for (int i = 0; i < tileLoads(); i++) {
            putLong(at, (operand * v.tileBytes() + v.at(i * rowsAtOnce())) / 4, "next%d%d".formatted(set, i));
        }
    }

    private void place(String declare) {
        line("%sstreamRow = Math.min(first + (thread >> %d & %d), %s - 1);", declare, log(longs()),
                rowsAtOnce() - 1, streamed());
        line("%sroom = %s - 1 - streamRow;", declare, streamed());
        line("%sindex = streamRow * %s + %s * %d + (thread & %d);", declare, v.ofKeys ? "width" : "kvWidth",
                v.ofKeys ? "head" : "kvHead", longs(), longs() - 1);
    }

    private void readMarks(boolean declare) {
        if (!v.ofKeys) return;
        line("%squery = Math.min(first + lane, queries - 1);", declare ? "int " : "");
        line("%snextMark = GradientTiles.finite(stats.get(atStats + (odd * heads + head) * queries + query));",
                declare ? "float " : "");
        line("%snextBound = first + lane < queries ? ranges.get(atRanges + odd * queries + query) : 0;", declare ? "int " : "");
    }

    private void putMarks(String at) {
        if (!v.ofKeys) return;
        line("if (thread < %d) {", 2 * TILE);
        line("marks[%s + thread] = nextMark;", at);
        line("bounds[%s + thread] = nextBound;", at);
        line("}");
    }

    private void firstTile() {
        line("");
        for (int o = 0; o < 2; o++) line("int %sAt = table.get(slot + %d) / 4;", streamed(o), slot(streamed(o)));
        if (v.ofKeys) {
            line("int head = kvHead * shared;");
            line("int lastFirst = begin + (perHead - 1) * %d;", TILE);
            line("int odd = thread >> 5 & 1;                   // 0: reads lse and where ranges start; "
                    + "1: delta and where they stop");
        }
        line("int first = begin;");
        place("int ");
        readOne(0, 0, "long ");
        if (v.order == Order.TILES) readOne(1, 1, "long ");
        readMarks(true);
        line("context.localBarrier();");
        putOne("put", 0, 0);
        putMarks("0");
        if (v.order == Order.TILES) {
            putOne("put", 1, 1);
            return;
        }
        readOne(1, 0, "");
        if (v.ofKeys) line("int whole = 0;");
    }

    private void loop() {
        line("for (int step = 0; step < steps; step++) {");
        if (v.order == Order.TILES) line("context.localBarrier();");
        line("Object asMade = made;                        // see the generator");
        line("Object asBits = bits;");
        line("if (step >= heads + %d) {", FOREVER);
        line("asMade = tiles;");
        line("asBits = tiles;");
        line("}");
        line("FloatArray intoMade = (FloatArray) asMade;");
        line("FloatArray intoBits = (FloatArray) asBits;");
        if (v.order == Order.TILES) {
            tile();
        } else {
            half();
        }
        line("}");
    }

    /// Whether this warp's rows see all rows of a tile or are seen by them.
    private void whole(String declare) {
        line("int low = bounds[side * %d + lane] <= warpTop ? 1 : 0;", 2 * TILE);
        line("int high = bounds[side * %d + %d + lane] >= Math.min(warpTop + %d, keys) ? 1 : 0;", 2 * TILE, TILE, KEPT);
        line("float seen = context.simdSum((float) (low * high));");
        line("%swhole = seen == 32f ? 1 : 0;", declare);
    }

    private void nextTile() {
        if (!v.ofKeys) {
            line("first = first + %d;", TILE);
        } else {
            line("int turn = first >= lastFirst ? 1 : 0;");
            line("first = turn == 1 ? begin : first + %d;", TILE);
            line("head = Math.min(head + turn, kvHead * shared + shared - 1);");
        }
    }

    private void tile() {
        line("int side = step & 1;");
        line("int left = getLeft + side * %d;", 2 * v.tileBytes());
        line("int right = getRight + side * %d;", 2 * v.tileBytes());
        line("int putNext = put + (1 - side) * %d;", 2 * v.tileBytes() / 4);
        if (v.ofKeys) {
            line("int atMark = side * %d + row;", 2 * TILE);
            whole("int ");
        } else {
            line("int tile = begin + step * %d;", TILE);
            line("int whole = tile >= latestStart ? tile + %d <= earliestStop ? 1 : 0 : 0;", TILE);
        }
        nextTile();
        place("");
        readOne(0, 0, "");
        readMarks(false);
        products(0);
        products(1);
        weights(0);
        putOne("putNext", 0, 0);
        putMarks("(1 - side) * %d".formatted(2 * TILE));         // not last: fragments do not survive a loop with two ends
        readOne(1, 1, "");
        multiply(0, "right");
        weights(1);
        multiply(1, "right");
        putOne("putNext", 1, 1);
    }

    /// Reads of the next tile are put away when the next half begins: they take no registers during products.
    private void half() {
        line("int half = step & 1;");
        line("int side = step >> 1 & 1;");
        line("int right = getRight + side * %d + half * %d;", 2 * v.tileBytes(), v.at(16));
        line("int left = getLeft + side * %d + half * %d;", 2 * v.tileBytes(), v.at(16));
        if (v.ofKeys) {
            line("int atMark = side * %d + half * 16 + row;", 2 * TILE);
        } else {
            line("int tile = begin + step * 16;");
            line("int whole = tile >= latestStart ? tile + 16 <= earliestStop ? 1 : 0 : 0;");
        }
        line("if (half == 0) {");
        putOne("put + side * %d".formatted(2 * v.tileBytes() / 4), 1, 0);
        line("context.localBarrier();");
        if (v.ofKeys) whole("");
        nextTile();
        line("} else {");
        putOne("put + (1 - side) * %d".formatted(2 * v.tileBytes() / 4), 0, 0);
        putMarks("(1 - side) * %d".formatted(2 * TILE));
        line("}");
        products(0);
        readHalf();
        weights(0);
        multiply(0, "right");
    }

    /// A branch, over which ptxas moves nothing: it would keep more loads than there are registers.
    private void readHalf() {
        place("");
        line("if (half == 0) {");
        readOne(0, 0, "");
        readMarks(false);
        line("} else {");
        readOne(1, 0, "");
        line("}");
    }

    /// Products of 16 rows of the tile with the kept ones.
    private void products(int m) {
        for (int o = 0; o < 2; o++) starts(m, o);
        for (int s = 0; s < v.dims / 16; s++) {
            for (int o = 0; o < 2; o++) product(m, o, s);
        }
        for (int o = 0; o < 2; o++) elements(m, o);
    }

    /// What products begin with: 0, or -delta for those with v.
    private void starts(int m, int o) {
        if (o == 0) {
            for (int n = 0; n < 2; n++) line("float[] t%d%d0 = context.mmaFragment(0f);", m, n);
            return;
        }
        if (!v.ofKeys) return;
        for (int h = 0; h < 2; h++) {
            line("float delta%d%d = marks[atMark%s];", m, h, plus(16 * m + 8 * h + TILE));
            for (int e = 0; e < 2; e++) line("less%d[%d] = -delta%d%d;", m, 2 * h + e, m, h);
        }
    }

    private void product(int m, int o, int s) {
        line("HalfFloat[] y%d%d_%d = context.mmaLoadA(tiles, 16, left%s);", m, o, s,
                plus(o * v.tileBytes() + v.at(16 * m) + s * 32));
        for (int n = 0; n < 2; n++) {
            boolean first = s == 0 && o == 1;
            String to = "t%d%d%d".formatted(m, n, o);
            line("%s%s = context.mmaBF16(y%d%d_%d, x%d_%d_%d, %s, MMAShape.M16N8K16);", first ? "float[] " : "", to, m, o, s, o,
                    n, s, first ? "less" + (v.ofKeys ? m : n) : to);
        }
    }

    private void elements(int m, int o) {
        for (int n = 0; n < 2; n++) {
            line("context.mmaStore(t%d%d%d, intoMade, down, across%s, 1);", m, n, o, plus(fragment(m, o, n)));
        }
    }

    /// Where a fragment's elements begin in an array as `mmaStore` sees it: they are there and 1, 8 and 9 further.
    private static int fragment(int m, int o, int n) {
        return m * 16 + (o * 2 + n) * 2;
    }

    private static String made(int m, int o, int n, int h, int e) {
        return "made[%d]".formatted(4 + fragment(m, o, n) + 8 * h + e);
    }

    private void mask(int m) {
        line("if (whole == 0) {");
        for (int h = 0; h < 2; h++) {
            if (v.ofKeys) {
                String at = "atMark" + plus(16 * m + 8 * h);
                line("int start%d%d = bounds[%s];", m, h, at);
                line("int stop%d%d = bounds[%s + %d];", m, h, at, TILE);
            } else {
                line("int key%d%d = tile + %s;", m, h, "row" + plus(16 * m + 8 * h));
            }
        }
        for (int n = 0; n < 2; n++) {
            for (int e = 0; e < 2; e++) {
                if (v.ofKeys) {
                    line("int key%d%d%d = warpTop + column%s;", m, n, e, plus(8 * n + e));
                } else {
                    line("int start%d%d%d = bounds[warp * %d + column%s];", m, n, e, KEPT, plus(8 * n + e));
                    line("int stop%d%d%d = bounds[warp * %d + column%s];", m, n, e, KEPT, plus(v.rows() + 8 * n + e));
                }
                for (int h = 0; h < 2; h++) {
                    String column = "%d%d%d".formatted(m, n, e);
                    String row = "%d%d".formatted(m, h);
                    line("if (GradientTiles.sees(key%s, start%s, stop%s) == 0) {", v.ofKeys ? column : row,
                            v.ofKeys ? row : column, v.ofKeys ? row : column);
                    line("%s = GradientTiles.UNSEEN;", made(m, 0, n, h, e));
                    line("%s = 0f;", made(m, 1, n, h, e));
                    line("}");
                }
            }
        }
        line("}");
    }

    /// p and ds of the products of 16 rows, packed.
    private void weights(int m) {
        line("");
        for (int h = 0; v.ofKeys && h < 2; h++) line("float mark%d%d = marks[atMark%s];", m, h, plus(16 * m + 8 * h));
        mask(m);
        for (int n = 0; n < 2; n++) {
            for (int h = 0; h < 2; h++) {
                for (int e = 0; e < 2; e++) weight(m, n, h, e);
            }
            for (int o = 0; o < v.kinds(); o++) {
                int at = v.ofKeys ? fragment(m, o, n) : fragment(0, m, n);
                line("context.mmaStore(pack%d, intoBits, down, across%s, 1);", packed(m, n, o), plus(at));
                for (int e = 0; e < 2; e++) {
                    line("weights[weightPut%s] = MmaTiles.upper(bits[%d], bits[%d]);",
                            plus((o * v.halves() + m) * WEIGHTS + (8 * n + e) * WEIGHT_STRIDE / 4), 4 + at + e, 12 + at + e);
                }
            }
        }
    }

    /// Arrays for what is packed: `mmaStore` reads them where it stands, so each is used once a step.
    private int packed(int m, int n, int o) {
        return (m * 2 + n) * v.kinds() + o;
    }

    private void weight(int m, int n, int h, int e) {
        String id = "%d%d%d%d".formatted(m, n, h, e);
        String mark = "mark" + (v.ofKeys ? "" + m + h : "" + n + e);
        line("float score%s = %s * scale;", id, made(m, 0, n, h, e));
        line("float p%s = TornadoMath.exp(score%s - %s);", id, id, mark);
        line("float w%s = p%s;", id, id);
        line("if (softcap > 0f) {");
        line("float bend%s = TornadoMath.tanh(score%s / cap);", id, id);
        line("p%s = GradientTiles.seen(score%s, TornadoMath.exp(cap * bend%s - %s));", id, id, id, mark);
        line("w%s = p%s * (1f - bend%s * bend%s);", id, id, id, id);
        line("}");
        line("float ds%s = w%s * %s;", id, id, made(m, 1, n, h, e));
        int element = 2 * h + e;
        if (v.ofKeys) line("pack%d[%d] = GradientTiles.rounded(p%s);", packed(m, n, 0), element, id);
        line("pack%d[%d] = GradientTiles.rounded(ds%s);", packed(m, n, v.kinds() - 1), element, id);
    }

    /// Adds the products of the weights of 16 rows with those rows.
    private void multiply(int m, String right) {
        for (int o = 0; o < v.kinds(); o++) multiply(m, o, right);
    }

    private void multiply(int m, int o, String right) {
        line("HalfFloat[] w%d%d = context.mmaLoadA(weights, 16, weightGet%s);", m, o, plus((o * v.halves() + m) * WEIGHTS * 4));
        int tile = v.ofKeys ? 1 - o : 0;
        for (int n = 0; n < v.dims / 8; n++) {
            line("HalfFloat[] z%d%d_%d = context.mmaLoadB(tiles, 16, %s%s);", m, o, n, right,
                    plus(tile * v.tileBytes() + v.at(16 * m) + n * 16));
            line("s%d_%d = context.mmaBF16(w%d%d, z%d%d_%d, s%d_%d, MMAShape.M16N8K16);", o, n, m, o, m, o, n, o, n);
        }
    }

    private void results() {
        line("");
        line("int outWidth = 2 * %s;", v.ofKeys ? "kvWidth" : "width");
        List<String> outs = v.ofKeys ? List.of("dv", "dk") : List.of("dq");
        for (int o = 0; o < outs.size(); o++) {
            String out = outs.get(o);
            line("int %sAt = table.get(slot + %d) / 2 + %s * %d + (lane & 3);", out, v.kinds() - 1 - o,
                    v.ofKeys ? "kvHead" : "head", v.dims / 2);
            for (int n = 0; n < v.dims / 8; n++) {
                int from = n % 2 * 128;
                String factor = out.equals("dv") ? "" : " * scale";
                line("context.mmaStore(s%d_%d, target, 0, ownTarget%s, 8);", o, n, plus(from));
                for (int h = 0; h < 2; h++) {
                    line("int both%d_%d_%d = AttentionTiles.pair(values[own%s]%s, values[own%s]%s);", o, n, h,
                            plus(from + 64 * h), factor, plus(from + 64 * h + 1), factor);
                    line("if (warpTop + row%s < %s) {", plus(8 * h), kept());
                    line("%s.set(%sAt + (warpTop + row%s) * outWidth%s, both%d_%d_%d);", out, out, plus(8 * h), plus(4 * n), o,
                            n, h);
                    line("}");
                }
            }
        }
        line("}");
        line("}");
    }
}
