package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/// Node of `ExpertOps.groupedMatmul` with the weights of experts, and their low-rank paths. side may be null.
record GroupedLinear(Tensor output, Tensor x, List<Parameter> weights, Tensor offsets, Side side) implements Op {

    /// The low-rank paths of one call.
    ///
    /// @param adapters one per expert, null for those without; alike in rank, scale and dropout
    /// @param low      `[N, R]`
    /// @param dropped  x after dropout, or null when there is none
    record Side(List<Adapter> adapters, Tensor low, Tensor dropped, Tensor rng) {
        Adapter any() {
            return adapters.stream().filter(Objects::nonNull).findFirst().orElseThrow();
        }

        private List<Parameter> parameters(Function<Adapter, Parameter> part) {
            return adapters.stream().filter(Objects::nonNull).map(part).toList();
        }

        private List<Tensor> values(Function<Adapter, Parameter> part) {
            return map(adapters, adapter -> adapter == null ? null : part.apply(adapter).value());
        }

        /// Null for those that are not trained.
        private List<Tensor> grads(Function<Adapter, Parameter> part, Grads grads) {
            return map(adapters, adapter -> adapter == null || !part.apply(adapter).trainable() ? null
                    : grads.of(part.apply(adapter)));
        }

        private boolean trains(Function<Adapter, Parameter> part) {
            return parameters(part).stream().anyMatch(Parameter::trainable);
        }
    }

    /// A list that may have nulls.
    private static <T, R> List<R> map(List<T> list, Function<T, R> change) {
        List<R> result = new ArrayList<>();
        for (T element : list) result.add(change.apply(element));
        return result;
    }

    @Override
    public List<Tensor> inputs() {
        return List.of(x);
    }

    @Override
    public List<Parameter> parameters() {
        List<Parameter> parameters = new ArrayList<>(weights);
        if (side != null) {
            parameters.addAll(side.parameters(Adapter::a));
            parameters.addAll(side.parameters(Adapter::b));
        }
        return parameters;
    }

    private boolean trainsWeights() {
        return weights.stream().anyMatch(Parameter::trainable);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        List<Tensor> saved = new ArrayList<>(List.of(offsets));
        if (trainsWeights() || side != null && side.trains(Adapter::a)) saved.add(x);
        if (side != null && side.trains(Adapter::b)) saved.add(side.low);
        return saved;
    }

    private List<Tensor> values() {
        return map(weights, Parameter::value);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.groupedMatmul(output, x, values(), true, offsets, 1f, false);
        if (side == null) return;
        low(ops);
        ops.groupedMatmul(output, side.low, side.values(Adapter::b), true, offsets, side.any().scale(), true);
    }

    @Override
    public void forwardForBackward(TensorOps ops) {
        if (side != null && side.trains(Adapter::b)) low(ops);
    }

    private void low(TensorOps ops) {
        if (side.dropped != null) drop(ops, side.dropped, x, false);
        ops.groupedMatmul(side.low, side.dropped == null ? x : side.dropped, side.values(Adapter::a), true, offsets, 1f, false);
    }

    private void drop(TensorOps ops, Tensor y, Tensor from, boolean accumulate) {
        ops.dropout(y, from, side.any().dropout(), side.rng, side.any().stream(), accumulate);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Tensor dx = null;
        if (grads.wants(x)) {
            Grads.Sink sink = grads.sink(x);
            dx = sink.tensor();
            ops.groupedMatmul(dx, dy, values(), false, offsets, 1f, sink.accumulate());
        }
        if (side != null) sideBackward(ops, dy, grads, dx);
        if (trainsWeights()) {
            ops.groupedGradient(map(weights, weight -> weight.trainable() ? grads.of(weight) : null), dy, x, offsets, 1f);
        }
        ops.release(dy);
    }

    /// With dropout the side path's input is made again from x, and its gradient goes back through the same mask.
    private void sideBackward(TensorOps ops, Tensor dy, Grads grads, Tensor dx) {
        boolean wantsA = side.trains(Adapter::a);
        if (side.trains(Adapter::b)) {
            ops.groupedGradient(side.grads(Adapter::b, grads), dy, side.low, offsets, side.any().scale());
        }
        if (dx == null && !wantsA) return;
        Tensor dLow = grads.like(side.low);
        ops.groupedMatmul(dLow, dy, side.values(Adapter::b), false, offsets, side.any().scale(), false);
        boolean dropping = side.dropped != null;
        if (wantsA) {
            Tensor dropped = dropping ? ops.allocate("dropped " + x.name(), x.dtype(), x.shape()) : null;
            if (dropping) drop(ops, dropped, x, false);
            ops.groupedGradient(side.grads(Adapter::a, grads), dLow, dropping ? dropped : x, offsets, 1f);
            if (dropping) ops.release(dropped);
        }
        if (dx != null && !dropping) {
            ops.groupedMatmul(dx, dLow, side.values(Adapter::a), false, offsets, 1f, true);
        } else if (dx != null) {
            Tensor dInput = grads.like(x);
            ops.groupedMatmul(dInput, dLow, side.values(Adapter::a), false, offsets, 1f, false);
            drop(ops, dx, dInput, true);
            ops.release(dInput);
        }
        ops.release(dLow);
    }
}
