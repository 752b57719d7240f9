package dev.gale.tensor.autograd;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.GroupedLowRank;
import dev.gale.tensor.ops.GroupedLowRankGrads;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/// Node of `ExpertOps.groupedMatmul` with the weights of experts, and their low-rank paths.
record GroupedLinear(Tensor output, Tensor x, List<Parameter> weights, Tensor offsets, List<Side> sides) implements Op {

    /// The low-rank paths of experts that are multiplied together.
    ///
    /// @param adapters one per expert, null for those without; alike in rank, scale and dropout, with a bias or without
    /// @param low      `[N, R]`
    /// @param dropped  x after dropout, or null when there is none
    /// @param ones     F32 `[N, 1]`, which biases are multiplied with as columns; null when there is none
    record Side(List<Adapter> adapters, Tensor low, Tensor dropped, Tensor ones, Tensor rng) {
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

        /// Biases `[out]` or their gradients as weights `[out, 1]`.
        private static List<Tensor> columns(List<Tensor> vectors) {
            return map(vectors, vector -> vector == null ? null
                    : new Tensor(vector.name(), vector.dtype(), Shape.of(Math.toIntExact(vector.size()), 1), vector.storage()));
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
        for (Side side : sides) {
            parameters.addAll(side.parameters(Adapter::a));
            parameters.addAll(side.parameters(Adapter::b));
            if (side.ones != null) parameters.addAll(side.parameters(Adapter::bias));
        }
        return parameters;
    }

    private boolean trainsWeights() {
        return weights.stream().anyMatch(Parameter::trainable);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        List<Tensor> saved = new ArrayList<>(List.of(offsets));
        if (trainsWeights() || sides.stream().anyMatch(side -> side.trains(Adapter::a))) saved.add(x);
        for (Side side : sides) {
            if (side.trains(Adapter::b)) saved.add(side.low);
            if (side.ones != null && side.trains(Adapter::bias)) saved.add(side.ones);
        }
        return saved;
    }

    private List<Tensor> values() {
        return map(weights, Parameter::value);
    }

    /// The first side is a part of the product of the weights, others are added to it.
    @Override
    public void forward(TensorOps ops) {
        for (Side side : sides) {
            if (side.dropped != null) drop(ops, side, side.dropped, x, false);
        }
        ops.groupedLinearForward(output, x, values(), offsets, sides.isEmpty() ? null : sides.getFirst().path(x));
        for (Side side : sides) {
            if (side != sides.getFirst()) {
                low(ops, side);
                ops.groupedMatmul(output, side.low, side.values(Adapter::b), true, offsets, side.any().scale(), true);
            }
            if (side.ones == null) continue;
            ops.fill(side.ones, 1f);
            List<Tensor> biases = Side.columns(side.values(Adapter::bias));
            ops.groupedMatmul(output, side.ones, biases, true, offsets, side.any().scale(), true);
        }
    }

    @Override
    public void forwardForBackward(TensorOps ops) {
        for (Side side : sides) {
            if (side.ones != null) ops.fill(side.ones, 1f);
            if (!side.trains(Adapter::b)) continue;
            if (side.dropped != null) drop(ops, side, side.dropped, x, false);
            low(ops, side);
        }
    }

    private void low(TensorOps ops, Side side) {
        ops.groupedLinearForward(null, x, values(), offsets, side.path(x));
    }

    private static void drop(TensorOps ops, Side side, Tensor y, Tensor from, boolean accumulate) {
        ops.dropout(y, from, side.any().dropout(), side.rng, side.any().stream(), accumulate);
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        Grads.Sink sink = grads.wants(x) ? grads.sink(x) : null;
        Tensor dx = sink == null ? null : sink.tensor();
        boolean accumulate = sink != null && sink.accumulate();
        if (sides.isEmpty() && dx != null) ops.groupedLinearBackward(dx, accumulate, dy, values(), offsets, null, null);
        for (Side side : sides) {
            boolean first = side == sides.getFirst();
            sideBackward(ops, side, dy, grads, dx, first, first && accumulate);
        }
        if (trainsWeights()) {
            ops.groupedGradient(map(weights, weight -> weight.trainable() ? grads.of(weight) : null), dy, x, offsets, 1f);
        }
        ops.release(dy);
    }

    /// With dropout the side path's input is made again from x, and its gradient goes back through the same mask.
    ///
    /// @param first whether the gradient of x begins here, with the share of the weights
    private void sideBackward(TensorOps ops, Side side, Tensor dy, Grads grads, Tensor dx, boolean first, boolean accumulate) {
        if (side.ones != null && side.trains(Adapter::bias)) {
            ops.groupedGradient(Side.columns(side.grads(Adapter::bias, grads)), dy, side.ones, offsets, side.any().scale());
        }
        boolean wantsA = side.trains(Adapter::a);
        if (dx == null && !wantsA && !side.trains(Adapter::b)) return;
        boolean dropping = side.dropped != null;
        Tensor dropped = dropping && wantsA ? ops.allocate("dropped " + x.name(), x.dtype(), x.shape()) : null;
        if (dropped != null) drop(ops, side, dropped, x, false);
        Tensor dInput = dropping && dx != null ? grads.like(x) : null;
        Tensor dLow = grads.like(side.low);
        GroupedLowRank path = side.path(x);
        GroupedLowRank again = new GroupedLowRank(dropped == null ? x : dropped, path.a(), path.b(), path.low(), path.scale());
        ops.groupedLinearBackward(first ? dx : null, accumulate, dy, values(), offsets, again, new GroupedLowRankGrads(
                wantsA ? side.grads(Adapter::a, grads) : null,
                side.trains(Adapter::b) ? side.grads(Adapter::b, grads) : null, dLow, dInput));
        if (!first && !dropping && dx != null) ops.groupedMatmul(dx, dLow, path.a(), false, offsets, 1f, true);
        ops.release(dLow);
        if (dropped != null) ops.release(dropped);
        if (dInput == null) return;
        drop(ops, side, dx, dInput, true);
        ops.release(dInput);
    }
}
