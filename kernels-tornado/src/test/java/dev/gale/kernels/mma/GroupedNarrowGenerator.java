package dev.gale.kernels.mma;

import java.io.IOException;
import java.util.List;

/// Writes the products with a narrow side of the rows of several experts, one class each: those of `NarrowGenerator`, where a
/// work-group finds in a list which rows of which expert are its own. See `ExpertTiles`.
///
/// `main` rewrites the sources; `MmaGeneratorTest` checks that they are what this writes.
public final class GroupedNarrowGenerator extends NarrowGenerator {
    /// Every kernel there is.
    static final List<Variant> VARIANTS = NarrowGenerator.VARIANTS.stream()
            .map(each -> new Variant("Grouped" + each.name(), each.byDepth(), each.width())).toList();

    private GroupedNarrowGenerator(Variant variant) {
        super(variant);
    }

    /// @param args the folder of the package's sources, from the root of the project if none is given
    public static void main(String[] args) throws IOException {
        write(args, VARIANTS, Variant::name, GroupedNarrowGenerator::source);
    }

    /// The source of a kernel's class.
    static String source(Variant variant) {
        return new GroupedNarrowGenerator(variant).kernel();
    }

    @Override
    void headOfKernel() {
        if (v.byDepth()) headByDepth();
        else headByRow();
    }

    private void headByRow() {
        line("/// `parts[p, i, j] = sum_l tall(i, l) flat[e](j, l)` over the l of part p, on the matrix unit, for the rows i");
        line("/// of each tile and the expert e that they belong to.");
        line("/// Shapes: tall `[rows, depth]`, BF16, seen as longs of four elements, depth a multiple of 4; flat[e] F32,");
        line("/// `[cols, depth]` or, by depth, `[depth, cols]`, rounded to BF16; spans I32 from");
        line("/// `ExpertTileKernels.expertTiles` for tiles of %d rows; parts F32, `MmaGroupedNarrow.partLength` each, i",
                TALL);
        line("/// counted from the anchor of each tile. Operands in the table: parts, tall, flat of the first expert, spans.");
        launch("MmaGroupedNarrow.groups(rows, cols, depth, count)");
        line("///");
        line("/// @param flatByDepth 1: flat is stored `[depth, cols]`");
        line("/// @param partDepth   from `MmaNarrow.partDepth(depth)`");
        line("/// @param count       how many experts there are");
        line("/// @param distance    elements from the flat operand of one to that of the next");
        line("public static void %s(KernelContext context, IntArray table, int slot, FloatArray parts,", v.method());
        line("        LongArray tall, FloatArray flat, IntArray spans, int flatByDepth, int rows, int cols, int depth,");
        line("        int partDepth, int count, int distance) {");
    }

    private void headByDepth() {
        line("/// `parts[p, e, j, i] = sum_l tall(i, l) flat(j, l)` over the l of part p of the rows of expert e, on the");
        line("/// matrix unit.");
        line("/// Shapes: tall `[.., rows]`, BF16, seen as longs of four elements, rows a multiple of 4; flat F32");
        line("/// `[.., cols]`, rounded to BF16; spans I32 from `ExpertTileKernels.expertTiles`; parts F32,");
        line("/// `MmaGroupedNarrow.lengthOfExpert` for each expert, of no use beyond rows and cols. Operands in the table:");
        line("/// parts, tall, flat, spans.");
        launch("partCount * groupsOfPart(rows, cols, count)");
        line("///");
        line("/// @param count     how many experts there are");
        line("/// @param partCount how many parts the rows of an expert have");
        line("public static void %s(KernelContext context, IntArray table, int slot, FloatArray parts,", v.method());
        line("        LongArray tall, FloatArray flat, IntArray spans, int rows, int cols, int count, int partCount) {");
    }

    @Override
    String tiles() {
        return v.byDepth() ? super.tiles() : "ExpertTiles.count(rows, count, %d)".formatted(TALL);
    }

    @Override
    void tile() {
        if (v.byDepth()) {
            line("int top = group %% tiles * %d;", TALL);
            line("int first = group / tiles %% flatTiles * %d;", v.width());
            line("int expert = group / (tiles * flatTiles) %% count;");
            line("int part = group / (tiles * flatTiles * count);");
            line("int span = table.get(slot + 3) + expert;");
            line("int end = spans.get(span + 1);");
            line("int partDepth = ExpertTiles.partDepth(end - spans.get(span), partCount, %d);", DEPTH);
            line("int from = spans.get(span) + part * partDepth;");
            line("int steps = Math.max(0, (Math.min(partDepth, end - from) + %d) / %d);", DEPTH - 1, DEPTH);
            return;
        }
        line("int tile = group %% tiles;");
        line("int span = table.get(slot + 3) + ExpertTiles.span(tile, count);");
        line("int expert = spans.get(span);");
        line("int begin = spans.get(span + 1);");
        line("int end = spans.get(span + 2);");
        line("int top = ExpertTiles.anchor(begin, rows, %d);", TALL);
        line("int first = group / tiles %% flatTiles * %d;", v.width());
        line("int part = group / (tiles * flatTiles);");
        line("int from = part * partDepth;");
        line("int steps = begin < end ? (Math.min(partDepth, depth - from) + %d) / %d : 0;", DEPTH - 1, DEPTH);
    }

    @Override
    String ends() {
        return "ExpertTiles";
    }

    @Override
    void flatPlaces() {
        if (!v.byDepth()) {
            super.flatPlaces();
            line("flatAt += expert * distance;");
            return;
        }
        line("int flatRow = thread & %d;", v.width() - 1);
        line("int flatPair = thread >> %d & %d;", log(v.width()), THREADS / v.width() - 1);
        line("int flatRows = 0;                            // from one pair to the next");
        line("int flatPairs = %d;", THREADS / v.width());
        line("int flatAt = table.get(slot + 2);");
    }

    @Override
    void element(String name, int j, String further) {
        if (!v.byDepth()) {
            super.element(name, j, further);
            return;
        }
        line("%s = ExpertTiles.element(flat, flatAt, deep + 2 * flatPair%s%s, first + flatRow, cols, end);", name,
                plus(2 * j * THREADS / v.width()), further);
    }

    @Override
    String depthRow(String row) {
        return "ExpertTiles.within(%s, end)".formatted(row);
    }

    @Override
    String depthRoom(String row) {
        return "ExpertTiles.roomWithin(%s, end)".formatted(row);
    }

    @Override
    String depthKeep(String row) {
        return "ExpertTiles.keepWithin(%s, end)".formatted(row);
    }

    @Override
    String part() {
        return "(part * count + expert)";
    }

    @Override
    String partRow() {
        return "(part * tiles + tile) * %d".formatted(TALL);
    }
}
