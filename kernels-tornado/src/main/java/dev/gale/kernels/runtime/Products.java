package dev.gale.kernels.runtime;

import dev.gale.kernels.MatmulKernels;
import dev.gale.kernels.ProductEpilogue;
import dev.gale.kernels.ProductForm;
import dev.gale.kernels.SkinnyKernels;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import java.util.List;

/// Which kernels make a matrix product.
final class Products {
    /// Columns of a product that tiles would leave half empty, and the depth from which on parts of it are summed apart.
    private static final int NARROW = 128;
    private static final int DEEP = 1024;

    private final TornadoOps ops;
    private final ProductEngine engine;
    private final CublasProducts cublas;
    private final MmaProducts mma;

    Products(TornadoOps ops, ProductEngine engine) {
        this.ops = ops;
        this.engine = engine;
        cublas = new CublasProducts(ops, this);
        mma = new MmaProducts(ops);
    }

    /// A matrix as it is stored, and whether the product takes it transposed.
    record Operand(Tensor tensor, boolean transposed) {
        int rows() {
            return transposed ? tensor.cols() : tensor.rows();
        }

        int cols() {
            return transposed ? tensor.rows() : tensor.cols();
        }
    }

    /// A low-rank term: `alpha low up`, up stored as the right operand is.
    record Side(Tensor low, Tensor up, float alpha) {}

    /// What is added to a product; each may be null. The residual may be the result.
    record Rest(Tensor bias, Tensor residual, Side side) {
        static final Rest NONE = new Rest(null, null, null);

        Rest withoutResidual() {
            return new Rest(bias, null, side);
        }

        boolean isEmpty() {
            return bias == null && residual == null && side == null;
        }
    }

    void matmul(Tensor c, Operand a, Operand b, float alpha, boolean accumulate) {
        if (isNarrow(c, a, b)) skinny(c, a, new Operand(b.tensor, false), false, alpha, accumulate);
        else product(c, a, b, new Rest(null, accumulate ? c : null, null), alpha);
    }

    /// Whether the product is one with few columns, as those of a weight and an adapter's down projection are.
    private static boolean isNarrow(Tensor c, Operand a, Operand b) {
        boolean narrow = b.transposed && b.tensor.rows() <= NARROW && b.tensor.cols() >= DEEP;
        return narrow && c.dtype() == DType.F32 && b.tensor.dtype() == DType.F32 && a.tensor.dtype() != DType.F16;
    }

