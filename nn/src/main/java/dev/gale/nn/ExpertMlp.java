package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.autograd.Experts;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.Activation;
import java.util.ArrayList;
import java.util.List;

/// `residual + sum_e weight_e * mlp_e(x)` over the experts that a token chose, and perhaps an MLP that all tokens go through.
final class ExpertMlp implements Block {
    private final Mixture mixture;
    private final Activation activation;
    private final ProjectionSlot router;
    private final List<ProjectionSlot> gates = new ArrayList<>();
    private final List<ProjectionSlot> ups = new ArrayList<>();
    private final List<ProjectionSlot> downs = new ArrayList<>();
    private final Mlp shared;                        // null for none
    private final ProjectionSlot sharedGate;         // null for none

    /// @param path of the module, e.g. `model.layers.0.mlp`
    ExpertMlp(ModelConfig config, WeightSource weights, String path) {
        WeightNames names = Family.of(config).names;
        int hidden = config.hiddenSize();
        mixture = config.variant().mixture();
        activation = config.activation();
        int count = mixture.numExperts();
        router = ProjectionSlot.router(weights, path + ".gate", count, hidden);
        for (int e = 0; e < count; e++) {
            String expert = path + ".experts." + e + ".";
            gates.add(ProjectionSlot.linear(weights, expert + names.expertGate(), mixture.width(), hidden, false));
            ups.add(ProjectionSlot.linear(weights, expert + names.expertUp(), mixture.width(), hidden, false));
            downs.add(ProjectionSlot.linear(weights, expert + names.expertDown(), hidden, mixture.width(), false));
        }
        shared = mixture.sharedWidth() == 0 ? null : new Mlp(config, weights, path + "." + names.shared(),
                mixture.sharedWidth());
        sharedGate = mixture.sharedGate() ? ProjectionSlot.router(weights, path + ".shared_expert_gate", 1, hidden) : null;
    }

    @Override
    public Tensor forward(Tape tape, Tensor x, Tensor residual, LayerInput in) {
        Tensor base = residual;
        if (base == null) throw new IllegalStateException("experts are added to the residual stream");
        Tensor logits = router.forward(tape, x, null, in.batch());                   // [M, E]
        Experts.Choice choice = Experts.route(tape, logits, mixture.route());
        if (in.batch().balance() != null) Experts.balance(tape, logits, choice, in.batch().balance());
        tape.done(logits);
        Experts.Order order = Experts.order(tape, choice.experts(), mixture.numExperts());
        tape.done(choice.experts());
        Tensor y = routed(tape, x, base, choice, order, in);                         // [M, D]
        order.done(tape);
        tape.done(choice.weights());
        if (shared == null) {
            tape.forget(x);
            return y;
        }
        Tensor sum = sharedGate == null ? shared.forward(tape, x, y, in) : gated(tape, x, y, in);
        tape.done(y);
        return sum;
    }

    private Tensor routed(Tape tape, Tensor x, Tensor residual, Experts.Choice choice, Experts.Order order, LayerInput in) {
        Tensor rows = Experts.dispatch(tape, x, order);                              // [N, D]
        Tensor gate = linear(tape, rows, gates, order, in);                          // [N, F]
        Tensor up = linear(tape, rows, ups, order, in);                              // [N, F]
        tape.forget(rows);
        Tensor product = F.glu(tape, gate, up, activation);                          // [N, F]
        tape.done(gate);
        tape.done(up);
        Tensor made = linear(tape, product, downs, order, in);                       // [N, D]
        tape.forget(product);
        Tensor y = Experts.combine(tape, made, order.places(), choice.weights(), residual);
        tape.done(made);
        return y;
    }

    private static Tensor linear(Tape tape, Tensor x, List<ProjectionSlot> slots, Experts.Order order, LayerInput in) {
        List<Parameter> weights = new ArrayList<>();
        List<Adapter> adapters = new ArrayList<>();
        for (ProjectionSlot slot : slots) {
            weights.add(slot.projection().parameters().getFirst());
            adapters.add(slot.projection().adapter());
        }
        return Experts.linear(tape, x, weights, adapters, order, in.batch().rng());
    }

    /// The shared MLP times the sigmoid of one number of each token.
    private Tensor gated(Tape tape, Tensor x, Tensor residual, LayerInput in) {
        Tensor number = sharedGate.forward(tape, x, null, in.batch());               // [M, 1]
        Tensor weight = Experts.sigmoid(tape, number);                               // [M, 1]
        tape.done(number);
        Tensor made = shared.forward(tape, x, null, in);                             // [M, D]
        Tensor y = Experts.combine(tape, made, null, weight, residual);
        tape.done(made);
        tape.done(weight);
        return y;
    }

    /// The experts' projections, which are multiplied together and never alone.
    List<ProjectionSlot> experts() {
        List<ProjectionSlot> all = new ArrayList<>();
        for (int e = 0; e < gates.size(); e++) all.addAll(List.of(gates.get(e), ups.get(e), downs.get(e)));
        return all;
    }

    @Override
    public List<ProjectionSlot> projections() {
        List<ProjectionSlot> all = new ArrayList<>();
        all.add(router);
        all.addAll(experts());
        if (shared != null) all.addAll(shared.projections());
        if (sharedGate != null) all.add(sharedGate);
        return all;
    }
}
