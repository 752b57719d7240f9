package dev.gale.nn;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Columns;
import java.util.List;
import java.util.stream.Stream;

/// `o(attention(rope(norm(q(x))), rope(norm(k(x))), v(x)))`, without norms or rotation where a model has none.
final class SelfAttention implements Block {
    private final AttentionSpec spec;
    private final boolean rotates;
    private final boolean sharesInput;
    private final List<ProjectionSlot> qkv;          // q, k, v or all in one
    private final ProjectionSlot output;
    private final Norm qNorm;                        // of each head, or null
    private final Norm kNorm;

    /// @param path of the module, e.g. `model.layers.0.self_attn`
    SelfAttention(ModelConfig config, int layer, WeightSource weights, String path) {
        LayerForm form = config.variant().form();
        int hidden = config.hiddenSize();
        boolean bias = config.attentionBias();
        spec = config.attention();
        rotates = config.variant().kinds().rotates(layer);
        sharesInput = form.parallel();
        int queries = spec.queryWidth();
        int keys = spec.keyWidth();
        qkv = form.fused() ? List.of(ProjectionSlot.linear(weights, path + ".qkv_proj", queries + 2 * keys, hidden, bias))
                : List.of(ProjectionSlot.linear(weights, path + ".q_proj", queries, hidden, bias),
                        ProjectionSlot.linear(weights, path + ".k_proj", keys, hidden, bias),
                        ProjectionSlot.linear(weights, path + ".v_proj", keys, hidden, bias));
        output = ProjectionSlot.linear(weights, path + "." + Family.of(config).names.output(), hidden, queries,
                bias && form.outputBias());
        qNorm = form.headNorms() ? headNorm(config, weights, path + ".q") : null;
        kNorm = form.headNorms() ? headNorm(config, weights, path + ".k") : null;
    }

    private static Norm headNorm(ModelConfig config, WeightSource weights, String path) {
        return Norm.of(config.variant().form().norm(), weights, path + Family.of(config).names.headNorm(),
                config.attention().headDim(), config.rmsNormEps());
    }

    @Override
    public Tensor forward(Tape tape, Tensor x, Tensor residual, LayerInput in) {
        ModelInput batch = in.batch();
        Tensor q;                                                                    // [M, H*K]
        Tensor k;                                                                    // [M, Hkv*K]
        Tensor v;                                                                    // [M, Hkv*K]
        if (qkv.size() == 1) {
            Tensor all = qkv.getFirst().forward(tape, x, null, batch);               // [M, (H + 2 Hkv) * K]
            q = F.columns(tape, all, Columns.range(spec.queryWidth(), 0, 0));
            k = F.columns(tape, all, Columns.range(spec.keyWidth(), spec.queryWidth(), 0));
            v = F.columns(tape, all, Columns.range(spec.keyWidth(), spec.queryWidth() + spec.keyWidth(), 0));
            tape.done(all);
        } else {
            q = qkv.get(0).forward(tape, x, null, batch);
            k = qkv.get(1).forward(tape, x, null, batch);
            v = qkv.get(2).forward(tape, x, null, batch);
        }
        if (!sharesInput) tape.forget(x);
        q = normed(tape, qNorm, q);
        k = normed(tape, kNorm, k);
        if (rotates) F.rope(tape, q, k, in.rope().cos(), in.rope().sin(), batch.positions(), spec);
        Tensor o = in.attend().attend(tape, q, k, v);                                // [M, H*K]
        tape.done(q);
        tape.done(k);
        tape.done(v);
        Tensor y = output.forward(tape, o, residual, batch);                         // [M, D]
        tape.done(o);
        return y;
    }

    private static Tensor normed(Tape tape, Norm norm, Tensor x) {
        if (norm == null) return x;
        Tensor y = norm.forward(tape, x);
        tape.done(x);
        return y;
    }

    @Override
    public List<ProjectionSlot> projections() {
        return Stream.concat(qkv.stream(), Stream.of(output)).toList();
    }

    @Override
    public List<Norm> norms() {
        return qNorm == null ? List.of() : List.of(qNorm, kNorm);
    }
}
