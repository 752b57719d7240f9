package dev.gale.kernels.mma;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;

/// Writes the kernels of this package, one class each. TornadoVM wants the registers of the matrix unit in local variables
/// with names, so their code is straight; this is the only place where anything about it is decided.
///
/// `main` rewrites the sources; `MmaGeneratorTest` checks that they are what this writes.
public class MmaGenerator extends KernelSource {
    /// Depth of a tile: two steps of the matrix unit.
    static final int DEPTH = 32;
    /// Longs of a row of a tile of 16-bit elements.
    private static final int ROW_LONGS = DEPTH / 4;
    private static final int ROW_BYTES = DEPTH * 2;

    /// How w is stored, and how its tile gets into local memory.
    private enum Form {
        /// `w [n, k]`; the tile is turned into rows of n on its way.
        FORWARD,
        /// `w [k, n]`; the tile stays as it is.
        BACKWARD;

        boolean byDepth() {
            return this == BACKWARD;
        }
    }

    /// One kernel.
    ///
    /// @param bf16     whether elements are BF16 rather than F16
    /// @param nf4      whether those of w come as 4-bit codes
    /// @param rows     of the tile that a work-group makes
    /// @param warpRows of the part that a warp makes
    record Variant(String name, boolean bf16, boolean nf4, Form form, int rows, int cols, int warpRows, int warpCols) {
        int threads() {
            return rows / warpRows * (cols / warpCols) * 32;
        }

        boolean byDepth() {
            return form.byDepth();
        }

        String method() {
            return Character.toLowerCase(name.charAt(0)) + name.substring(1);
        }

        /// Ints of a row of w's tile: by depth, the rows begin 16 bytes further each, so that eight of them, or the four
        /// that a thread stores at once, lie in different banks.
        int wStride() {
            return cols / 2 + 4;
        }

        int xInts() {
            return rows * DEPTH / 2;
        }

        int wInts() {
            return DEPTH * wStride();
        }
    }

    /// Every kernel there is.
    static final List<Variant> VARIANTS = Stream.of("Bf16", "F16", "Nf4").flatMap(MmaGenerator::variants).toList();

    private static Stream<Variant> variants(String type) {
        boolean bf16 = !type.equals("F16");
        boolean nf4 = type.equals("Nf4");
        return Stream.of(new Variant(type + "Forward128x128", bf16, nf4, Form.FORWARD, 128, 128, 64, 64),
                new Variant(type + "Forward64x64", bf16, nf4, Form.FORWARD, 64, 64, 32, 32),
                new Variant(type + "Backward128x128", bf16, nf4, Form.BACKWARD, 128, 128, 64, 64),
                new Variant(type + "Backward64x64", bf16, nf4, Form.BACKWARD, 64, 64, 32, 32));
    }

    final Variant v;

    MmaGenerator(Variant variant) {
        v = variant;
    }

    /// @param args the folder of the package's sources, from the root of the project if none is given
    public static void main(String[] args) throws IOException {
        write(args, VARIANTS, Variant::name, MmaGenerator::source);
    }

    /// The source of a kernel's class.
    static String source(Variant variant) {
        return new MmaGenerator(variant).kernel();
    }

    final String kernel() {
        head();
        setUp();
        reads();
        places();
        loop();
        results();
        return text();
    }

    private void head() {
        line("package dev.gale.kernels.mma;");
        line("");
        if (v.nf4) line("import dev.gale.tensor.quant.Nf4;");
        else line("import dev.gale.kernels.ProductForm;");
        line("import uk.ac.manchester.tornado.api.KernelContext;");
        line("import uk.ac.manchester.tornado.api.enums.MMAShape;");
        for (String name : List.of("HalfFloat", "arrays.FloatArray", "arrays.IntArray", "arrays.LongArray")) {
            line("import uk.ac.manchester.tornado.api.types.%s;", name);
        }
        line("import uk.ac.manchester.tornado.api.types.arrays.ShortArray;");
        line("");
        line("/// Written by `%s`: change that, not this. Tiles of %d x %d, warps of %d x %d, steps of %d along k;",
                getClass().getSimpleName(), v.rows, v.cols, v.warpRows, v.warpCols, DEPTH);
        line("/// local memory holds the tiles of two steps.");
        line("public final class %s {", v.name);
        line("private %s() {}", v.name);
        line("");
        if (v.nf4) headOfSums();
        else headOfProduct();
    }

