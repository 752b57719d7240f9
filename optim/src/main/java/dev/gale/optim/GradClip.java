package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Turns gradients of a *sum* of token losses into those of the mean, clipped by their global norm. The gradients are
/// not touched: the factor goes to the optimizer, which reads each gradient once.
///
/// The loss is the sum over all trained tokens of a step divided by their number, so any split of the same examples
/// into micro-batches gives the same factor.
public final class GradClip implements AutoCloseable {
    private final TensorOps ops;
    private final Tensor sumSquares;
    private final Tensor tokens;
    private final Tensor result;
    private boolean closed;

    public GradClip(TensorOps ops) {
        this.ops = ops;
        sumSquares = ops.allocate("sum of squared gradients", DType.F32, Shape.of(1));
        tokens = ops.allocate("trained tokens", DType.F32, Shape.of(1));
        result = ops.allocate("gradient factor and norm", DType.F32, Shape.of(2));
    }

    /// `norm = |grads| / tokens`, `factor = min(1, maxNorm / (norm + 1e-6)) / tokens`.
    /// Returns F32 `[2]` = factor, norm, valid until the next call; it stays on the device.
    ///
    /// @param trainedTokens tokens whose losses were summed since the gradients were zero, at least 1
    /// @param maxNorm       `max_grad_norm`; 0 or less does not clip
    public Tensor factor(List<Parameter> parameters, long trainedTokens, double maxNorm) {
        return factor(parameters, trainedTokens, 1f, maxNorm);
    }

    /// The same for gradients that were multiplied: `norm = |grads| / (tokens * gradScale)`, and factor alike.
    ///
    /// @param gradScale what the gradients were multiplied by, as `LossScaler.sumScale` gives it
    public Tensor factor(List<Parameter> parameters, long trainedTokens, float gradScale, double maxNorm) {
        if (trainedTokens < 1) throw new IllegalArgumentException("no token was trained: " + trainedTokens);
        ops.fill(sumSquares, 0f);
        for (Parameter parameter : parameters) ops.sumSquares(sumSquares, parameter.grad(ops));
        ops.write(tokens, new float[] {trainedTokens * gradScale});
        ops.clipFactor(result, sumSquares, tokens, (float) maxNorm);
        return result;
    }

    /// The norm that the last call of `factor` found, before clipping. Waits for the device.
    public float norm() {
        return ops.toFloats(result)[1];
    }

    @Override
    public void close() {
        if (closed) return;
        closed = true;
        ops.release(sumSquares);
        ops.release(tokens);
        ops.release(result);
    }
}
