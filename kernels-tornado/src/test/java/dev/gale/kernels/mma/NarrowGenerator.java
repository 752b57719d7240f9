package dev.gale.kernels.mma;

import java.io.IOException;
import java.util.List;

/// Writes the products of the matrix unit that have a narrow side, as adapters have, one class each: see `MmaNarrow`.
///
/// `main` rewrites the sources; `MmaGeneratorTest` checks that they are what this writes.
public class NarrowGenerator extends KernelSource {
    static final int THREADS = 128;
    /// Depth of a tile: four steps of the matrix unit.
    static final int DEPTH = 64;
    private static final int ROW_BYTES = DEPTH * 2;
    private static final int ROW_INTS = DEPTH / 2;
    /// Rows or columns of the tall operand that a work-group takes.
    static final int TALL = 128;
    /// Ints from one row of its tile to the next, by depth: eight rows lie in different banks.
    private static final int TALL_STRIDE = TALL / 2 + 4;
    /// Longs of a tile of the tall operand that a thread reads.
    private static final int LONGS = TALL * DEPTH / 4 / THREADS;

    /// One kernel.
    ///
    /// @param byDepth whether the tall operand is stored `[depth, rows]` rather than `[rows, depth]`
    /// @param width   columns of the flat operand that a work-group takes
    record Variant(String name, boolean byDepth, int width) {
        String method() {
            return Character.toLowerCase(name.charAt(0)) + name.substring(1);
        }

        /// Pairs of a tile of the flat operand that a thread reads.
        int pairs() {
            return width * ROW_INTS / THREADS;
        }

        /// Fragments of a warp, down and across.
        int down() {
            return byDepth ? width / 16 : 2;
        }

        int across() {
            return byDepth ? 4 : width / 8;
        }

        int tallInts() {
            return byDepth ? DEPTH * TALL_STRIDE : TALL * ROW_INTS;
        }
    }

    /// Every kernel there is.
    static final List<Variant> VARIANTS = List.of(new Variant("NarrowByRow16", false, 16),
            new Variant("NarrowByRow64", false, 64), new Variant("NarrowByDepth16", true, 16),
            new Variant("NarrowByDepth64", true, 64));

    final Variant v;

    NarrowGenerator(Variant variant) {
        v = variant;
    }

    /// @param args the folder of the package's sources, from the root of the project if none is given
    public static void main(String[] args) throws IOException {
        write(args, VARIANTS, Variant::name, NarrowGenerator::source);
    }

    /// The source of a kernel's class.
    static String source(Variant variant) {
        return new NarrowGenerator(variant).kernel();
    }

    final String kernel() {
        head();
        setUp();
        loop();
        results();
        return text();
    }

    private void head() {
        line("package dev.gale.kernels.mma;");
        line("");
        line("import uk.ac.manchester.tornado.api.KernelContext;");
        line("import uk.ac.manchester.tornado.api.enums.MMAShape;");
        for (String name : List.of("HalfFloat", "arrays.FloatArray", "arrays.IntArray", "arrays.LongArray")) {
            line("import uk.ac.manchester.tornado.api.types.%s;", name);
        }
        line("");
        line("/// Written by `%s`: change that, not this. Tiles of %d by %d, steps of %d along the depth.",
                getClass().getSimpleName(), TALL, v.width, DEPTH);
        line("public final class %s {", v.name);
        line("private %s() {}", v.name);
        line("");
        headOfKernel();
    }

    void headOfKernel() {
        String sums = v.byDepth ? "parts[p, j, i]" : "parts[p, i, j]";
        line("/// `%s = sum_l tall(i, l) flat(j, l)` over the l of part p, on the matrix unit.", sums);
        line("/// Shapes: tall `%s`, BF16, seen as longs of four elements, %s a multiple of 4; flat F32,",
                v.byDepth ? "[depth, rows]" : "[rows, depth]", v.byDepth ? "rows" : "depth");
        line("/// `[cols, depth]` or, by depth, `[depth, cols]`, rounded to BF16; parts F32, `MmaNarrow.partLength` each, of");
        line("/// no use beyond rows and cols. Operands in the table: parts, tall, flat.");
        launch("MmaNarrow.groups(rows, cols, depth)");
        line("///");
        line("/// @param flatByDepth 1: flat is stored `[depth, cols]`");
        line("/// @param partDepth   from `MmaNarrow.partDepth(depth)`");
        line("public static void %s(KernelContext context, IntArray table, int slot, FloatArray parts,", v.method());
        line("        LongArray tall, FloatArray flat, int flatByDepth, int rows, int cols, int depth, int partDepth) {");
    }

    final void launch(String groups) {
        line("/// Launch: `%s` groups of %d threads; %.1f KB of local memory.", groups, THREADS,
                4 * (v.tallInts() + v.width * ROW_INTS) / 1024.0);
        line("/// Numerics: the matrix unit's F32 sums, 16 terms at a time in the order of l. Writes: `=`.");
    }