    private void headOfSums() {
        boolean byDepth = v.form.byDepth();
        line("/// `sums = x %s` on the matrix unit.", byDepth ? "w" : "wᵀ");
        line("/// Shapes: x `[m, k]`, BF16, seen as longs of four elements; w `%s`, codes of `Nf4`,",
                byDepth ? "[k, n]" : "[n, k]");
        line("/// seen as shorts of four; absmax F32, one of every 64 elements of w; %s; sums F32",
                byDepth ? "k a multiple of 4, n of 64" : "k a multiple of 64");
        line("/// `[m up to a multiple of %d, n up to a multiple of %d]`, of no use beyond m and n. Operands in the table: "
                + "sums,", v.rows, v.cols);
        line("/// x, w (a quarter of the offset of its first byte), absmax.");
        launch(64);
        line("/// of x, its column of op(w) and k alone. w is rounded to BF16. Writes: `=`.");
        line("public static void %s(KernelContext context, IntArray table, int slot, FloatArray sums,", v.method());
        line("        LongArray x, ShortArray w, FloatArray absmax, int m, int n, int k) {");
    }

    void headOfProduct() {
        boolean byDepth = v.form.byDepth();
        String type = v.bf16 ? "BF16" : "F16";
        line("/// `y = alpha (x %s + low %s) + bias + residual` on the matrix unit.", byDepth ? "w" : "wᵀ",
                byDepth ? "up" : "upᵀ");
        line("/// Shapes: x `[m, k]`, w `%s`, low `[m, rank]`, up `%s`, %s, seen as longs of four elements;",
                byDepth ? "[k, n]" : "[n, k]", byDepth ? "[rank, n]" : "[n, rank]", type);
        line("/// %s; rank a multiple of %d, or 0: no low and up; bias `[n]`, y and", byDepth ? "k and n multiples of 4"
                : "k a multiple of 4", DEPTH);
        line("/// residual `[m, n]`, F32 or BF16. Operands in the table: y, x, w, bias, residual, low, up; anything may stand");
        line("/// for those that are absent.");
        launch(4 * scratch());
        line("/// of x, its column of op(w) and k alone, the low-rank term last; one rounding to y's dtype.");
        line("/// Writes: `=`. y may be residual, which makes it `+=`.");
        line("///");
        line("/// @param form from `ProductForm.of`; the types of x and w do not matter");
        line("public static void %s(KernelContext context, IntArray table, int slot, LongArray y,", v.method());
        line("        FloatArray yFloats, ShortArray yHalves, LongArray x, LongArray w, FloatArray bias,");
        line("        ShortArray biasHalves, LongArray residual, FloatArray residualFloats, ShortArray residualHalves,");
        line("        LongArray low, LongArray up, int form, int m, int n, int k, float alpha) {");
    }

    final void launch(int moreBytes) {
        line("/// Launch: %s groups of %d threads; %.1f KB of local memory.", groups(), v.threads(),
                (2 * 4 * (v.xInts() + v.wInts()) + moreBytes) / 1024.0);
        line("/// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of k: an element's bits depend on its "
                + "row");
    }

    /// How many work-groups there are.
    String groups() {
        return "`MmaTiles.groups(m, n, %d, %d)`".formatted(v.rows, v.cols);
    }

    /// Floats of local memory for the sums of all warps on their way out, behind what the matrix unit takes for a header.
    final int scratch() {
        return 4 + v.threads() / 32 * MmaEpilogue.PART;
    }

