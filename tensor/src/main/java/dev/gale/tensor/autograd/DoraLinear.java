package dev.gale.tensor.autograd;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.List;

/// A weight-decomposed layer: with the norms n of the rows of `W + s B A`, taken for constants, and their lengths m,
/// `y = m / n * (d Wᵀ + s (d Aᵀ) Bᵀ) + (x - d) Wᵀ + bias + residual`, d = drop(x). Without dropout the third term is nothing.
///
/// n comes from `TensorOps.rowNorm`, for as many products as R tokens take, and without the matrix `W + s B A`.
/// Source: Liu et al. 2024, arXiv 2402.09353 sections 4.1 and 4.3; with dropout, peft `tuners/lora/variants.py`.
///
/// @param product what m / n scales, `[M, out]`
/// @param norm    n, F32 `[out]`
/// @param low     `[M, R]`
/// @param dropped d, or null where it is x
record DoraLinear(Tensor output, Tensor product, Tensor norm, Tensor low, Tensor x, Tensor dropped, Parameter weight,
                  Parameter bias, Tensor residual, Adapter adapter, Tensor rng) implements Op {
    DoraLinear {
        if (weight.trainable()) throw new IllegalArgumentException(weight.name() + " is decomposed, so it must be frozen");
    }

    private Parameter length() {
        return adapter.magnitude().length();
    }

    @Override
    public List<Tensor> inputs() {
        return residual == null ? List.of(x) : List.of(x, residual);
    }

    @Override
    public List<Parameter> parameters() {
        List<Parameter> parameters = new ArrayList<>(List.of(weight, adapter.a(), adapter.b(), length()));
        if (bias != null) parameters.add(bias);
        return parameters;
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        List<Tensor> saved = new ArrayList<>(List.of(norm));
        if (adapter.a().trainable()) saved.add(x);
        if (adapter.b().trainable()) saved.add(low);
        if (length().trainable()) saved.add(product);
        return saved;
    }

    @Override
    public void forward(TensorOps ops) {
        rowNorm(ops, norm, weight.value(), adapter);
        Tensor input = input(ops);
        ops.linearForward(product, input, weight.value(), null, null, side(input));
        Tensor shift = bias == null ? null : bias.value();
        if (dropped == null) {
            ops.columnScaleForward(output, product, length().value(), norm, shift, residual);
            return;
        }
        Tensor rest = ops.allocate("rest of " + x.name(), x.dtype(), x.shape());
        ops.copy(rest, x);
        ops.addScaled(rest, dropped, -1f);
        ops.linearForward(output, rest, weight.value(), shift, residual, null);
        ops.release(rest);
        ops.columnScaleForward(output, product, length().value(), norm, null, output);
    }

    @Override
    public void forwardForBackward(TensorOps ops) {
        rowNorm(ops, norm, weight.value(), adapter);
        Tensor input = input(ops);
        ops.linearForward(length().trainable() ? product : null, input, weight.value(), null, null, side(input));
    }

    /// The norms of the rows of `W + s B A`.
    static void rowNorm(TensorOps ops, Tensor norm, Tensor w, Adapter adapter) {
        Tensor a = adapter.a().value();
        Tensor cross = ops.allocate("cross", DType.F32, Shape.of(w.rows(), a.rows()));                        // [out, R]
        Tensor gram = ops.allocate("gram", DType.F32, Shape.of(a.rows(), a.rows()));                          // [R, R]
        Tensor dense = dense(ops, w);
        ops.matmul(cross, dense, false, a, true, 1f, false);
        if (dense != w) ops.release(dense);
        ops.matmul(gram, a, false, a, true, 1f, false);
        ops.rowNorm(norm, adapter.magnitude().baseNorm(), adapter.b().value(), cross, gram, adapter.scale());
        ops.release(gram);
        ops.release(cross);
    }

    /// The norms of W's own rows.
    static void baseNorm(TensorOps ops, Tensor norm, Tensor w) {
        Tensor dense = dense(ops, w);
        ops.rowNorm(norm, null, dense, dense, null, 0.5f);
        if (dense != w) ops.release(dense);
    }

    /// The weight itself, or what its codes stand for, in the dtype in which they are multiplied.
    private static Tensor dense(TensorOps ops, Tensor w) {
        if (!w.dtype().quantized()) return w;
        Tensor dense = ops.allocate("dense " + w.name(), ops.activationType(), w.shape());
        ops.dequantize(dense, w);
        return dense;
    }

    private Tensor input(TensorOps ops) {
        if (dropped == null) return x;
        drop(ops, dropped, x, false);
        return dropped;
    }

    private void drop(TensorOps ops, Tensor y, Tensor from, boolean accumulate) {
        ops.dropout(y, from, adapter.dropout(), rng, adapter.stream(), accumulate);
    }

    private LowRank side(Tensor input) {
        return new LowRank(input, adapter.a().value(), adapter.b().value(), low, adapter.scale());
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        if (bias != null && bias.trainable()) ops.columnSum(grads.of(bias), dy);
        boolean dyIsNeeded = residual != null || dropped != null;
        Tensor dProduct = dyIsNeeded ? grads.like(product) : dy;
        Tensor dLength = length().trainable() ? grads.of(length()) : null;
        ops.columnScaleBackward(dProduct, dLength, dy, dLength == null ? null : product, length().value(), norm);
        if (dropped == null) {
            Grads.Sink dx = grads.wants(x) ? grads.sink(x) : new Grads.Sink(null, false);
            linearBackward(ops, grads, dx.tensor(), dx.accumulate(), dProduct, x);
        } else {
            backwardThroughDropout(ops, grads, dy, dProduct);
        }
        if (dyIsNeeded) ops.release(dProduct);
        if (residual == null) ops.release(dy);
        else grads.giveIfWanted(residual, dy);
    }

    private void linearBackward(TensorOps ops, Grads grads, Tensor dInput, boolean accumulate, Tensor dProduct, Tensor input) {
        Tensor dLow = grads.like(low);
        ops.linearBackward(dInput, accumulate, dProduct, weight.value(), side(input),
                new LowRankGrads(adapter.a().trainable() ? grads.of(adapter.a()) : null,
                        adapter.b().trainable() ? grads.of(adapter.b()) : null, dLow, null));
        ops.release(dLow);
    }

    /// x goes into `(x - d) Wᵀ` and, dropped, into both terms of d: `dx = dy W + drop(dd - dy W)`.
    private void backwardThroughDropout(TensorOps ops, Grads grads, Tensor dy, Tensor dProduct) {
        Tensor again = adapter.a().trainable() ? ops.allocate("dropped " + x.name(), x.dtype(), x.shape()) : null;
        if (again != null) drop(ops, again, x, false);
        Tensor input = again == null ? dropped : again;
        if (grads.wants(x)) {
            Tensor dDropped = grads.like(x);
            linearBackward(ops, grads, dDropped, false, dProduct, input);
            Grads.Sink dx = grads.sink(x);
            Tensor dRest = dx.accumulate() ? grads.like(x) : dx.tensor();
            ops.linearBackward(dRest, false, dy, weight.value(), null, null);
            ops.addScaled(dDropped, dRest, -1f);
            if (dx.accumulate()) {
                ops.addScaled(dx.tensor(), dRest, 1f);
                ops.release(dRest);
            }
            drop(ops, dx.tensor(), dDropped, true);
            ops.release(dDropped);
        } else {
            linearBackward(ops, grads, null, false, dProduct, input);
        }
        if (again != null) ops.release(again);
    }
}
