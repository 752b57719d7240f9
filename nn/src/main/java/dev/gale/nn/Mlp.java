package dev.gale.nn;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.Columns;
import java.util.List;
import java.util.stream.Stream;

/// `down(act(gate(x)) * up(x))`, or without a gate `down(act(up(x)))`.
final class Mlp implements Block {
    private final Activation activation;
    private final int inner;
    private final boolean gated;
    private final List<ProjectionSlot> first;        // gate and up, both in one, or up alone
    private final ProjectionSlot down;

    /// @param path  of the module, e.g. `model.layers.0.mlp`
    /// @param inner width between the projections
    Mlp(ModelConfig config, WeightSource weights, String path, int inner) {
        LayerForm form = config.variant().form();
        WeightNames names = Family.of(config).names;
        int hidden = config.hiddenSize();
        boolean bias = config.mlpBias();
        this.inner = inner;
        activation = config.activation();
        gated = form.gated();
        if (gated && form.fused()) {
            first = List.of(ProjectionSlot.linear(weights, path + ".gate_up_proj", 2 * inner, hidden, bias));
        } else if (gated) {
            first = List.of(ProjectionSlot.linear(weights, path + ".gate_proj", inner, hidden, bias),
                    ProjectionSlot.linear(weights, path + "." + names.up(), inner, hidden, bias));
        } else {
            first = List.of(ProjectionSlot.linear(weights, path + "." + names.up(), inner, hidden, bias));
        }
        down = ProjectionSlot.linear(weights, path + "." + names.down(), hidden, inner, bias);
    }

    @Override
    public Tensor forward(Tape tape, Tensor x, Tensor residual, LayerInput in) {
        Tensor gate = first.getFirst().forward(tape, x, null, in.batch());           // [M, F], of both [M, 2 F]
        Tensor up = first.size() == 2 ? first.get(1).forward(tape, x, null, in.batch()) : null;
        tape.forget(x);
        if (gated && up == null) {
            Tensor both = gate;
            gate = F.columns(tape, both, Columns.range(inner, 0, 0));
            up = F.columns(tape, both, Columns.range(inner, inner, 0));
            tape.done(both);
        }
        Tensor product = F.glu(tape, gate, up, activation);                          // [M, F]
        tape.done(gate);
        if (up != null) tape.done(up);
        Tensor y = down.forward(tape, product, residual, in.batch());                // [M, D]
        tape.forget(product);
        return y;
    }

    @Override
    public List<ProjectionSlot> projections() {
        return Stream.concat(first.stream(), Stream.of(down)).toList();
    }
}
