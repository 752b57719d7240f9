package dev.gale.kernels.runtime;

import dev.gale.kernels.ExpertTileKernels;
import dev.gale.kernels.LowRankKernels;
import dev.gale.kernels.ProductForm;
import dev.gale.kernels.mma.ExpertTiles;
import dev.gale.kernels.mma.MmaGrouped;
import dev.gale.kernels.mma.MmaGroupedNarrow;
import dev.gale.kernels.mma.MmaNarrow;
import dev.gale.kernels.mma.MmaProduct;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.GroupedLowRank;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/// Products of the rows of experts on the matrix unit, as `MmaProducts` makes those of one matrix. Where an expert's rows lie
/// is known on the device alone: a list of tiles, made there once for all products of the same offsets, tells it to
/// work-groups.
final class MmaExperts {
    private final TornadoOps ops;

    MmaExperts(TornadoOps ops) {
        this.ops = ops;
    }

    /// The low-rank term of all rows, its factors in BF16 with zeros up to a rank that kernels take.
    ///
    /// @param low `[N, rank]`
    /// @param up  of every expert, one behind the other, stored as its matrix is
    record Factors(Tensor low, Tensor up) {}

    /// Whether it multiplies a by matrices of BF16: not a question of how many rows there are, see `MmaProducts.takes`.
    static boolean takes(Tensor c, Tensor a, boolean transposeW) {
        return a.dtype() == DType.BF16 && writes(c) && MmaProduct.takes(!transposeW, c.cols(), a.cols());
    }

    static boolean writes(Tensor c) {
        return c.dtype() == DType.BF16 || c.dtype() == DType.F32;
    }

    /// Whether the low-rank path beside a product of x, or of dy, can go the same way; its factors are rounded to BF16 then.
    static boolean takes(Tensor x, GroupedLowRank side) {
        return x.dtype() == DType.BF16 && side.input().dtype() == DType.BF16 && side.low().size() > 0 && x.cols() % 4 == 0
                && side.input().cols() % 4 == 0 && allF32(side.a()) && allF32(side.b())
                && side.b().stream().filter(Objects::nonNull).allMatch(b -> b.rows() % 4 == 0);
    }

    private static boolean allF32(List<Tensor> matrices) {
        return matrices.stream().allMatch(one -> one == null || one.dtype() == DType.F32);
    }

    /// The list of the tiles of some experts: see `ExpertTiles`.
    private Tensor spans(Tensor offsets, ExpertRun run, int rows, int tile) {
        int first = run.first();
        int count = run.count();
        int tiles = ExpertTiles.count(rows, count, tile);
        return ops.copies().of(offsets, List.of(first, count, rows, tile), () -> {
            Tensor spans = ops.allocate("spans", DType.I32, Shape.of(ExpertTiles.length(rows, count, tile)));
            ops.launch("expertTiles", Grid.threads(Math.max(tiles, count + 1), ExpertTileKernels.GROUP),
                    List.of(first, count, tiles, tile), (graph, id, a) -> graph.task(id, ExpertTileKernels::expertTiles,
                            a.context(), a.table(), a.slot(), a.ints(0), a.ints(1), first, count, tiles, tile), spans, offsets);
            return spans;
        });
    }

