package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/// One pre-norm layer: `h = x + attention(norm(x))`, `y = h + mlp(norm(h))`, or in parallel
/// `y = x + attention(norm(x)) + mlp(norm(x))`. Both residuals are added inside the projection before them, unless a norm or a
/// factor comes between.
final class DecoderLayer {
    private final String path;
    private final boolean parallel;
    private final float multiplier;
    private final Norm inputNorm;
    private final Norm mlpNorm;                      // null when parallel
    private final Norm afterAttention;               // null when the result is added as it is
    private final Norm afterMlp;
    private final Block attention;
    private final Block mlp;

    DecoderLayer(ModelConfig config, int index, WeightSource weights) {
        path = Family.of(config).names.root() + ".layers." + index;
        LayerForm form = config.variant().form();
        parallel = form.parallel();
        multiplier = (float) config.variant().multipliers().residual();
        inputNorm = norm(config, weights, path + ".input_layernorm");
        attention = config.variant().latent() != null ? new LatentSelfAttention(config, weights, path + ".self_attn")
                : new SelfAttention(config, index, weights, path + ".self_attn");
        afterAttention = form.postNorms() ? norm(config, weights, path + ".post_attention_layernorm") : null;
        mlpNorm = parallel ? null
                : norm(config, weights, path + (form.postNorms() ? ".pre_feedforward_layernorm" : ".post_attention_layernorm"));
        mlp = config.isSparse(index) ? new ExpertMlp(config, weights, path + "." + Family.of(config).names.sparse())
                : new Mlp(config, weights, path + ".mlp", config.intermediateSize());
        afterMlp = form.postNorms() ? norm(config, weights, path + ".post_feedforward_layernorm") : null;
    }

    private static Norm norm(ModelConfig config, WeightSource weights, String path) {
        return Norm.of(config.variant().form().norm(), weights, path, config.hiddenSize(), config.rmsNormEps());
    }

    static Parameter parameter(WeightSource weights, String name, int... dims) {
        return Parameter.frozen(name, weights.get(name, Shape.of(dims)));
    }

    /// Shapes: x and the result `[M, D]`.
    ///
    /// @param mlpRows tokens of which the MLP is computed at once, unless it reads what attention reads
    Tensor forward(Tape tape, Tensor x, LayerInput in, int mlpRows) {
        Tensor normed = inputNorm.forward(tape, x);                                  // [M, D]
        Tensor h = added(tape, attention, normed, x, afterAttention, in);
        Tensor y;                                                                    // [M, D]
        if (parallel) y = added(tape, mlp, normed, h, afterMlp, in);
        else if (h.rows() <= mlpRows) y = normedMlp(tape, h, in);
        else y = tape.tiled(part -> (t, rows) -> normedMlp(t, rows, in.part(t.ops(), part, part * mlpRows, rows.rows())), h,
                mlpParameters(), mlpRows);
        tape.done(h);
        return y;
    }

    private Tensor normedMlp(Tape tape, Tensor h, LayerInput in) {
        return added(tape, mlp, mlpNorm.forward(tape, h), h, afterMlp, in);
    }

    private List<Parameter> mlpParameters() {
        List<Parameter> parameters = new ArrayList<>(mlpNorm.parameters());
        if (afterMlp != null) parameters.addAll(afterMlp.parameters());
        for (ProjectionSlot slot : mlp.projections()) parameters.addAll(slot.projection().parameters());
        return parameters;
    }

    /// `residual + multiplier * after(block(normed))`.
    private Tensor added(Tape tape, Block block, Tensor normed, Tensor residual, Norm after, LayerInput in) {
        if (after == null && multiplier == 1) return block.forward(tape, normed, residual, in);
        Tensor share = block.forward(tape, normed, null, in);
        Tensor shifted = after == null ? share : after.forward(tape, share);
        if (shifted != share) tape.done(share);
        Tensor sum = F.addScaled(tape, residual, shifted, multiplier);
        tape.done(shifted);
        return sum;
    }

    List<Projection> projections() {
        return slots().map(ProjectionSlot::projection).toList();
    }

    private Stream<ProjectionSlot> slots() {
        return Stream.of(attention, mlp).flatMap(block -> block.projections().stream());
    }

    List<Parameter> norms() {
        List<Parameter> parameters = new ArrayList<>();
        List<Norm> norms = new ArrayList<>(attention.norms());
        Stream.of(inputNorm, afterAttention, mlpNorm, afterMlp).filter(norm -> norm != null).forEach(norms::add);
        norms.addAll(mlp.norms());
        norms.forEach(norm -> parameters.addAll(norm.parameters()));
        return parameters;
    }

    /// Whether a module path begins with that of this layer.
    boolean holds(String module) {
        return module.startsWith(path + ".");
    }

    boolean isExpert(String module) {
        return holds(module) && mlp instanceof ExpertMlp mixture
                && mixture.experts().stream().anyMatch(slot -> slot.projection().path().equals(module));
    }

    /// Puts another projection in the place of the one at a path that this layer has.
    void replace(String module, UnaryOperator<Projection> change) {
        slots().filter(slot -> slot.projection().path().equals(module)).findFirst().orElseThrow().change(change);
    }
}