    private void setUp() {
        line("int[] tallTile = context.allocateIntLocalArray(%d);", v.tallInts());
        line("int[] flatTile = context.allocateIntLocalArray(%d);", v.width * ROW_INTS);
        line("float[] pin = new float[1];                  // keeps reads where they stand: see Reduce");
        line("pin[0] = 0f;");
        line("float zero = pin[0];");
        for (int i = 0; i < v.down(); i++) {
            for (int j = 0; j < v.across(); j++) line("float[] s%d%d = context.mmaFragment(zero);", i, j);
        }
        line("int thread = context.localIdx;");
        line("int lane = thread & 31;");
        line("int warp = thread >> 5 & 3;");
        line("int tiles = %s;", tiles());
        line("int flatTiles = (cols + %d) / %d;", v.width - 1, v.width);
        line("int group = context.groupIdx;");
        tile();
        line("");
        line("// What this thread reads: of the tall operand four elements at a time, of the flat one two along the depth.");
        if (v.byDepth) {
            line("int tallDepth = thread >> 5 & 3;");
            line("int tallAt = table.get(slot + 1) / 4 + MmaTiles.clamp(top / 4 + lane, rows / 4, %d);", TALL / 4);
        } else {
            line("int column = thread & 15;");
            line("int tallRow = thread >> 4 & 7;");
            line("int tallFirst = %s.clamp(top + tallRow, rows, %d);", ends(), TALL);
            line("int tallRoom = %s.room(tallFirst, rows, %d);", ends(), TALL);
            line("int tallAt = table.get(slot + 1) / 4 + tallFirst * (depth / 4);");
        }
        flatPlaces();
        line("int deep = from;");
        read("int ", "long ", "float ");
        line("");
        line("// Where it goes in local memory, and where the lane's registers of the matrix unit come from: byte offsets,");
        line("// less those that the loads add by themselves. The 16-byte pieces of a row of 128 bytes are exchanged so that");
        line("// eight rows lie in different banks.");
        if (v.byDepth) {
            line("int tallPut = tallDepth * %d + lane * 2;", TALL_STRIDE);
            line("int tallGet = warp * 64 + (lane & 15) * %d;", 4 * TALL_STRIDE - 16);
        } else {
            line("int tallPut = tallRow * %d + (column >> 1 ^ tallRow) * 4 + (column & 1) * 2;", ROW_INTS);
        }
        String warp = v.byDepth ? "" : "warp * %d + ".formatted(32 * ROW_BYTES);
        line("int aLane = %s(lane & 15) * %d - (lane >> 4) * 16;", warp, ROW_BYTES - 32);
        for (int s = 0; s < 4; s++) line("int aGet%d = aLane + (%s(lane >> 4) ^ lane & 7) * 16;", s, piece(s));
        if (v.byDepth) return;
        line("int bLane = (lane & 7) * %d - (lane & 15) * 32 - (lane >> 4) * 16;", ROW_BYTES);
        for (int s = 0; s < 4; s++) line("int bGet%d = bLane + (%s(lane >> 3 & 1) ^ lane & 7) * 16;", s, piece(s));
    }

    /// How many tiles the tall operand has.
    String tiles() {
        return "(rows + %d) / %d".formatted(TALL - 1, TALL);
    }

    /// Which tiles the work-group takes, and in how many steps.
    void tile() {
        line("int top = group %% tiles * %d;", TALL);
        line("int first = group / tiles %% flatTiles * %d;", v.width);
        line("int part = group / (tiles * flatTiles);");
        line("int from = part * partDepth;");
        line("int steps = (Math.min(partDepth, depth - from) + %d) / %d;", DEPTH - 1, DEPTH);
    }

    /// The class that says what threads do where the rows of an upright tall operand end.
    String ends() {
        return "MmaTiles";
    }

    /// What a thread reads of the flat operand.
    void flatPlaces() {
        line("int flatRow = flatByDepth == 1 ? thread & %d : thread >> 5 & 3;", v.width - 1);
        line("int flatPair = flatByDepth == 1 ? thread >> %d & %d : thread & 31;", log(v.width), THREADS / v.width - 1);
        line("int flatRows = flatByDepth == 1 ? 0 : 4;     // from one pair to the next");
        line("int flatPairs = flatByDepth == 1 ? %d : 0;", THREADS / v.width);
        line("int flatAt = table.get(slot + 2);");
    }

    /// The first piece of step s, as a summand.
    private static String piece(int s) {
        return s == 0 ? "" : 2 * s + " + ";
    }

