package dev.gale.kernels.mma;

import java.io.IOException;
import java.util.List;

/// Writes the products of the rows of several experts on the matrix unit, one class each: those of `MmaGenerator`, where a
/// work-group finds in a list which rows of which expert are its own. See `ExpertTiles`.
///
/// `main` rewrites the sources; `MmaGeneratorTest` checks that they are what this writes.
public final class GroupedGenerator extends MmaGenerator {
    /// Every kernel there is.
    static final List<Variant> VARIANTS = MmaGenerator.VARIANTS.stream().filter(each -> each.bf16() && !each.nf4())
            .map(each -> new Variant(each.name().replace("Bf16", "Grouped"), true, false, each.form(), each.rows(), each.cols(),
                    each.warpRows(), each.warpCols())).toList();

    private GroupedGenerator(Variant variant) {
        super(variant);
    }

    /// @param args the folder of the package's sources, from the root of the project if none is given
    public static void main(String[] args) throws IOException {
        write(args, VARIANTS, Variant::name, GroupedGenerator::source);
    }

    /// The source of a kernel's class.
    static String source(Variant variant) {
        return new GroupedGenerator(variant).kernel();
    }

    @Override
    void headOfProduct() {
        boolean byDepth = v.byDepth();
        String turned = byDepth ? "" : "ᵀ";
        line("/// `y[j] = alpha (x[j] w[e]%s + low[j] up[e]%s)` for each row j of expert e, on the matrix unit.", turned,
                turned);
        line("/// Shapes: x `[m, k]`, w[e] `%s`, low `[m, rank]`, up[e] `%s`, BF16, seen as longs of four",
                byDepth ? "[k, n]" : "[n, k]", byDepth ? "[rank, n]" : "[n, rank]");
        line("/// elements; %s; rank a multiple of %d, or 0: no low and up; y `[m, n]`, F32 or",
                byDepth ? "k, n and distance multiples of 4" : "k and distance multiples of 4", DEPTH);
        line("/// BF16; spans I32 from `ExpertTileKernels.expertTiles` for tiles of %d rows. Operands in the table: y, x,",
                v.rows());
        line("/// w of the first expert, low, up of the first expert, the others' behind it, spans.");
        launch(4 * scratch());
        line("/// of x, its column of op(w[e]) and k alone, the low-rank term last; one rounding to y's dtype.");
        line("/// Writes: `=` or, where form says that y is the residual, `+=`; only rows of these experts.");
        line("///");
        line("/// @param form     from `ProductForm.of`; the types of x and w do not matter");
        line("/// @param count    how many experts there are");
        line("/// @param distance elements from the w of one to that of the next");
        line("public static void %s(KernelContext context, IntArray table, int slot, LongArray y,", v.method());
        line("        FloatArray yFloats, ShortArray yHalves, LongArray x, LongArray w, LongArray low, LongArray up,");
        line("        IntArray spans, int form, int count, int distance, int m, int n, int k, float alpha) {");
    }

    @Override
    String groups() {
        return "`MmaGrouped.groups(m, n, count)`";
    }

    /// Groups walk over the list of tiles as they do over the tiles of a matrix.
    @Override
    void tile() {
        line("int tiles = ExpertTiles.count(m, count, %d);", v.rows());
        line("int tile = MmaTiles.top(group, tiles * %d, n, %d, %d) / %d;", v.rows(), v.rows(), v.cols(), v.rows());
        line("int span = table.get(slot + 5) + ExpertTiles.span(tile, count);");
        line("int expert = spans.get(span);");
        line("int begin = spans.get(span + 1);");
        line("int end = spans.get(span + 2);");
        line("int top = ExpertTiles.anchor(begin, m, %d);", v.rows());
        line("int left = MmaTiles.left(group, tiles * %d, n, %d, %d);", v.rows(), v.rows(), v.cols());
        line("int rank = ProductForm.rank(form);");
        line("int steps = (k + %d) / %d;", DEPTH - 1, DEPTH);
        line("int all = begin < end ? steps + rank / %d : 0;", DEPTH);
    }

    @Override
    String ends() {
        return "ExpertTiles";
    }

    @Override
    String ofExpert(String distance) {
        return " + expert * (" + distance + ")";
    }

    @Override
    int lowSlot() {
        return 3;
    }

    @Override
    void placesBeside() {}

    @Override
    String residual() {
        return "y, at";
    }

    /// Rows of other experts are left alone.
    @Override
    void put() {
        line("if (down + %d * q >= begin) {", MmaEpilogue.ROWS);
        line("if (down + %d * q < end) {", MmaEpilogue.ROWS);
        put("yFloats, yHalves, at, yFloats, yHalves,", "at");
        line("}");
        line("}");
    }
}