    /// `y[j] = alpha x[j] op(w[e]) + low-rank term` or, with adds, `+=`, for the rows of experts that have a matrix.
    ///
    /// @param factors null for no such term
    void product(Tensor y, Tensor x, List<Tensor> w, boolean transposeW, Tensor offsets, Factors factors, float alpha,
            boolean adds) {
        int m = y.rows();
        int n = y.cols();
        int k = x.cols();
        int rank = factors == null ? 0 : factors.low.cols();
        int type = Products.type(y);
        int form = ProductForm.of(type, Products.type(x), Products.type(x), ProductForm.ABSENT,
                adds ? type : ProductForm.ABSENT, 0, transposeW ? 1 : 0, rank);
        for (ExpertRun run : ExpertRun.of(w)) {
            int count = run.count();
            int stride = run.stride();
            MmaGrouped product = MmaGrouped.of(!transposeW, m, n, count);
            Tensor spans = spans(offsets, run, m, product.rows());
            ops.launch("GROUPED_" + product.name(), Grid.groups(product.groups(m, n, count), MmaGrouped.THREADS),
                    List.of(form, count, stride, m, n, k, alpha), (graph, id, a) -> graph.task(id, product.kernel(),
                            a.context(), a.table(), a.slot(), a.longs(0), a.floats(0), a.halves(0), a.longs(1), a.longs(2),
                            a.longs(3), a.longs(4), a.ints(5), form, count, stride, m, n, k, alpha),
                    y, x, run.matrix(), factors == null ? y : factors.low,
                    factors == null ? y : slice(factors.up, run.first(), n * rank), spans);
        }
    }

    /// `y[j] = low[j] up[e]`, up by depth.
    void product(Tensor y, Factors factors, Tensor offsets) {
        int rank = factors.low.cols();
        List<Tensor> ups = IntStream.range(0, factors.up.rows() / rank)
                .mapToObj(e -> slice(factors.up, e, rank * factors.up.cols())).toList();
        product(y, factors.low, ups, false, offsets, null, 1f, false);
    }

    /// An expert's part of a stack, and what follows.
    private static Tensor slice(Tensor stack, int expert, int size) {
        DeviceStorage storage = DeviceStorage.of(stack);
        return new Tensor(stack.name(), stack.dtype(), Shape.of(size),
                new DeviceStorage(storage.chunk(), storage.offset() + stack.dtype().bytes((long) expert * size)));
    }

    /// `low[j] = alpha tall[j] flat[e]ᵀ`, 0 for the rows of experts without a matrix.
    ///
    /// @param flatByDepth flat[e] is stored `[depth, R]` rather than `[R, depth]`
    /// @return `copyAlpha tall flatᵀ` as a factor, which the caller releases
    Tensor low(Tensor low, Tensor tall, List<Tensor> flat, boolean flatByDepth, Tensor offsets, float alpha, float copyAlpha) {
        int rows = tall.rows();
        int cols = low.cols();
        int depth = tall.cols();
        int copyCols = MmaProduct.paddedRank(cols);
        int orientation = flatByDepth ? 1 : 0;
        int partDepth = MmaNarrow.partDepth(depth);
        int partCount = MmaNarrow.parts(depth);
        int tile = MmaGroupedNarrow.TALL;
        MmaGroupedNarrow narrow = MmaGroupedNarrow.of(cols);
        Tensor copy = ops.allocate("low", DType.BF16, Shape.of(rows, copyCols));
        if (flat.contains(null)) {
            ops.fill(low, 0f);
            ops.fill(copy, 0f);
        }
        for (ExpertRun run : ExpertRun.of(flat)) {
            int count = run.count();
            int stride = run.stride();
            int tiles = ExpertTiles.count(rows, count, tile);
            int length = narrow.partLength(rows, cols, count);
            int width = narrow.stride(cols);
            Tensor spans = spans(offsets, run, rows, tile);
            Tensor parts = ops.allocate("parts", DType.F32, Shape.of(partCount, length));
            Grid grid = Grid.groups(narrow.groups(rows, cols, depth, count), MmaGroupedNarrow.THREADS);
            ops.launch("GROUPED_BY_ROW_" + narrow.name(), grid, List.of(orientation, rows, cols, depth, partDepth, count,
                    stride), (graph, id, a) -> graph.task(id, narrow.byRow(), a.context(), a.table(), a.slot(), a.floats(0),
                            a.longs(1), a.floats(2), a.ints(3), orientation, rows, cols, depth, partDepth, count, stride),
                    parts, tall, run.matrix(), spans);
            ops.launch("addExpertLow", Grid.threads((long) tiles * tile * copyCols / 2, ExpertTileKernels.GROUP),
                    List.of(rows, cols, copyCols, count, tiles, tile, partCount, length, width, alpha, copyAlpha),
                    (graph, id, a) -> graph.task(id, ExpertTileKernels::addExpertLow, a.context(), a.table(), a.slot(),
                            a.floats(0), a.ints(1), a.floats(2), a.ints(3), rows, cols, copyCols, count, tiles, tile,
                            partCount, length, width, alpha, copyAlpha), low, copy, parts, spans);
            ops.release(parts);
        }
        return copy;
    }

