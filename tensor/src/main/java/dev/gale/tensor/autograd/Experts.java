package dev.gale.tensor.autograd;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.RouteSpec;
import java.util.List;
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
    /// @param adapters one per expert, null for those without; alike in rank, scale and dropout, without bias and magnitude
    /// @param rng      state of the random numbers; may be null when no adapter has dropout
    public static Tensor linear(Tape tape, Tensor x, List<Parameter> weights, List<Adapter> adapters, Order order, Tensor rng) {
        String name = weights.getFirst().name();
        Tensor y = tape.allocate(name + " output", Shape.of(x.rows(), weights.getFirst().value().rows()));     // [N, out]
        Adapter any = adapters.stream().filter(Objects::nonNull).findFirst().orElse(null);
        if (any == null) return tape.run(new GroupedLinear(y, x, weights, order.offsets, null));
        requireAlike(adapters, any);
        Tensor low = tape.allocate(any.a().name() + " output", DType.F32, Shape.of(x.rows(), any.a().value().rows()));
        boolean dropping = tape.isTraining() && any.dropout() > 0;
        Tensor dropped = dropping ? tape.allocate("dropped " + x.name(), x.shape()) : null;                    // [N, in]
        tape.run(new GroupedLinear(y, x, weights, order.offsets, new GroupedLinear.Side(adapters, low, dropped, rng)));
        if (dropping) tape.done(dropped);
        tape.done(low);
        return y;
    }

    private static void requireAlike(List<Adapter> adapters, Adapter any) {
        for (Adapter adapter : adapters) {
            if (adapter == null) continue;
            boolean alike = adapter.scale() == any.scale() && adapter.dropout() == any.dropout()
                    && adapter.a().value().shape().equals(any.a().value().shape());
            if (!alike || adapter.bias() != null || adapter.magnitude() != null) {
                throw new IllegalArgumentException("the adapters of experts must be alike and plain: " + adapter.a().name());
            }
        }
    }
}