    private void setUp() {
        line("int[] xTile = context.allocateIntLocalArray(%d);", 2 * v.xInts());
        line("int[] wTile = context.allocateIntLocalArray(%d);", 2 * v.wInts());
        if (v.nf4) {
            line("float[] values = context.allocateFloatLocalArray(16);");
        } else {
            line("float[] scratch = context.allocateFloatLocalArray(%d);", scratch());
            line("FloatArray fragments = (FloatArray) (Object) scratch;           // element i is scratch[i + 4]");
        }
        line("float[] pin = new float[1];                  // keeps reads where they stand: see Reduce");
        line("pin[0] = 0f;");
        line("float zero = pin[0];");
        for (int i = 0; i < v.warpRows / 16; i++) {
            for (int j = 0; j < v.warpCols / 8; j++) line("float[] s%d%d = context.mmaFragment(zero);", i, j);
        }
        int warpsAcross = v.cols / v.warpCols;
        line("int thread = context.localIdx;");
        line("int group = context.groupIdx;");
        line("int lane = thread & 31;");
        line("int warpRow = thread >> %d & %d;", 5 + log(warpsAcross), v.rows / v.warpRows - 1);
        line("int warpCol = thread >> 5 & %d;", warpsAcross - 1);
        tile();
        if (v.nf4) line("if (thread < 16) values[thread] = Nf4.value(thread);");
    }

    /// Which tile the work-group makes, and in how many steps.
    void tile() {
        line("int top = MmaTiles.top(group, m, n, %d, %d);", v.rows, v.cols);
        line("int left = MmaTiles.left(group, m, n, %d, %d);", v.rows, v.cols);
        line("int steps = (k + %d) / %d;", DEPTH - 1, DEPTH);
        if (v.nf4) return;
        line("int rank = ProductForm.rank(form);");
        line("int all = steps + rank / %d;", DEPTH);
    }

    /// The class that says what threads do where the rows of x end.
    String ends() {
        return "MmaTiles";
    }

    /// What is added to the place of a matrix of which every expert has one.
    ///
    /// @param distance from one to the next
    String ofExpert(String distance) {
        return "";
    }

    /// The place in the table of the low-rank term's left factor, which the right one follows.
    int lowSlot() {
        return 5;
    }

    // ---- what a thread reads: longs of four elements ----

    private int rowsAtOnce() {
        return v.threads() / ROW_LONGS;
    }

    private int depthsAtOnce() {
        return v.threads() / (v.cols / 4);
    }

    private int xLongs() {
        return v.rows / rowsAtOnce();
    }

    private int wLongs() {
        return v.form.byDepth() ? DEPTH / depthsAtOnce() : v.cols / rowsAtOnce();
    }

    /// How many rows of w lie before a thread's long number j.
    private int wRowsBefore(int j) {
        if (v.form.byDepth()) return j * depthsAtOnce();
        return v.form == Form.FORWARD ? j / 4 * 4 * rowsAtOnce() + j % 4 : j * rowsAtOnce();
    }

