package dev.gale.peft;

import dev.gale.nn.Linear;
import dev.gale.nn.ModelInput;
import dev.gale.nn.WrappedProjection;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import java.util.ArrayList;
import java.util.List;

/// `y = x Wᵀ + bias + residual + scale * (drop(x) Aᵀ) Bᵀ`, or the weight-decomposed layer that `F.linear` makes of a
/// magnitude.
/// Source: Hu et al. 2021, arXiv 2106.09685 section 4.1.
///
/// @param base    W `[out, in]` and its bias
/// @param adapter A `[R, in]`, B `[out, R]`, perhaps a bias of B or a magnitude, scale, dropout and random stream
record LoraLinear(Linear base, Adapter adapter) implements WrappedProjection {
    @Override
    public Tensor forward(Tape tape, Tensor x, Tensor residual, ModelInput in) {
        return F.linear(tape, x, base.weight(), base.bias(), residual, adapter, in.rng());
    }

    @Override
    public List<Parameter> parameters() {
        List<Parameter> parameters = new ArrayList<>(base.parameters());
        parameters.addAll(own());
        return parameters;
    }

    /// Those of the adapter.
    List<Parameter> own() {
        List<Parameter> own = new ArrayList<>(List.of(adapter.a(), adapter.b()));
        if (adapter.bias() != null) own.add(adapter.bias());
        if (adapter.magnitude() != null) own.add(adapter.magnitude().length());
        return own;
    }
}
