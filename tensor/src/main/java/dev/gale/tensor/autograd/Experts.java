package dev.gale.tensor.autograd;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.RouteSpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// What `F` is, for mixtures of experts. Formulas and shapes stand at `ExpertOps`.
public final class Experts {
    private Experts() {}

    /// Which experts tokens have.
    ///
    /// @param weights F32 `[M, k]`
    /// @param experts I32 `[M, k]`
    public record Choice(Tensor weights, Tensor experts) {}

    /// Choices sorted by expert.
    ///
    /// @param tokens  I32 `[N]`
    /// @param places  I32 `[M, k]`
    /// @param offsets I32 `[E + 1]`
    public record Order(Tensor tokens, Tensor places, Tensor offsets) {
        /// Says that forward needs them no more.
        public void done(Tape tape) {
            List.of(tokens, places, offsets).forEach(tape::done);
        }
    }

    /// Chooses experts by logits `[M, E]`.
    public static Choice route(Tape tape, Tensor logits, RouteSpec spec) {
        Shape shape = Shape.of(logits.rows(), spec.perToken());
        Tensor weights = tape.allocate("expert weights", DType.F32, shape);                                    // [M, k]
        Tensor experts = tape.allocate("experts", DType.I32, shape);                                           // [M, k]
        tape.run(new Route(weights, experts, logits, spec));
        return new Choice(weights, experts);
    }

    /// Where the load-balancing loss of a batch is added up.
    ///
    /// @param sums    choices and probabilities of the experts, F32 `[2, E]`, 0 before the first layer
    /// @param factor  what the gradient is multiplied with, F32 `[1]`
    /// @param present 0 for rows that are no tokens, I32 `[M]`
    public record Balance(Tensor sums, Tensor factor, Tensor present) {}

    /// Adds a layer's share to the load-balancing loss. Its gradient needs every layer's share: backward comes after all of
    /// forward.
    ///
    /// @param logits what `route` chose by
    public static void balance(Tape tape, Tensor logits, Choice choice, Balance balance) {
        tape.run(new LoadBalance(balance, choice.experts, logits));
    }

    /// @param count how many experts there are
    public static Order order(Tape tape, Tensor experts, int count) {
        Tensor tokens = tape.allocate("tokens", DType.I32, Shape.of(Math.toIntExact(experts.size())));         // [N]
        Tensor places = tape.allocate("places", DType.I32, experts.shape());                                   // [M, k]
        Tensor offsets = tape.allocate("offsets", DType.I32, Shape.of(count + 1));                             // [E + 1]
        tape.ops().groupByExpert(tokens, places, offsets, experts);
        return new Order(tokens, places, offsets);
    }

    /// `1 / (1 + exp(-x))` of numbers `[M, 1]`, as weights of `combine` F32.
    public static Tensor sigmoid(Tape tape, Tensor x) {
        return tape.run(new Glu(tape.allocate("sigmoid", DType.F32, x.shape()), x, null, Activation.SIGMOID));
    }

    /// The row of x `[M, D]` for each choice, in their order: `[N, D]`.
    public static Tensor dispatch(Tape tape, Tensor x, Order order) {
        Tensor y = tape.allocate("dispatched", Shape.of(Math.toIntExact(order.tokens.size()), x.cols()));      // [N, D]
        return tape.run(new Dispatch(y, x, order.tokens, order.places));
    }

    /// `residual[t] + sum_s weights[t,s] * x[places[t,s]]`, x `[N, D]`, the result `[M, D]`; without places (null) x has one
    /// row a token.
    public static Tensor combine(Tape tape, Tensor x, Tensor places, Tensor weights, Tensor residual) {
        return tape.run(new Combine(tape.allocate("combined", residual.shape()), x, places, weights, residual));
    }

    /// `x[j] wᵀ` with the weight of the row's expert, plus its adapter's path.
    /// Shapes: x `[N, in]`, weights `[out, in]`, the result `[N, out]`.
    ///
    /// @param adapters one per expert, null for those without; none has a magnitude, and all or none a bias. Those that are
    ///                 alike in rank, scale and dropout are multiplied together
    /// @param rng      state of the random numbers; may be null when no adapter has dropout
    public static Tensor linear(Tape tape, Tensor x, List<Parameter> weights, List<Adapter> adapters, Order order, Tensor rng) {
        String name = weights.getFirst().name();
        Tensor y = tape.allocate(name + " output", Shape.of(x.rows(), weights.getFirst().value().rows()));     // [N, out]
        List<GroupedLinear.Side> sides = new ArrayList<>();
        for (List<Adapter> alike : alike(adapters)) sides.add(side(tape, x, alike, rng));
        tape.run(new GroupedLinear(y, x, weights, order.offsets, sides));
        for (GroupedLinear.Side side : sides) {
            if (side.dropped() != null) tape.done(side.dropped());
            if (side.ones() != null) tape.done(side.ones());
            tape.done(side.low());
        }
        return y;
    }

    private static GroupedLinear.Side side(Tape tape, Tensor x, List<Adapter> adapters, Tensor rng) {
        Adapter any = adapters.stream().filter(Objects::nonNull).findFirst().orElseThrow();
        Tensor low = tape.allocate(any.a().name() + " output", DType.F32, Shape.of(x.rows(), any.a().value().rows())); // [N, R]
        boolean dropping = tape.isTraining() && any.dropout() > 0;
        Tensor dropped = dropping ? tape.allocate("dropped " + x.name(), x.shape()) : null;                    // [N, in]
        Tensor ones = any.bias() == null ? null : tape.allocate("ones", DType.F32, Shape.of(x.rows(), 1));     // [N, 1]
        return new GroupedLinear.Side(adapters, low, dropped, ones, rng);
    }

    /// For each rank, scale and dropout the adapters that have it, null in the places of others.
    private static List<List<Adapter>> alike(List<Adapter> adapters) {
        record Kind(Shape down, float scale, float dropout) {}
        Map<Kind, List<Adapter>> byKind = new LinkedHashMap<>();
        for (int e = 0; e < adapters.size(); e++) {
            Adapter adapter = adapters.get(e);
            if (adapter == null) continue;
            if (adapter.magnitude() != null) throw new IllegalArgumentException(adapter.a() + " may have no magnitude");
            Kind kind = new Kind(adapter.a().value().shape(), adapter.scale(), adapter.dropout());
            byKind.computeIfAbsent(kind, k -> new ArrayList<>(Collections.nCopies(adapters.size(), null))).set(e, adapter);
        }
        return List.copyOf(byKind.values());
    }
}