    private void reads() {
        line("");
        line("// What this thread reads of each tile, four elements at a time.");
        line("int xColumn = thread & %d;", ROW_LONGS - 1);
        line("int xRow = thread >> %d & %d;", log(ROW_LONGS), rowsAtOnce() - 1);
        line("int xFirst = %s.clamp(top + xRow, m, %d);", ends(), v.rows);
        line("int xRoom = %s.room(xFirst, m, %d);", ends(), v.rows);
        line("int xAt = table.get(slot + 1) / 4 + xFirst * (k / 4);");
        if (v.form.byDepth()) {
            line("int wColumn = thread & %d;", v.cols / 4 - 1);
            line("int wRow = thread >> %d & %d;", log(v.cols / 4), depthsAtOnce() - 1);
            String four = "MmaTiles.clamp(left / 4 + wColumn, n / 4, %d)".formatted(v.cols / 4);
            line("int wAt = table.get(slot + 2) %s + %s%s;", v.nf4 ? "* 2" : "/ 4", four, ofExpert("distance / 4"));
            if (v.nf4) line("int scaleAt = table.get(slot + 3) + %s / 16;", four);
        } else {
            String four = v.form == Form.FORWARD ? "4 * xRow" : "xRow";
            line("int wFirst = MmaTiles.clamp(left + %s, n, %d);", four, v.cols);
            line("int wRoom = MmaTiles.room(wFirst, n, %d);", v.cols);
            line("int wAt = table.get(slot + 2) %s + wFirst * (k / 4)%s;", v.nf4 ? "* 2" : "/ 4", ofExpert("distance / 4"));
            if (v.nf4) line("int scaleAt = table.get(slot + 3) + wFirst * (k / 64);");
        }
        if (!v.nf4) {
            line("int lowAt = table.get(slot + %d) / 4 + xFirst * (rank / 4);", lowSlot());
            String from = v.form.byDepth() ? "MmaTiles.clamp(left / 4 + wColumn, n / 4, %d)".formatted(v.cols / 4)
                    : "wFirst * (rank / 4)";
            line("int upAt = table.get(slot + %d) / 4 + %s%s;", lowSlot() + 1, from, ofExpert("n * (rank / 4)"));
        }
        read("int ", "long ", "float ", "0");
    }

    /// Reads the tiles of a step of the low-rank term.
    private void readLowRank() {
        line("int rest = next - steps;");
        line("xIndex = lowAt + rest * %d + xColumn;", ROW_LONGS);
        if (v.form.byDepth()) line("wIndex = upAt + (rest * %d + wRow) * (n / 4);", DEPTH);
        else line("wIndex = upAt + rest * %d + xColumn;", ROW_LONGS);
        for (int j = 0; j < xLongs(); j++) readOne("", "x", j, "low", "x", distance(j * rowsAtOnce(), "x", "rank / 4"));
        for (int j = 0; j < wLongs(); j++) {
            int rows = wRowsBefore(j);
            if (v.form.byDepth()) readOne("", "w", j, "up", "w", rows == 0 ? "" : " + %d * (n / 4)".formatted(rows));
            else readOne("", "w", j, "up", "w", distance(rows, "w", "rank / 4"));
        }
    }

    /// Reads the tiles of a step into registers, with declarations or without.
    private void read(String ofInt, String ofLong, String ofFloat, String step) {
        String column = step.equals("0") ? "xColumn" : step + " * " + ROW_LONGS + " + xColumn";
        line("%sxIndex = xAt + MmaTiles.clamp(%s, k / 4, %d);", ofInt, column, ROW_LONGS);
        if (v.form.byDepth()) {
            String row = step.equals("0") ? "wRow" : step + " * " + DEPTH + " + wRow";
            line("%swDepth = MmaTiles.clamp(%s, k, %d);", ofInt, row, DEPTH);
            line("%swRoom = MmaTiles.room(wDepth, k, %d);", ofInt, DEPTH);
            line("%swIndex = wAt + wDepth * (n / 4);", ofInt);
            if (v.nf4) line("%sscaleIndex = scaleAt + wDepth * (n / 64);", ofInt);
        } else {
            line("%swIndex = wAt + MmaTiles.clamp(%s, k / 4, %d);", ofInt, column, ROW_LONGS);
            if (v.nf4) line("%sscaleIndex = scaleAt%s;", ofInt, step.equals("0") ? "" : " + " + step + " / 2");
        }
        for (int j = 0; j < xLongs(); j++) readOne(ofLong, "x", j, "x", "x", distance(j * rowsAtOnce(), "x", "k / 4"));
        String width = v.form.byDepth() ? "n" : "k";
        for (int j = 0; j < wLongs(); j++) {
            readOne(v.nf4 ? ofInt : ofLong, "w", j, "w", "w", distance(wRowsBefore(j), "w", width + " / 4"));
        }
        for (int j = 0; v.nf4 && j < wLongs(); j++) {
            readOne(ofFloat, "scale", j, "absmax", "scale", distance(wRowsBefore(j), "w", width + " / 64"));
        }
    }

