package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import java.util.List;

/// A dense projection: `y = x Wᵀ + bias + residual`.
///
/// @param path   module path, e.g. `model.layers.0.self_attn.q_proj`
/// @param weight W `[out, in]`
/// @param bias   `[out]`, or null
public record Linear(String path, Parameter weight, Parameter bias) implements Projection {
    @Override
    public Tensor forward(Tape tape, Tensor x, Tensor residual, ModelInput in) {
        return F.linear(tape, x, weight, bias, residual, null, null);
    }

    @Override
    public int inFeatures() {
        return weight.value().cols();
    }

    @Override
    public int outFeatures() {
        return weight.value().shape().dim(0);
    }

    @Override
    public List<Parameter> parameters() {
        return bias == null ? List.of(weight) : List.of(weight, bias);
    }
}
