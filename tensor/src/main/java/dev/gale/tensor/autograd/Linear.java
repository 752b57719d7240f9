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

/// Node of `TensorOps.linearForward`. bias, residual and side may be null.
///
/// @param side what the low-rank path reads and writes, and how its input is dropped
record Linear(Tensor output, Tensor x, Parameter weight, Parameter bias, Tensor residual, Side side) implements Op {

    /// The low-rank path of one call.
    ///
    /// @param a       down projection `[R, in]`
    /// @param b       up projection `[out, R]`
    /// @param low     `[M, R]`
    /// @param dropped x after dropout, or null when there is none
    record Side(Parameter a, Parameter b, Tensor low, Tensor dropped, Adapter adapter, Tensor rng) {
        LowRank operands(Tensor input) {
            return new LowRank(input, a.value(), b.value(), low, adapter.scale());
        }
    }

    @Override
    public List<Tensor> inputs() {
        return residual == null ? List.of(x) : List.of(x, residual);
    }

    @Override
    public List<Parameter> parameters() {
        List<Parameter> parameters = new ArrayList<>(List.of(weight));
        if (bias != null) parameters.add(bias);
        if (side != null) parameters.addAll(List.of(side.a, side.b));
        if (upBias() != null) parameters.add(upBias());
        return parameters;
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        List<Tensor> saved = new ArrayList<>();
        boolean sideReadsX = side != null && side.a.trainable();
        if (weight.trainable() || sideReadsX) saved.add(x);
        if (side != null && side.b.trainable()) saved.add(side.low);
        return saved;
    }

    @Override
    public void forward(TensorOps ops) {
        LowRank operands = side == null ? null : operands(ops);
        Tensor shift = bias == null ? null : bias.value();
        Tensor both = upBias() == null ? null : ops.allocate("bias", DType.F32, Shape.of(output.cols()));
        if (both != null) {
            if (shift == null) ops.fill(both, 0f);
            else ops.copy(both, shift);
            ops.addScaled(both, upBias().value(), side.adapter.scale());
        }
        ops.linearForward(output, x, weight.value(), both == null ? shift : both, residual, operands);
        if (both != null) ops.release(both);
    }

    /// The bias of the up projection, or null.
    private Parameter upBias() {
        return side == null ? null : side.adapter.bias();
    }

    @Override
    public void forwardForBackward(TensorOps ops) {
        if (side == null || !side.b.trainable()) return;
        ops.linearForward(null, x, weight.value(), null, null, operands(ops));
    }

    private LowRank operands(TensorOps ops) {
        if (side.dropped != null) drop(ops, side.dropped, x, false);
        return side.operands(side.dropped == null ? x : side.dropped);
    }

    private void drop(TensorOps ops, Tensor y, Tensor from, boolean accumulate) {
        ops.dropout(y, from, side.adapter.dropout(), side.rng, side.adapter.stream(), accumulate);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        boolean wantsX = grads.wants(x);
        Grads.Sink dx = wantsX ? grads.sink(x) : new Grads.Sink(null, false);
        if (side == null) {
            if (wantsX) ops.linearBackward(dx.tensor(), dx.accumulate(), dy, weight.value(), null, null);
        } else {
            backwardWithSide(ops, dy, grads, dx);
        }
        if (weight.trainable()) ops.matmul(grads.of(weight), dy, true, x, false, 1f, true);
        if (bias != null && bias.trainable()) ops.columnSum(grads.of(bias), dy);
        if (upBias() != null && upBias().trainable()) upBiasBackward(ops, dy, grads);
        if (residual == null) ops.release(dy);
        else grads.giveIfWanted(residual, dy);
    }

    private void upBiasBackward(TensorOps ops, Tensor dy, Grads grads) {
        Tensor sums = ops.allocate("d bias", DType.F32, upBias().value().shape());
        ops.fill(sums, 0f);
        ops.columnSum(sums, dy);
        ops.addScaled(grads.of(upBias()), sums, side.adapter.scale());
        ops.release(sums);
    }

    /// With dropout the side path's input is made again from x, and its gradient goes back through the same mask.
    private void backwardWithSide(TensorOps ops, Tensor dy, Grads grads, Grads.Sink dx) {
        boolean dropping = side.dropped != null;
        boolean wantsA = side.a.trainable();
        if (dx.tensor() == null && !wantsA && !side.b.trainable()) return;
        Tensor dLow = grads.like(side.low);
        Tensor dropped = dropping && wantsA ? ops.allocate("dropped " + x.name(), x.dtype(), x.shape()) : null;
        Tensor dInput = dropping && dx.tensor() != null ? grads.like(x) : null;
        if (dropped != null) drop(ops, dropped, x, false);
        ops.linearBackward(dx.tensor(), dx.accumulate(), dy, weight.value(), side.operands(dropped == null ? x : dropped),
                new LowRankGrads(wantsA ? grads.of(side.a) : null, side.b.trainable() ? grads.of(side.b) : null, dLow,
                        dInput));
        if (dInput != null) {
            drop(ops, dx.tensor(), dInput, true);
            ops.release(dInput);
        }
        if (dropped != null) ops.release(dropped);
        ops.release(dLow);
    }
}
