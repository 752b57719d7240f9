package dev.gale.tensor.autograd;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Columns;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// The differentiable operations that modules are written with: each allocates its results on the tape and runs one
/// node. M is the number of tokens; formulas and shapes stand at `TensorOps`.
public final class F {
    private F() {}

    /// Rows of an embedding table: ids I32 `[M]` to `[M, D]`.
    public static Tensor embedding(Tape tape, Parameter table, Tensor ids) {
        Tensor y = tape.allocate("embedding", Shape.of(Math.toIntExact(ids.size()), table.value().cols()));    // [M, D]
        return tape.run(new Embedding(y, table, ids));
    }

    /// As `embedding`, with an adapter or null.
    public static Tensor embedding(Tape tape, Parameter table, Tensor ids, EmbeddingAdapter adapter) {
        if (adapter == null) return embedding(tape, table, ids);
        int tokens = Math.toIntExact(ids.size());
        Tensor y = tape.allocate("embedding", Shape.of(tokens, table.value().cols()));                         // [M, D]
        Tensor low = tape.allocate("embedding rows", DType.F32, Shape.of(tokens, adapter.a().value().cols())); // [M, R]
        tape.run(new AdaptedEmbedding(y, low, table, ids, adapter));
        tape.done(low);
        return y;
    }

    /// As `embedding`, of a table of which some rows learn.
    ///
    /// @param rows  `[n, D]`, which the table has
    /// @param slots I32 `[M]`, which of them each id means, or -1
    public static Tensor embedding(Tape tape, Parameter table, Tensor ids, Parameter rows, Tensor slots) {
        Tensor y = tape.allocate("embedding", Shape.of(Math.toIntExact(ids.size()), table.value().cols()));    // [M, D]
        return tape.run(new PartlyTrainedEmbedding(y, table, ids, rows, slots));
    }

    /// RMSNorm of x `[M, D]`.
    public static Tensor rmsNorm(Tape tape, Tensor x, Parameter weight, float eps) {
        return rmsNorm(tape, x, weight, eps, 0f);
    }

    /// RMSNorm of each D elements of a row of x `[M, n * D]`, shift added to the weight.
    public static Tensor rmsNorm(Tape tape, Tensor x, Parameter weight, float eps, float shift) {
        int rows = Math.toIntExact(x.size() / weight.value().size());
        Tensor y = tape.allocate(weight.name() + " output", x.shape());                                        // [M, n*D]
        Tensor rstd = tape.allocate("rstd", DType.F32, Shape.of(rows));                                        // [M * n]
        tape.run(new RmsNorm(y, rstd, x, weight, eps, shift));
        tape.done(rstd);
        return y;
    }

    /// LayerNorm of each D elements of a row of x `[M, n * D]`.
    public static Tensor layerNorm(Tape tape, Tensor x, Parameter weight, Parameter bias, float eps) {
        int rows = Math.toIntExact(x.size() / weight.value().size());
        Tensor y = tape.allocate(weight.name() + " output", x.shape());                                        // [M, n*D]
        Tensor mean = tape.allocate("mean", DType.F32, Shape.of(rows));                                        // [M * n]
        Tensor rstd = tape.allocate("rstd", DType.F32, Shape.of(rows));                                        // [M * n]
        tape.run(new LayerNorm(y, mean, rstd, x, weight, bias, eps));
        tape.done(mean);
        tape.done(rstd);
        return y;
    }

    /// `factor * x`.
    public static Tensor scale(Tape tape, Tensor x, float factor) {
        return tape.run(new Scale(tape.allocate("scaled " + x.name(), x.shape()), x, factor));
    }

    /// Columns of x `[M, N]` side by side, as `columns` places them: `[M, columns.destinationEnd()]`, all of which they fill.
    public static Tensor columns(Tape tape, Tensor x, Columns columns) {
        return columns(tape, columns.destinationEnd(), new Part(x, columns));
    }

    /// Columns of one matrix, and where they go.
    public record Part(Tensor source, Columns columns) {}

    /// A matrix of `width` columns, put together from columns of others; the rest is 0.
    public static Tensor columns(Tape tape, int width, Part... parts) {
        Tensor y = tape.allocate("columns of " + parts[0].source().name(), Shape.of(parts[0].source().rows(), width));
        return tape.run(new Assembly(y, List.of(parts)));
    }

    /// Rotates q `[M, H * K]` and k `[M, Hkv * K]` in place.
    public static void rope(Tape tape, Tensor q, Tensor k, Tensor cos, Tensor sin, Tensor positions,
            AttentionSpec spec) {
        tape.run(new Rope(q, k, cos, sin, positions, spec));
    }

    /// Attention of q `[M, H * K]` over k, v `[S, Hkv * K]`, each row to its own range of keys.
    public static Tensor attention(Tape tape, Tensor q, Tensor k, Tensor v, Tensor start, Tensor stop,
            AttentionSpec spec) {
        List<Tensor> made = tape.costlyResults(() -> List.of(
                tape.allocate("attention", q.shape()),                                                         // [M, H*K]
                tape.allocate("lse", DType.F32, Shape.of(spec.numHeads(), q.rows()))));                        // [H, M]
        tape.runCostly(new Attention(made.get(0), made.get(1), q, k, v, start, stop, spec), made);
        tape.done(made.get(1));
        return made.get(0);
    }

    /// `act(gate) * up`, all `[M, F]`; without up (null) `act(gate)`.
    public static Tensor glu(Tape tape, Tensor gate, Tensor up, Activation activation) {
        Tensor y = tape.allocate("glu", gate.shape());                                                         // [M, F]
        return tape.run(new Glu(y, gate, up, activation));
    }