    private void readOne(String type, String name, int j, String array, String index, String distance) {
        line("%s%sNext%d = %s.get(%sIndex%s);", type, name, j, array, index, distance);
    }

    /// So many rows further, or to the last there is.
    private static String distance(int rows, String operand, String width) {
        return rows == 0 ? "" : " + Math.min(%d, %sRoom) * (%s)".formatted(rows, operand, width);
    }

    // ---- where it stands in local memory ----

    private void places() {
        line("");
        line("// Where it goes in local memory, and where the lane's registers of the matrix unit come from: byte offsets,");
        line("// less those that the loads add by themselves. The 16-byte pieces of x's rows are exchanged so that eight rows");
        line("// lie in different banks.");
        line("int xPut = xRow * %d + ((xColumn >> 1 & 3 ^ (xRow >> 1 & 1) * 2 + (xRow >> 2 & 1)) * 4) + (xColumn & 1) * 2;",
                ROW_BYTES / 4);
        line("int swap = (lane >> 1 & 1) * 2 + (lane >> 2 & 1);");
        line("int xLane = warpRow * %d + (lane & 15) * %d - (lane >> 4 & 1) * 16;", v.warpRows * ROW_BYTES, ROW_BYTES - 32);
        for (int s = 0; s < 2; s++) {
            line("int xGet%d = xLane + (%s(lane >> 4 & 1) ^ swap) * 16;", s, s == 0 ? "" : "2 + ");
        }
        if (v.form.byDepth()) {
            line("int wPut = wRow * %d + wColumn * 2;", v.wStride());
            line("int wGet = warpCol * %d + (lane & 15) * %d;", v.warpCols * 2, v.wStride() * 4 - 16);
        } else {
            line("int wPut = xColumn * %d + ((xRow >> 1 ^ xColumn >> 1 & 3) * 4) + (xRow & 1) * 2;", 4 * v.wStride());
            line("int wLane = warpCol * %d + (lane & 15) * %d;", v.warpCols * 2, v.wStride() * 4 - 16);
            line("int wGet0 = wLane + (lane >> 3 & 1) * 16;");
            line("int wGet1 = wLane + (1 - (lane >> 3 & 1)) * 16;");
        }
    }

    // ---- the loop over k ----

    private void loop() {
        line("");
        if (v.nf4) line("context.localBarrier();                      // the values stand");
        line("for (int step = 0; step < %s; step++) {", v.nf4 ? "steps" : "all");
        line("int xBuffer = (step & 1) * %d;", v.xInts());
        line("int wBuffer = (step & 1) * %d;", v.wInts());
        String beyond = v.nf4 ? "" : " | beyond";
        if (!v.nf4) line("int beyond = MmaTiles.beyond(step, steps, rank);");
        line("int keep = MmaTiles.keep(step * %d + xColumn, k / 4, %d)%s;", ROW_LONGS, ROW_LONGS, beyond);
        String xPut = "xBuffer + xPut";
        String wPut = "wBuffer + wPut";
        for (int j = 0; j < xLongs(); j++) putLong("xTile", xPut, j * rowsAtOnce() * ROW_BYTES / 4, "xNext" + j, "keep");
        for (int j = 0; j < wLongs(); j++) {
            switch (v.form) {
                case BACKWARD -> {
                    line("int keep%d = MmaTiles.keep(step * %d + wRow + %d, k, %d)%s;", j, DEPTH, wRowsBefore(j), DEPTH,
                            beyond);
                    if (v.nf4) putCodes(wPut, wRowsBefore(j) * v.wStride(), j);
                    else putLong("wTile", wPut, wRowsBefore(j) * v.wStride(), "wNext" + j, "keep" + j);
                }
                case FORWARD -> {
                    if (j % 4 == 0) putFour(wPut, j);
                }
            }
        }
        line("int next = Math.min(step + 1, %s - 1);", v.nf4 ? "steps" : "all");
        if (!v.nf4) line("if (MmaTiles.beyond(next, steps, rank) == 0) {");
        read("", "", "", "next");
        if (!v.nf4) {
            line("} else {");
            readLowRank();
            line("}");
        }
        line("context.localBarrier();");
        for (int s = 0; s < 2; s++) multiply(s);
        line("}");
    }

