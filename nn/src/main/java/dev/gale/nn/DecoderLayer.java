package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/// One pre-norm layer: `h = x + o(attention(norm(x)))`, `y = h + down(act(gate(norm(h))) * up(norm(h)))`. Both
/// residuals are added inside the projection before them.
final class DecoderLayer {
    private final RmsNorm inputNorm;
    private final RmsNorm postAttentionNorm;
    private final AttentionSpec attention;
    private final Activation activation;
    private Projection qProj;
    private Projection kProj;
    private Projection vProj;
    private Projection oProj;
    private Projection gateProj;
    private Projection upProj;
    private Projection downProj;

    /// How queries meet keys and values: within the batch, or over a cache.
    @FunctionalInterface
    interface Attend {
        Tensor attend(Tape tape, Tensor q, Tensor k, Tensor v);
    }

    DecoderLayer(ModelConfig config, int index, WeightSource weights) {
        String path = "model.layers." + index;
        int hidden = config.hiddenSize();
        int inner = config.intermediateSize();
        float eps = (float) config.rmsNormEps();
        attention = config.attention();
        activation = config.activation();
        inputNorm = new RmsNorm(parameter(weights, path + ".input_layernorm.weight", hidden), eps);
        qProj = linear(weights, path + ".self_attn.q_proj", attention.queryWidth(), hidden, config.attentionBias());
        kProj = linear(weights, path + ".self_attn.k_proj", attention.keyWidth(), hidden, config.attentionBias());
        vProj = linear(weights, path + ".self_attn.v_proj", attention.keyWidth(), hidden, config.attentionBias());
        oProj = linear(weights, path + ".self_attn.o_proj", hidden, attention.queryWidth(), config.attentionBias());
        postAttentionNorm = new RmsNorm(parameter(weights, path + ".post_attention_layernorm.weight", hidden), eps);
        gateProj = linear(weights, path + ".mlp.gate_proj", inner, hidden, config.mlpBias());
        upProj = linear(weights, path + ".mlp.up_proj", inner, hidden, config.mlpBias());
        downProj = linear(weights, path + ".mlp.down_proj", hidden, inner, config.mlpBias());
    }

    static Parameter parameter(WeightSource weights, String name, int... dims) {
        return Parameter.frozen(name, weights.get(name, Shape.of(dims)));
    }

    private static Linear linear(WeightSource weights, String path, int out, int in, boolean biased) {
        String name = path + ".weight";
        return new Linear(path, Parameter.frozen(name, weights.projection(name, Shape.of(out, in))),
                biased ? parameter(weights, path + ".bias", out) : null);
    }

    /// Shapes: x and the result `[M, D]`.
    ///
    /// @param mlpRows tokens of which the MLP is computed at once
    Tensor forward(Tape tape, Tensor x, ModelInput in, RopeTable rope, Attend attend, int mlpRows) {
        Tensor h = attention(tape, x, in, rope, attend);
        Tensor y = h.rows() <= mlpRows ? mlp(tape, h, in)
                : tape.tiled(part -> (t, rows) -> mlp(t, rows, in.part(t.ops(), part)), h, mlpParameters(), mlpRows);
        tape.done(h);
        return y;
    }

    private Tensor attention(Tape tape, Tensor x, ModelInput in, RopeTable rope, Attend attend) {
        Tensor normed = inputNorm.forward(tape, x);                                  // [M, D]
        Tensor q = qProj.forward(tape, normed, null, in);                            // [M, H*K]
        Tensor k = kProj.forward(tape, normed, null, in);                            // [M, Hkv*K]
        Tensor v = vProj.forward(tape, normed, null, in);                            // [M, Hkv*K]
        tape.forget(normed);
        F.rope(tape, q, k, rope.cos(), rope.sin(), in.positions(), attention);
        Tensor o = attend.attend(tape, q, k, v);                                     // [M, H*K]
        tape.done(q);
        tape.done(k);
        tape.done(v);
        Tensor h = oProj.forward(tape, o, x, in);                                    // [M, D]
        tape.done(o);
        return h;
    }

    private Tensor mlp(Tape tape, Tensor h, ModelInput in) {
        Tensor normed = postAttentionNorm.forward(tape, h);                          // [M, D]
        Tensor gate = gateProj.forward(tape, normed, null, in);                      // [M, F]
        Tensor up = upProj.forward(tape, normed, null, in);                          // [M, F]
        tape.forget(normed);
        Tensor inner = F.glu(tape, gate, up, activation);                            // [M, F]
        tape.done(gate);
        tape.done(up);
        Tensor y = downProj.forward(tape, inner, h, in);                             // [M, D]
        tape.forget(inner);
        return y;
    }

    private List<Parameter> mlpParameters() {
        List<Parameter> parameters = new ArrayList<>(List.of(postAttentionNorm.weight()));
        List.of(gateProj, upProj, downProj).forEach(projection -> parameters.addAll(projection.parameters()));
        return parameters;
    }

    List<Projection> projections() {
        return List.of(qProj, kProj, vProj, oProj, gateProj, upProj, downProj);
    }

    List<Parameter> norms() {
        return List.of(inputNorm.weight(), postAttentionNorm.weight());
    }

    /// Puts another projection in the place of the one at a path that this layer has.
    void replace(String path, UnaryOperator<Projection> change) {
        switch (path.substring(path.lastIndexOf('.') + 1)) {
            case "q_proj" -> qProj = change.apply(qProj);
            case "k_proj" -> kProj = change.apply(kProj);
            case "v_proj" -> vProj = change.apply(vProj);
            case "o_proj" -> oProj = change.apply(oProj);
            case "gate_proj" -> gateProj = change.apply(gateProj);
            case "up_proj" -> upProj = change.apply(upProj);
            case "down_proj" -> downProj = change.apply(downProj);
            default -> throw new IllegalArgumentException("this layer has no projection " + path);
        }
    }
}