    /// Reads the tiles at `deep` into registers, with declarations or without.
    private void read(String ofInt, String ofLong, String ofFloat) {
        if (v.byDepth) {
            line("%stallFirst = %s;", ofInt, depthRow("deep + tallDepth"));
            line("%stallRoom = %s;", ofInt, depthRoom("tallFirst"));
            line("%stallIndex = tallAt + tallFirst * (rows / 4);", ofInt);
        } else {
            line("%stallIndex = tallAt + MmaTiles.clamp(deep / 4 + column, depth / 4, %d);", ofInt, DEPTH / 4);
        }
        int step = v.byDepth ? 4 : 8;
        String width = v.byDepth ? "rows / 4" : "depth / 4";
        for (int j = 0; j < LONGS; j++) {
            line("%snext%d = tall.get(tallIndex%s);", ofLong, j,
                    j == 0 ? "" : " + Math.min(%d, tallRoom) * (%s)".formatted(step * j, width));
        }
        for (int j = 0; j < v.pairs(); j++) {
            for (int i = 0; i < 2; i++) {
                element("%sflat%d%s".formatted(ofFloat, j, i == 0 ? "a" : "b"), j, plus(i));
            }
        }
    }

    /// Reads an element of the flat operand, of pair j.
    void element(String name, int j, String further) {
        line("%s = MmaNarrow.element(flat, flatAt, flatByDepth, first + flatRow + %d * flatRows,", name, j);
        line("        deep + 2 * (flatPair + %d * flatPairs)%s, cols, depth);", j, further);
    }

    /// A row of an operand by depth, or the last one there is.
    String depthRow(String row) {
        return "MmaTiles.clamp(%s, depth, %d)".formatted(row, DEPTH);
    }

    /// How far one may go from it.
    String depthRoom(String row) {
        return "MmaTiles.room(%s, depth, %d)".formatted(row, DEPTH);
    }

    /// The bits that are kept of what stands in a row.
    String depthKeep(String row) {
        return "MmaTiles.keep(%s, depth, %d)".formatted(row, DEPTH);
    }

    private void loop() {
        line("");
        line("for (int step = 0; step < steps; step++) {");
        if (!v.byDepth) line("int keep = MmaTiles.keep(deep / 4 + column, depth / 4, %d);", DEPTH / 4);
        for (int j = 0; j < LONGS; j++) {
            String keep = v.byDepth ? "keep" + j : "keep";
            if (v.byDepth) line("int keep%d = %s;", j, depthKeep("deep + tallDepth + " + 4 * j));
            int at = j * (v.byDepth ? 4 * TALL_STRIDE : 8 * ROW_INTS);
            line("tallTile[tallPut%s] = (int) next%d & %s;", plus(at), j, keep);
            line("tallTile[tallPut%s] = (int) (next%d >>> 32) & %s;", plus(at + 1), j, keep);
        }
        for (int j = 0; j < v.pairs(); j++) {
            line("flatTile[MmaNarrow.place(flatRow + %d * flatRows, flatPair + %d * flatPairs)] =", j, j);
            line("        AttentionTiles.pair(flat%da, flat%db);", j, j);
        }
        line("deep = from + Math.min(step + 1, steps - 1) * %d;", DEPTH);
        read("", "", "");
        line("context.localBarrier();");
        for (int s = 0; s < 4; s++) multiply(s);
        line("context.localBarrier();");
        line("}");
    }

    /// Rows alternate in direction, so that each product shares an operand with the last.
    private void multiply(int s) {
        String a = v.byDepth ? "flatTile" : "tallTile";
        for (int i = 0; i < v.down(); i++) {
            line("HalfFloat[] a%d%d = context.mmaLoadA(%s, 16, aGet%d%s);", s, i, a, s, plus(16 * i * ROW_BYTES));
        }
        for (int j = 0; j < v.across(); j++) {
            String load = v.byDepth ? "mmaLoadB(tallTile, 16, tallGet%s)".formatted(plus(16 * s * 4 * TALL_STRIDE + 16 * j))
                    : "mmaLoadA(flatTile, 16, bGet%d%s)".formatted(s, plus(8 * j * ROW_BYTES));
            line("HalfFloat[] b%d%d = context.%s;", s, j, load);
        }
        for (int i = 0; i < v.down(); i++) {
            for (int c = 0; c < v.across(); c++) {
                int j = i % 2 == 0 ? c : v.across() - 1 - c;
                line("s%d%d = context.mmaBF16(a%d%d, b%d%d, s%d%d, MMAShape.M16N8K16);", i, j, s, i, s, j, i, j);
            }
        }
    }

    private void results() {
        line("");
        if (v.byDepth) {
            line("int row = %s * flatTiles * %d + first;", part(), v.width);
            line("int sum = table.get(slot) + top + warp * 32;");
            line("int stride = tiles * %d;", TALL);
        } else {
            line("int row = %s + warp * 32;", partRow());
            line("int sum = table.get(slot) + first;");
            line("int stride = flatTiles * %d;", v.width);
        }
        for (int i = 0; i < v.down(); i++) {
            for (int j = 0; j < v.across(); j++) {
                line("context.mmaStore(s%d%d, parts, row%s, sum%s, stride);", i, j, plus(16 * i), plus(8 * j));
            }
        }
        line("}");
        line("}");
    }

    /// Which of the parts of sums by depth.
    String part() {
        return "part";
    }

    /// The row of the parts where an upright tile's sums begin.
    String partRow() {
        return "part * tiles * %d + top".formatted(TALL);
    }
}