    private void putLong(String tile, String at, int distance, String value, String keep) {
        put(tile, at, distance, "(int) " + value + " & " + keep);
        put(tile, at, distance + 1, "(int) (" + value + " >>> 32) & " + keep);
    }

    private void put(String tile, String at, int distance, String value) {
        line("%s[%s%s] = %s;", tile, at, plus(distance), value);
    }

    /// Four rows of w become four rows of depth, of two ints each.
    private void putFour(String at, int j) {
        int distance = j / 4 * rowsAtOnce() * 2;
        for (int i = 0; i < 4; i++) {
            for (int pair = 0; pair < 2; pair++) {
                int row = j + 2 * pair;
                int place = distance + i * v.wStride() + pair;
                if (v.nf4) putPair(at, place, element(row, i), element(row + 1, i), "");
                else put("wTile", at, place, halves(row, i) + " & keep");
            }
        }
    }

    /// Elements i of w's longs j and j + 1.
    private static String halves(int j, int i) {
        String parts = i < 2 ? "(int) wNext%d, (int) wNext%d" : "(int) (wNext%d >>> 32), (int) (wNext%d >>> 32)";
        return "MmaTiles.%s(%s)".formatted(i % 2 == 0 ? "lower" : "upper", parts.formatted(j, j + 1));
    }

    /// Four elements of a row of w, where they stay a row.
    private void putCodes(String at, int distance, int j) {
        for (int i = 0; i < 4; i += 2) putPair(at, distance + i / 2, element(j, i), element(j, i + 1), " & keep" + j);
    }

    private void putPair(String at, int distance, String first, String second, String keep) {
        line("wTile[%s%s] = AttentionTiles.pair(%s,", at, plus(distance), first);
        line("        %s)%s;", second, keep);
    }

    /// Element i of w's four codes j: of each byte, the high half comes first.
    private static String element(int j, int i) {
        String code = i == 1 ? "wNext%d & 15".formatted(j) : "wNext%d >> %d & 15".formatted(j, i / 2 * 8 + (1 - i % 2) * 4);
        return "values[%s] * scaleNext%d".formatted(code, j);
    }

    /// Step s of two of the matrix unit: rows alternate in direction, so that each product shares an operand with the last.
    private void multiply(int s) {
        int down = v.warpRows / 16;
        int across = v.warpCols / 8;
        String x = "4 * xBuffer + ";
        String w = "4 * wBuffer + ";
        for (int i = 0; i < down; i++) {
            line("HalfFloat[] a%d%d = context.mmaLoadA(xTile, 16, %sxGet%d%s);", s, i, x, s, plus(i * 16 * ROW_BYTES));
        }
        for (int j = 0; j < across; j++) line("HalfFloat[] b%d%d = context.%s;", s, j, wFragment(w, s, j));
        for (int i = 0; i < down; i++) {
            for (int c = 0; c < across; c++) {
                int j = i % 2 == 0 ? c : across - 1 - c;
                line("s%d%d = context.%s(a%d%d, b%d%d, s%d%d, MMAShape.M16N8K16);", i, j, v.bf16 ? "mmaBF16" : "mma", s, i, s,
                        j, i, j);
            }
        }
    }

