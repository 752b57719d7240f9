package dev.gale.kernels.runtime;

import dev.gale.kernels.LowRankKernels;
import dev.gale.kernels.ProductForm;
import dev.gale.kernels.mma.MmaNarrow;
import dev.gale.kernels.mma.MmaProduct;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import java.util.List;

/// Products of linear layers on the matrix unit, by kernels that finish what they begin. A low-rank term is more steps of the
/// same product, on BF16 copies of its factors with ranks of zeros.
final class MmaProducts {
    private final TornadoOps ops;

    MmaProducts(TornadoOps ops) {
        this.ops = ops;
    }

    /// Whether both operands have elements of the same 16 bits, x stands upright, and rows are whole numbers of longs: not a
    /// question of how many rows x has, on which the bits of a row of y must not depend.
    static boolean takes(Products.Operand x, Products.Operand w) {
        DType dtype = x.tensor().dtype();
        return (dtype == DType.BF16 || dtype == DType.F16) && w.tensor().dtype() == dtype && !x.transposed()
                && MmaProduct.takes(!w.transposed(), w.cols(), x.cols());
    }

    /// Whether the low-rank path beside a product of x can go the same way; its factors are rounded to BF16 then.
    static boolean takes(Products.Operand x, LowRank side) {
        return x.tensor().dtype() == DType.BF16 && side.input().dtype() == DType.BF16 && side.input().cols() % 4 == 0
                && side.low().size() > 0;
    }

    /// Factors of a low-rank term in BF16, with zeros up to a rank that kernels take: `low op(up)`.
    private record Factors(Tensor low, Tensor up) {
        int rank() {
            return low.cols();
        }
    }

    /// Whether its kernels write y and read what is added to it: F32 and BF16.
    static boolean finishes(Tensor y, Products.Rest rest) {
        return y.dtype() != DType.F16 && !isF16(rest.bias()) && !isF16(rest.residual());
    }

    private static boolean isF16(Tensor tensor) {
        return tensor != null && tensor.dtype() == DType.F16;
    }

    /// @param rest without a low-rank term; `finishes` takes it and y
    void product(Tensor y, Products.Operand x, Products.Operand w, Products.Rest rest, float alpha) {
        product(y, x, w, null, rest, alpha);
    }

    private void product(Tensor y, Products.Operand x, Products.Operand w, Factors factors, Products.Rest rest, float alpha) {
        int m = y.rows();
        int n = y.cols();
        int k = x.cols();
        MmaProduct product = MmaProduct.of(x.tensor().dtype() == DType.BF16, !w.transposed(), m, n);
        int form = ProductForm.of(Products.type(y), Products.type(x.tensor()), Products.type(w.tensor()),
                Products.type(rest.bias()), Products.type(rest.residual()), 0, w.transposed() ? 1 : 0,
                factors == null ? 0 : factors.rank());
        ops.launch(product.name(), Grid.groups(product.groups(m, n), product.threads()), List.of(form, m, n, k, alpha),
                (graph, id, a) -> graph.task(id, product.kernel(), a.context(), a.table(), a.slot(), a.longs(0), a.floats(0),
                        a.halves(0), a.longs(1), a.longs(2), a.floats(3), a.halves(3), a.longs(4), a.floats(4), a.halves(4),
                        a.longs(5), a.longs(6), form, m, n, k, alpha),
                y, x.tensor(), w.tensor(), rest.bias() == null ? y : rest.bias(), rest.residual() == null ? y : rest.residual(),
                factors == null ? y : factors.low, factors == null ? y : factors.up);
    }

    /// @param y null to make only the side's low
    void forward(Tensor y, Products.Operand x, Products.Operand w, Tensor bias, Tensor residual, LowRank side) {
        Tensor low = low(side.low(), side.input(), new Products.Operand(side.a(), false), 1f, side.scale());
        if (y != null) {
            Tensor up = padded(side.b(), w.cols(), low.cols());
            product(y, x, w, new Factors(low, up), new Products.Rest(bias, residual, null), 1f);
            ops.release(up);
        }
        ops.release(low);
    }

    void backward(Tensor dx, boolean accumulate, Products.Operand dy, Products.Operand w, LowRank side, LowRankGrads grads) {
        Tensor dLow = low(grads.dLow(), dy.tensor(), new Products.Operand(side.b(), true), side.scale(), side.scale());
        if (grads.dA() != null) addGradient(grads.dA(), side.input(), grads.dLow(), false, 1f);
        if (grads.dB() != null) addGradient(grads.dB(), dy.tensor(), side.low(), true, side.scale());
        Tensor dInput = grads.dInput();
        if (dx != null || dInput != null) {
            Tensor up = padded(side.a(), dLow.cols(), w.cols());
            Products.Rest before = new Products.Rest(null, accumulate ? dx : null, null);
            if (dInput != null) {
                product(dInput, new Products.Operand(dLow, false), new Products.Operand(up, false), Products.Rest.NONE, 1f);
            }
            if (dx != null) product(dx, dy, w, dInput == null ? new Factors(dLow, up) : null, before, 1f);
            ops.release(up);
        }
        ops.release(dLow);
    }

