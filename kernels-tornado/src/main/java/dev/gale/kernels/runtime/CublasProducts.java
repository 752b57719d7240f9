package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import java.util.List;

/// Products of linear layers by cuBLAS. It reads and writes what a chunk begins with, so operands that lie elsewhere are copied
/// to scratch tensors, and results come from there.
final class CublasProducts {
    private final TornadoOps ops;
    private final Products products;

    CublasProducts(TornadoOps ops, Products products) {
        this.ops = ops;
        this.products = products;
    }

    /// A quantized w is made dense before it is multiplied.
    static boolean takes(Products.Operand x, Products.Operand w) {
        return !x.transposed() && takes(x.tensor()) && (w.tensor().dtype().quantized() || takes(w.tensor())) && x.cols() > 0;
    }

    private static boolean takes(Tensor tensor) {
        return tensor.dtype() == DType.BF16 && tensor.size() % 4 == 0;
    }

    /// Whether the low-rank path can go the same way; its factors are rounded to BF16 then.
    static boolean takes(LowRank side) {
        return takes(side.input()) && side.low().size() > 0 && side.low().cols() % 8 == 0;
    }

    /// Factors of a low-rank term in BF16, which begin their chunks: `alpha low op(up)`.
    private record Factors(Tensor low, Tensor up, float alpha) {}

    void product(Tensor y, Products.Operand x, Products.Operand w, Products.Rest rest, float alpha) {
        product(y, shared(x.tensor()), w, null, rest, alpha);
    }

    /// The low-rank term is a second product onto the first. What else y needs is added by `finish`, in place where y begins a
    /// chunk.
    ///
    /// @param factors null when there is no low-rank term, or it is in rest
    private void product(Tensor y, Tensor left, Products.Operand w, Factors factors, Products.Rest rest, float alpha) {
        boolean direct = y.dtype() == DType.BF16 && beginsChunk(y);
        boolean adds = direct && rest.residual() == y;
        boolean copied = !beginsChunk(w.tensor());
        Tensor right = copied ? ops.copies().make(w.tensor()) : w.tensor();
        Tensor sums = direct ? y : ops.allocateAlone("sums", DType.BF16, y.shape());
        multiply(sums, left, false, right, w.transposed(), alpha, adds ? 1f : 0f);
        if (copied) ops.release(right);
        if (factors != null) multiply(sums, factors.low, false, factors.up, w.transposed(), factors.alpha, 1f);
        Products.Rest missing = adds ? rest.withoutResidual() : rest;
        if (!direct || !missing.isEmpty()) products.finish(y, sums, missing, w.transposed(), 1f);
        if (!direct) ops.release(sums);
    }

    /// @param y null to make only the side's low
    void forward(Tensor y, Tensor x, Tensor w, Tensor bias, Tensor residual, LowRank side) {
        Tensor input = shared(side.input());
        Tensor a = rounded(side.a());
        Tensor low = scratch(side.low());
        multiply(low, input, false, a, true, 1f, 0f);
        ops.release(a);
        ops.copy(side.low(), low);
        if (y != null) {
            Tensor b = rounded(side.b());
            product(y, shared(x), new Products.Operand(w, true), new Factors(low, b, side.scale()),
                    new Products.Rest(bias, residual, null), 1f);
            ops.release(b);
        }
        ops.release(low);
    }

    void backward(Tensor dx, boolean accumulate, Tensor dy, Tensor w, LowRank side, LowRankGrads grads) {
        Tensor left = shared(dy);
        Tensor b = rounded(side.b());
        Tensor dLow = scratch(grads.dLow());
        multiply(dLow, left, false, b, false, side.scale(), 0f);
        ops.copy(grads.dLow(), dLow);
        ops.release(b);
        if (grads.dA() != null) add(grads.dA(), dLow, shared(side.input()), 1f);
        if (grads.dB() != null) {
            Tensor low = rounded(side.low());
            add(grads.dB(), left, low, side.scale());
            ops.release(low);
        }
        Tensor dInput = grads.dInput();
        if (dInput != null) {
            products.matmul(dInput, new Products.Operand(grads.dLow(), false), new Products.Operand(side.a(), false), 1f,
                    false);
        }
        if (dx != null) {
            Factors share = dInput == null ? new Factors(dLow, rounded(side.a()), 1f) : null;
            product(dx, left, new Products.Operand(w, false), share, new Products.Rest(null, accumulate ? dx : null, null), 1f);
            if (share != null) ops.release(share.up);
        }
        ops.release(dLow);
    }

    /// `sum += alpha xᵀ w`, over the rows of both, which begin their chunks.
    private void add(Tensor sum, Tensor x, Tensor w, float alpha) {
        Tensor part = scratch(sum);
        multiply(part, x, true, w, false, alpha, 0f);
        ops.addScaled(sum, part, 1f);
        ops.release(part);
    }

    /// `y = alpha op(x) op(w) + beta y`; all begin their chunks.
    private void multiply(Tensor y, Tensor x, boolean transposeX, Tensor w, boolean transposeW, float alpha, float beta) {
        int m = y.rows();
        int n = y.cols();
        int k = transposeX ? x.rows() : x.cols();
        Cublas.Side left = new Cublas.Side(transposeX, x.cols());
        Cublas.Side right = new Cublas.Side(transposeW, w.cols());
        ops.launch("cublas", null, List.of(m, n, k, transposeX ? 1 : 0, transposeW ? 1 : 0, alpha, beta),
                (graph, id, a) -> Cublas.multiply(graph, id, m, n, k, left, right, alpha, beta,
                        a.brains(0), a.brains(1), a.brains(2)),
                x, w, y);
    }

    private static boolean beginsChunk(Tensor tensor) {
        return DeviceStorage.of(tensor).offset() == 0;
    }

    private Tensor scratch(Tensor like) {
        return ops.allocateAlone("part", DType.BF16, Shape.of(like.rows(), like.cols()));
    }

    /// A copy in BF16.
    private Tensor rounded(Tensor tensor) {
        Tensor copy = scratch(tensor);
        ops.copy(copy, tensor);
        return copy;
    }

    /// The tensor itself, or a copy, where cuBLAS can read it until the call ends.
    private Tensor shared(Tensor tensor) {
        return beginsChunk(tensor) ? tensor : ops.copies().of(tensor);
    }
}
