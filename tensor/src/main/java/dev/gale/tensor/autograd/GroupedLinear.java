package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.GroupedLowRank;
import dev.gale.tensor.ops.GroupedLowRankGrads;
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

        /// What operations take.
        private GroupedLowRank path(Tensor x) {
            return new GroupedLowRank(dropped == null ? x : dropped, values(Adapter::a), values(Adapter::b), low,
                    any().scale());
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
        forward(ops, output);
    }

    @Override
    public void forwardForBackward(TensorOps ops) {
        if (side != null && side.trains(Adapter::b)) forward(ops, null);
    }

    private void forward(TensorOps ops, Tensor y) {
        if (side != null && side.dropped != null) drop(ops, side.dropped, x, false);
        ops.groupedLinearForward(y, x, values(), offsets, side == null ? null : side.path(x));
    }

    private void drop(TensorOps ops, Tensor y, Tensor from, boolean accumulate) {
        ops.dropout(y, from, side.any().dropout(), side.rng, side.any().stream(), accumulate);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Grads.Sink sink = grads.wants(x) ? grads.sink(x) : null;
        Tensor dx = sink == null ? null : sink.tensor();
        boolean accumulate = sink != null && sink.accumulate();
        boolean wantsSide = side != null && (dx != null || side.trains(Adapter::a) || side.trains(Adapter::b));
        if (wantsSide) sideBackward(ops, dy, grads, dx, accumulate);
        else if (dx != null) ops.groupedLinearBackward(dx, accumulate, dy, values(), offsets, null, null);
        if (trainsWeights()) {
            ops.groupedGradient(map(weights, weight -> weight.trainable() ? grads.of(weight) : null), dy, x, offsets, 1f);
        }
        ops.release(dy);
    }

    /// With dropout the side path's input is made again from x, and its gradient goes back through the same mask.
    private void sideBackward(TensorOps ops, Tensor dy, Grads grads, Tensor dx, boolean accumulate) {
        boolean dropping = side.dropped != null;
        boolean wantsA = side.trains(Adapter::a);
        Tensor dropped = dropping && wantsA ? ops.allocate("dropped " + x.name(), x.dtype(), x.shape()) : null;
        if (dropped != null) drop(ops, dropped, x, false);
        Tensor dInput = dropping && dx != null ? grads.like(x) : null;
        Tensor dLow = grads.like(side.low);
        GroupedLowRank path = side.path(x);
        GroupedLowRank again = new GroupedLowRank(dropped == null ? x : dropped, path.a(), path.b(), path.low(), path.scale());
        ops.groupedLinearBackward(dx, accumulate, dy, values(), offsets, again, new GroupedLowRankGrads(
                wantsA ? side.grads(Adapter::a, grads) : null,
                side.trains(Adapter::b) ? side.grads(Adapter::b, grads) : null, dLow, dInput));
        ops.release(dLow);
        if (dropped != null) ops.release(dropped);
        if (dInput == null) return;
        drop(ops, dx, dInput, true);
        ops.release(dInput);
    }
}