    /// `a + b`.
    public static Tensor add(Tape tape, Tensor a, Tensor b) {
        return addScaled(tape, a, b, 1f);
    }

    /// `a + scale * b`.
    public static Tensor addScaled(Tape tape, Tensor a, Tensor b, float scale) {
        return tape.run(new Add(tape.allocate("sum", a.shape()), a, b, scale));
    }

    /// `x wᵀ + bias + residual`, plus the adapter's path; bias, residual and adapter may be null.
    ///
    /// @param rng state of the random numbers, I32 `[4]`; may be null when the adapter has no dropout
    public static Tensor linear(Tape tape, Tensor x, Parameter weight, Parameter bias, Tensor residual, Adapter adapter,
                                Tensor rng) {
        int out = weight.value().shape().dim(0);
        int in = weight.value().cols();
        if (x.cols() != in) throw innerDims(x, weight);
        Tensor y = tape.allocate(weight.name() + " output", Shape.of(x.rows(), out));  // [M, out]
        if (adapter == null) return tape.run(new Linear(y, x, weight, bias, residual, null));
        int r = adapter.a().value().shape().dim(0);
        Tensor low = tape.allocate(adapter.a().name() + " output", DType.F32, Shape.of(x.rows(), r));          // [M, R]
        boolean dropping = tape.isTraining() && adapter.dropout() > 0;
        Tensor dropped = dropping ? tape.allocate("dropped " + x.name(), x.shape()) : null;  // [M, in]
        if (adapter.magnitude() == null) {
            tape.run(new Linear(y, x, weight, bias, residual,
                    new Linear.Side(adapter.a(), adapter.b(), low, dropped, adapter, rng)));
        } else {
            Tensor product = tape.allocate(weight.name() + " product", y.shape());                             // [M, out]
            Tensor norm = tape.allocate(weight.name() + " norms", DType.F32, Shape.of(out));                   // [out]
            tape.run(new DoraLinear(y, product, norm, low, x, dropped, weight, bias, residual, adapter, rng));
            tape.done(norm);
            tape.done(product);
        }
        if (dropped != null) tape.done(dropped);
        tape.done(low);
        return y;
    }

    /// The norms of the rows of a weight, F32 `[out]`, which the caller releases.
    public static Tensor rowNorms(TensorOps ops, Parameter weight) {
        Tensor norm = ops.allocate(weight.name() + " norms", DType.F32, Shape.of(weight.value().rows()));      // [out]
        DoraLinear.baseNorm(ops, norm, weight.value());
        return norm;
    }

    /// Those of an adapted weight `W + scale * b a`: where the lengths of a weight-decomposed layer begin.
    ///
    /// @param adapter with a magnitude
    public static Tensor rowNorms(TensorOps ops, Parameter weight, Adapter adapter) {
        Tensor norm = ops.allocate(weight.name() + " norms", DType.F32, Shape.of(weight.value().rows()));      // [out]
        DoraLinear.rowNorm(ops, norm, weight.value(), adapter);
        return norm;
    }

    /// Adds the summed cross-entropy of hidden states x `[M, D]` under head w `[V, D]` to `stats[0]` and the number of
    /// right first guesses to `stats[1]`. Backward starts here: on a recording tape the gradients of x and w are made
    /// in the same pass, so this must not stand inside a checkpointed segment.
    ///
    /// @param tokenLoss F32 `[M]` or null
    public static void linearCrossEntropy(Tape tape, Tensor stats, Tensor tokenLoss, Tensor x, Parameter weight,
            Tensor targets, CrossEntropySpec spec) {
        linearCrossEntropy(tape, stats, tokenLoss, x, weight, null, targets, null, spec);
    }

    /// The same with a bias of the head, and all gradients multiplied by a factor.
    ///
    /// @param bias      `[V]` or null
    /// @param gradScale F32 `[1]` or null
    public static void linearCrossEntropy(Tape tape, Tensor stats, Tensor tokenLoss, Tensor x, Parameter weight, Parameter bias,
            Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        linearCrossEntropy(tape, stats, tokenLoss, x, weight, weight, bias, targets, gradScale, spec);
    }

    /// The same, where some rows of the head learn apart from it.
    ///
    /// @param learns `[n, D]`, which stand in the weight in the spec's rows; or the weight
    public static void linearCrossEntropy(Tape tape, Tensor stats, Tensor tokenLoss, Tensor x, Parameter weight,
            Parameter learns, Parameter bias, Tensor targets, Tensor gradScale, CrossEntropySpec spec) {
        Tensor dx = tape.wantsGradient(x) ? tape.rootGradient(x) : null;
        Tensor dw = tape.isRecording() && learns.trainable() ? learns.grad(tape.ops()) : null;
        Tensor dBias = tape.isRecording() && bias != null && bias.trainable() ? bias.grad(tape.ops()) : null;
        tape.ops().linearCrossEntropy(stats, tokenLoss, dx, dw, dBias, x, weight.value(), bias == null ? null : bias.value(),
                targets, gradScale, spec);
    }

    private static ShapeException innerDims(Tensor x, Parameter weight) {
        return new ShapeException("""
                linear: inner dimensions differ: %d != %d
                  x      %-18s %s
                  weight %-18s %s
                expected x[..., %d]""".formatted(x.cols(), weight.value().cols(), x.shape(), x.name(),
                weight.value().shape(), weight.name(), weight.value().cols()));
    }
}
