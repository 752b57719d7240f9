package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Adapter;
import dev.gale.tensor.autograd.Tape;
import java.util.List;

/// A linear map inside a model, the place where adapters step in: dense and low-rank adapted layers are implementations of it,
/// never flags in a forward pass. Quantized is the dtype of a layer's weight.
public interface Projection {

    /// `y = x Wᵀ + bias + residual`, plus whatever an adapter adds.
    /// Shapes: x `[M, in]`, residual and y `[M, out]`.
    ///
    /// @param residual added to the result in the same pass; may be null
    /// @param in       the batch, whose random numbers dropout reads
    Tensor forward(Tape tape, Tensor x, Tensor residual, ModelInput in);

    /// Module path in the model, e.g. `model.layers.0.self_attn.q_proj`.
    String path();

    /// Width of x.
    int inFeatures();

    /// Width of y.
    int outFeatures();

    /// The low-rank adapter beside the weight, which experts that are multiplied together need apart; null when there is none.
    default Adapter adapter() {
        return null;
    }

    /// Every weight of this projection, trainable or not, its own first.
    List<Parameter> parameters();
}