    /// @param y null to make only the side's low
    void forward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        Operand left = new Operand(x, false);
        Operand right = new Operand(w, true);
        Side share = null;
        if (side != null) {
            if (onCublas(left, right) && CublasProducts.takes(side)) {
                cublas.forward(y, x, w, bias, residual, side);
                return;
            }
            boolean finishes = y == null || MmaProducts.finishes(y, new Rest(bias, residual, null));
            if (onMatrixUnit(left, right) && MmaProducts.takes(left, side) && finishes) {
                mma.forward(y, left, right, bias, residual, side);
                return;
            }
            skinny(side.low(), new Operand(side.input(), false), new Operand(side.a(), false), false, 1f, false);
            share = new Side(side.low(), side.b(), side.scale());
        }
        if (y != null) product(y, left, right, new Rest(bias, residual, share), 1f);
    }

    void backward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side, LowRankGrads grads) {
        Operand left = new Operand(dy, false);
        Operand right = new Operand(w, false);
        Tensor before = accumulate ? dx : null;
        if (side == null) {
            if (dx != null) product(dx, left, right, new Rest(null, before, null), 1f);
            return;
        }
        if (onCublas(left, right) && CublasProducts.takes(side)) {
            cublas.backward(dx, accumulate, dy, w, side, grads);
            return;
        }
        boolean finishes = dx == null || MmaProducts.finishes(dx, Rest.NONE);
        if (onMatrixUnit(left, right) && MmaProducts.takes(left, side) && finishes) {
            mma.backward(dx, accumulate, left, right, side, grads);
            return;
        }
        Tensor dLow = grads.dLow();
        skinny(dLow, left, new Operand(side.b(), true), false, side.scale(), false);
        if (grads.dA() != null) {
            skinny(grads.dA(), new Operand(side.input(), true), new Operand(dLow, true), true, 1f, true);
        }
        if (grads.dB() != null) {
            skinny(grads.dB(), new Operand(dy, true), new Operand(side.low(), true), false, side.scale(), true);
        }
        Tensor dInput = grads.dInput();
        if (dInput != null) matmul(dInput, new Operand(dLow, false), new Operand(side.a(), false), 1f, false);
        if (dx == null) return;
        product(dx, left, right, new Rest(null, before, dInput == null ? new Side(dLow, side.a(), 1f) : null), 1f);
    }

    static int type(Tensor tensor) {
        return tensor == null ? ProductForm.ABSENT : Launch.type(tensor.dtype());
    }

    private static int flag(boolean set) {
        return set ? 1 : 0;
    }

    private boolean onCublas(Operand x, Operand w) {
        return engine == ProductEngine.CUBLAS && CublasProducts.takes(x, w);
    }

    private boolean onMatrixUnit(Operand x, Operand w) {
        return engine != ProductEngine.TILED && !onCublas(x, w) && MmaProducts.takes(x, w);
    }

    private void product(Tensor y, Operand x, Operand w, Rest rest, float alpha) {
        if (y.size() == 0) return;
        if (onCublas(x, w)) cublas.product(y, x, w, rest, alpha);
        else if (!onMatrixUnit(x, w)) tiled(y, x, w, rest, alpha);
        else if (!MmaProducts.finishes(y, rest)) finished(y, x, w, rest, alpha);
        else if (rest.side == null) mma.product(y, x, w, rest, alpha);
        else afterSide(y, x, w, rest);
    }

    /// What the matrix unit's kernels do not write: F32 sums, which another kernel finishes.
    private void finished(Tensor y, Operand x, Operand w, Rest rest, float alpha) {
        Tensor sums = ops.allocate("sums", DType.F32, y.shape());
        mma.product(sums, x, w, Rest.NONE, rest.side == null ? alpha : 1f);
        finish(y, sums, rest, w.transposed, 1f);
        ops.release(sums);
    }

    /// A low-rank term that is not rounded is made in F32 first.
    private void afterSide(Tensor y, Operand x, Operand w, Rest rest) {
        Side side = rest.side;
        Tensor before = ops.allocate("side", DType.F32, y.shape());
        tiled(before, new Operand(side.low, false), new Operand(side.up, w.transposed), new Rest(null, rest.residual, null),
                side.alpha);
        mma.product(y, x, w, new Rest(rest.bias, before, null), 1f);
        ops.release(before);
    }

    private void tiled(Tensor y, Operand x, Operand w, Rest rest, float alpha) {
        Side side = rest.side;
        int m = y.rows();
        int n = y.cols();
        int k = x.cols();
        int rank = side == null ? 0 : side.low.cols();
        float factor = side == null ? alpha : side.alpha;
        int form = ProductForm.of(type(y), type(x.tensor), type(w.tensor), type(rest.bias), type(rest.residual),
                flag(x.transposed), flag(w.transposed), rank);
        Tensor low = side == null ? y : side.low;
        Tensor up = side == null ? y : side.up;
        ops.launch("product", Grid.tiles(m, n, MatmulKernels.TILE, MatmulKernels.TILE, MatmulKernels.GROUP),
                List.of(form, m, n, k, factor), (graph, id, a) -> graph.task(id, MatmulKernels::product, a.context(), a.table(),
                        a.slot(), a.floats(0), a.halves(0), a.floats(1), a.halves(1), a.floats(2), a.halves(2), a.floats(3),
                        a.halves(3), a.floats(4), a.halves(4), a.floats(5), a.floats(6), form, m, n, k, factor),
                y, x.tensor, w.tensor, rest.bias == null ? y : rest.bias, rest.residual == null ? y : rest.residual, low, up);
    }

    /// Whether a head's logits and their gradients, of these operands, should be BF16.
    boolean prefersBf16(Tensor x, Tensor w) {
        Operand left = new Operand(x, false);
        return x.dtype() == DType.BF16 && w.rows() % 4 == 0 && engine != ProductEngine.TILED
                && MmaProducts.takes(left, new Operand(w, true)) && MmaProducts.takes(left, new Operand(w, false));
    }

    private static boolean allBf16(Tensor y, Tensor sums, Tensor residual) {
        return y.dtype() == DType.BF16 && sums.dtype() == DType.BF16 && (residual == null || residual.dtype() == DType.BF16);
    }

    /// What is added to the sums of a library's product.
    ///
    /// @param sums       their first y.rows() rows and y.cols() columns count
    /// @param transposed whether the right operand, and with it the side's up, is
    void finish(Tensor y, Tensor sums, Rest rest, boolean transposed, float alpha) {
        Side side = rest.side;
        int m = y.rows();
        int n = y.cols();
        int stride = sums.cols();
        int rank = side == null ? 0 : side.low.cols();
        float sideScale = side == null ? 0f : side.alpha;
        int form = ProductForm.of(type(y), type(sums), type(sums), type(rest.bias), type(rest.residual), 0, flag(transposed),
                rank);
        if (allBf16(y, sums, rest.residual) && n % 4 == 0 && stride % 4 == 0) {
            ops.launch("finishBf16",
                    Grid.tiles(m, n, ProductEpilogue.BF16_ROWS, ProductEpilogue.BF16_COLS, ProductEpilogue.GROUP),
                    List.of(form, m, n, stride, alpha, sideScale), (graph, id, a) -> graph.task(id, ProductEpilogue::finishBf16,
                            a.context(), a.table(), a.slot(), a.longs(0), a.longs(1), a.floats(2), a.halves(2), a.longs(3),
                            a.floats(4), a.floats(5), form, m, n, stride, alpha, sideScale),
                    y, sums, rest.bias == null ? y : rest.bias, rest.residual == null ? y : rest.residual,
                    side == null ? y : side.low, side == null ? y : side.up);
            return;
        }
        ops.launch("finish", Grid.tiles(m, n, ProductEpilogue.TILE, ProductEpilogue.TILE, ProductEpilogue.GROUP),
                List.of(form, m, n, stride, alpha, sideScale), (graph, id, a) -> graph.task(id, ProductEpilogue::finish,
                        a.context(), a.table(), a.slot(), a.floats(0), a.halves(0), a.floats(1), a.halves(1), a.floats(2),
                        a.halves(2), a.floats(3), a.halves(3), a.floats(4), a.floats(5), form, m, n, stride, alpha, sideScale),
                y, sums, rest.bias == null ? y : rest.bias, rest.residual == null ? y : rest.residual,
                side == null ? y : side.low, side == null ? y : side.up);
    }

    /// `c (+)= alpha tall flatᵀ` or its transpose, where flat has few rows: both operands are seen as `[rows, depth]`.
    private void skinny(Tensor c, Operand tall, Operand flat, boolean transposed, float alpha, boolean accumulate) {
        int rows = tall.rows();
        int cols = flat.rows();
        int depth = tall.cols();
        if (rows == 0 || cols == 0) return;
        int count = SkinnyKernels.parts(depth);
        int partDepth = SkinnyKernels.partDepth(depth);
        int n = rows * cols;
        int tallByDepth = flag(tall.transposed);
        int flatByDepth = flag(flat.transposed);
        int flips = flag(transposed);
        int adds = flag(accumulate);
        int tallType = type(tall.tensor);
        Tensor parts = ops.allocate("parts", DType.F32, Shape.of(count, n));
        Grid grid = new Grid(Math.ceilDiv(rows, SkinnyKernels.TALL), Math.ceilDiv(cols, SkinnyKernels.FLAT) * count,
                SkinnyKernels.GROUP, 1);
        ops.launch("skinnyParts", grid, List.of(tallByDepth, flatByDepth, flips, rows, cols, depth, partDepth),
                (graph, id, a) -> graph.task(id, SkinnyKernels::skinnyParts, a.context(), a.table(), a.slot(), a.floats(0),
                        a.floats(1), a.halves(1), a.floats(2), tallType, tallByDepth, flatByDepth, flips, rows, cols, depth,
                        partDepth), parts, tall.tensor, flat.tensor);
        ops.launch("addParts", Grid.threads(n, SkinnyKernels.GROUP), List.of(count, n, adds, alpha),
                (graph, id, a) -> graph.task(id, SkinnyKernels::addParts, a.context(), a.table(), a.slot(), a.floats(0),
                        a.floats(1), count, n, adds, alpha), c, parts);
        ops.release(parts);
    }
}