    /// `low = alpha tall flatᵀ`.
    ///
    /// @return `copyAlpha tall flatᵀ` as a factor, which the caller releases
    private Tensor low(Tensor low, Tensor tall, Products.Operand flat, float alpha, float copyAlpha) {
        int rows = low.rows();
        int cols = low.cols();
        int depth = tall.cols();
        int copyCols = MmaProduct.paddedRank(cols);
        MmaNarrow narrow = MmaNarrow.of(false, cols);
        Tensor parts = parts(narrow, tall, flat.tensor(), flat.transposed(), rows, cols, depth);
        Tensor copy = ops.allocate("low", DType.BF16, Shape.of(rows, copyCols));
        int count = MmaNarrow.parts(depth);
        int length = narrow.partLength(rows, cols);
        int stride = narrow.stride(rows, cols);
        ops.launch("addLow", Grid.threads((long) rows * copyCols / 2, LowRankKernels.GROUP),
                List.of(rows, cols, copyCols, count, length, stride, alpha, copyAlpha), (graph, id, a) -> graph.task(id,
                        LowRankKernels::addLow, a.context(), a.table(), a.slot(), a.floats(0), a.ints(1), a.floats(2), rows,
                        cols, copyCols, count, length, stride, alpha, copyAlpha), low, copy, parts);
        ops.release(parts);
        return copy;
    }

    /// `sum += alpha flatᵀ tall` or, transposed, `sum += alpha tallᵀ flat`, over the rows of both.
    private void addGradient(Tensor sum, Tensor tall, Tensor flat, boolean transposed, float alpha) {
        int rows = tall.cols();
        int cols = flat.cols();
        int depth = tall.rows();
        MmaNarrow narrow = MmaNarrow.of(true, cols);
        Tensor parts = parts(narrow, tall, flat, true, rows, cols, depth);
        int count = MmaNarrow.parts(depth);
        int length = narrow.partLength(rows, cols);
        int stride = narrow.stride(rows, cols);
        int flips = transposed ? 1 : 0;
        ops.launch("addGradient", Grid.threads((long) rows * cols, LowRankKernels.GROUP),
                List.of(flips, cols, rows, count, length, stride, alpha), (graph, id, a) -> graph.task(id,
                        LowRankKernels::addGradient, a.context(), a.table(), a.slot(), a.floats(0), a.floats(1), flips, cols,
                        rows, count, length, stride, alpha, 0, 0), sum, parts);
        ops.release(parts);
    }

    private Tensor parts(MmaNarrow narrow, Tensor tall, Tensor flat, boolean flatByDepth, int rows, int cols, int depth) {
        int partDepth = MmaNarrow.partDepth(depth);
        int orientation = flatByDepth ? 1 : 0;
        Tensor parts = ops.allocate("parts", DType.F32, Shape.of(MmaNarrow.parts(depth), narrow.partLength(rows, cols)));
        ops.launch(narrow.name(), Grid.groups(narrow.groups(rows, cols, depth), MmaNarrow.THREADS),
                List.of(orientation, rows, cols, depth, partDepth), (graph, id, a) -> graph.task(id, narrow.kernel(),
                        a.context(), a.table(), a.slot(), a.floats(0), a.longs(1), a.floats(2), orientation, rows, cols,
                        depth, partDepth),
                parts, tall, flat);
        return parts;
    }

    /// A copy in BF16 with zeros beyond the tensor, which the caller releases.
    private Tensor padded(Tensor tensor, int copyRows, int copyCols) {
        int rows = tensor.rows();
        int cols = tensor.cols();
        Tensor copy = ops.allocate("up", DType.BF16, Shape.of(copyRows, copyCols));
        ops.launch("padded", Grid.threads((long) copyRows * copyCols / 2, LowRankKernels.GROUP),
                List.of(rows, cols, copyRows, copyCols), (graph, id, a) -> graph.task(id, LowRankKernels::padded, a.context(),
                        a.table(), a.slot(), a.ints(0), a.floats(1), rows, cols, copyRows, copyCols, 0), copy, tensor);
        return copy;
    }
}
