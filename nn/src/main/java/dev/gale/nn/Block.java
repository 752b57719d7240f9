package dev.gale.nn;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;
import java.util.List;

/// The half of a layer between a norm and the residual stream: attention or an MLP.
interface Block {

    /// `block(x)`, plus residual, which may be null.
    /// Shapes: x, residual and the result `[M, D]`. When it is through with x it says so to the tape, unless another block
    /// reads it too.
    Tensor forward(Tape tape, Tensor x, Tensor residual, LayerInput in);

    /// Its projections in the order of the files.
    List<ProjectionSlot> projections();

    /// Norms inside.
    default List<Norm> norms() {
        return List.of();
    }
}