    private String wFragment(String buffer, int s, int j) {
        int rows = s * 16 * v.wStride() * 4;
        return switch (v.form) {
            case BACKWARD -> "mmaLoadB(wTile, 16, %swGet%s)".formatted(buffer, plus(rows + j * 16));
            case FORWARD -> "mmaLoadB(wTile, 16, %swGet%d%s)".formatted(buffer, j & 1, plus(rows + ((j ^ 2 * s) & ~1) * 16));
        };
    }

    private void results() {
        line("");
        if (v.nf4) sums();
        else epilogue();
        line("}");
        line("}");
    }

    private void sums() {
        line("int row = top + warpRow * %d;", v.warpRows);
        line("int column = table.get(slot) + left + warpCol * %d;", v.warpCols);
        line("int stride = (n + %d) / %d * %d;", v.cols - 1, v.cols, v.cols);
        for (int i = 0; i < v.warpRows / 16; i++) {
            for (int j = 0; j < v.warpCols / 8; j++) {
                line("context.mmaStore(s%d%d, sums, row%s, column%s, stride);", i, j, plus(16 * i), plus(8 * j));
            }
        }
    }

    private void epilogue() {
        int down = v.warpRows / 16;
        int across = v.warpCols / MmaEpilogue.COLS;
        line("// What else y needs, %d rows and %d columns of a warp at a time: see MmaEpilogue.", 16, MmaEpilogue.COLS);
        line("int nought = thread >> 10;");
        line("int put = (thread >> 5 & %d) * %d;", v.threads() / 32 - 1, MmaEpilogue.PART);
        line("int get = put + 4 + (lane >> 3) * %d + (lane & 7) * 4;", MmaEpilogue.STRIDE);
        line("int row = top + warpRow * %d + (lane >> 3);", v.warpRows);
        line("int column = left + warpCol * %d + (lane & 7) * 4;", v.warpCols);
        line("int at = table.get(slot);");
        placesBeside();
        line("long[] before = new long[4];");
        line("for (int part = 0; part < %d; part++) {", down * across);
        for (int part = 0; part < down * across; part++) {
            line(part == 0 ? "if (part == 0) {" : part == down * across - 1 ? "} else {" : "} else if (part == %d) {", part);
            for (int j = 0; j < MmaEpilogue.COLS / 8; j++) {
                line("context.mmaStore(s%d%d, fragments, 0, put%s, %d);", part / across,
                        part % across * MmaEpilogue.COLS / 8 + j, plus(8 * j), MmaEpilogue.STRIDE);
            }
        }
        line("}");
        line("int down = row + part / %d * 16;", across);
        line("int across = column + part %% %d * %d;", across, MmaEpilogue.COLS);
        line("for (int q = 0; q < 4; q++) {");
        line("before[q] = MmaEpilogue.before(%s, form, down + %d * q, across, m, n);", residual(), MmaEpilogue.ROWS);
        line("}");
        line("context.localBarrier();");
        line("for (int q = 0; q < 4; q++) {");
        line("int from = get + %d * q;", MmaEpilogue.ROWS * MmaEpilogue.STRIDE);
        put();
        line("}");
        line("context.localBarrier();");
        line("}");
    }

    /// Where bias and residual begin.
    void placesBeside() {
        line("int atBias = table.get(slot + 3);");
        line("int atResidual = table.get(slot + 4);");
    }

    /// The residual in longs, and where it begins.
    String residual() {
        return "residual, atResidual";
    }

    /// Finishes four elements of a row.
    void put() {
        put("bias, biasHalves, atBias, residualFloats, residualHalves,", "atResidual");
    }

    final void put(String arrays, String atResidual) {
        line("MmaEpilogue.put(y, yFloats, yHalves, at, %s", arrays);
        line("        %s, form, down + %d * q, across, m, n, alpha, nought, before[q], scratch[from],", atResidual,
                MmaEpilogue.ROWS);
        line("        scratch[from + 1], scratch[from + 2], scratch[from + 3]);");
    }
}
