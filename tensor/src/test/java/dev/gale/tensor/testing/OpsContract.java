package dev.gale.tensor.testing;

import dev.gale.tensor.ops.TensorOps;

/// What every implementation of `TensorOps` owes, checked against `ReferenceOps`: values within bounds derived from the
/// number of roundings, `=` and `+=`, in-place forms, the same bits twice, NaN, and refusals. A test of an
/// implementation extends this and says how to make one.
public abstract class OpsContract implements MemoryContract, ElementwiseContract, MatrixContract, ScaleContract,
        LayerContract, AttentionContract, LossContract, HalfContract, OptimizerContract, Optimizer8bitContract,
        QuantizationContract, ChecksContract {

    /// A new implementation; the contract closes it.
    protected abstract TensorOps createOps();

    @Override
    public final TensorOps freshOps() {
        return createOps();
    }
}