    /// `sums[e] += alpha flatᵀ tall` or, transposed, `sums[e] += alpha tallᵀ flat`, over the rows of expert e.
    ///
    /// @param sums F32, null for those not wanted
    void addGradient(List<Tensor> sums, Tensor tall, Tensor flat, boolean transposed, Tensor offsets, float alpha) {
        int rows = tall.cols();
        int cols = flat.cols();
        int flips = transposed ? 1 : 0;
        MmaGroupedNarrow narrow = MmaGroupedNarrow.of(cols);
        int length = narrow.lengthOfExpert(rows, cols);
        int width = narrow.strideByDepth(rows);
        for (ExpertRun run : ExpertRun.of(sums)) {
            int count = run.count();
            int stride = run.stride();
            int partCount = narrow.parts(rows, cols, tall.rows(), count);
            int partLength = Math.multiplyExact(count, length);
            Tensor spans = spans(offsets, run, tall.rows(), MmaGroupedNarrow.TALL);
            Tensor parts = ops.allocate("parts", DType.F32, Shape.of(partCount, partLength));
            ops.launch("GROUPED_BY_DEPTH_" + narrow.name(),
                    Grid.groups(partCount * narrow.groupsOfPart(rows, cols, count), MmaGroupedNarrow.THREADS),
                    List.of(rows, cols, count, partCount), (graph, id, a) -> graph.task(id, narrow.byDepth(), a.context(),
                            a.table(), a.slot(), a.floats(0), a.longs(1), a.floats(2), a.ints(3), rows, cols, count, partCount),
                    parts, tall, flat, spans);
            for (Tensor each : sums.subList(run.first(), run.first() + count)) ops.copies().touched(each);
            Grid grid = new Grid(Math.ceilDiv(rows * cols, LowRankKernels.GROUP), count, LowRankKernels.GROUP, 1);
            ops.launch("addGradient", grid, List.of(flips, cols, rows, partCount, partLength, width, alpha, stride, length),
                    (graph, id, a) -> graph.task(id, LowRankKernels::addGradient, a.context(), a.table(), a.slot(), a.floats(0),
                            a.floats(1), flips, cols, rows, partCount, partLength, width, alpha, stride, length), run.matrix(),
                            parts);
            ops.release(parts);
        }
    }

    /// Copies of all matrices in BF16, one behind the other, with zeros beyond each and for those that are not there, which the
    /// caller releases.
    Tensor factors(List<Tensor> matrices, int copyRows, int copyCols) {
        Tensor any = matrices.stream().filter(Objects::nonNull).findFirst().orElseThrow();
        int rows = any.rows();
        int cols = any.cols();
        Tensor copy = ops.allocate("up", DType.BF16, Shape.of(matrices.size() * copyRows, copyCols));
        if (matrices.contains(null)) ops.fill(copy, 0f);
        for (ExpertRun run : ExpertRun.of(matrices)) {
            int stride = run.stride();
            Grid grid = new Grid(Math.ceilDiv(copyRows * copyCols / 2, LowRankKernels.GROUP), run.count(),
                    LowRankKernels.GROUP, 1);
            ops.launch("padded", grid, List.of(rows, cols, copyRows, copyCols, stride), (graph, id, a) -> graph.task(id,
                    LowRankKernels::padded, a.context(), a.table(), a.slot(), a.ints(0), a.floats(1), rows, cols, copyRows,
                    copyCols, stride), slice(copy, run.first(), copyRows * copyCols), run.matrix());
        }
        return copy;
    }
}
