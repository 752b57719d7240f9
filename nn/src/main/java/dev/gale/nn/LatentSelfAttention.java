package dev.gale.nn;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.Columns;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// Attention over keys and values that are made of one narrow vector of a token; see `LatentAttention`. A head of q and k is
/// its rotated part and then the other; a head of v is filled up with zeros to their width.
final class LatentSelfAttention implements Block {
    private final AttentionSpec spec;
    private final LatentAttention latent;
    private final List<ProjectionSlot> queries;      // one, or down and up
    private final Norm queryNorm;                    // between them, or null
    private final ProjectionSlot down;
    private final Norm norm;
    private final ProjectionSlot up;
    private final ProjectionSlot output;

    LatentSelfAttention(ModelConfig config, WeightSource weights, String path) {
        int hidden = config.hiddenSize();
        boolean bias = config.attentionBias();
        NormKind kind = config.variant().form().norm();
        spec = config.attention();
        latent = config.variant().latent();
        int heads = spec.numHeads();
        int rank = latent.queryRank();
        if (rank == 0) {
            queries = List.of(ProjectionSlot.linear(weights, path + ".q_proj", spec.queryWidth(), hidden, false));
            queryNorm = null;
        } else {
            queries = List.of(ProjectionSlot.linear(weights, path + ".q_a_proj", rank, hidden, bias),
                    ProjectionSlot.linear(weights, path + ".q_b_proj", spec.queryWidth(), rank, false));
            queryNorm = Norm.of(kind, weights, path + ".q_a_layernorm", rank, 1e-6);
        }
        down = ProjectionSlot.linear(weights, path + ".kv_a_proj_with_mqa", latent.rank() + latent.ropeDim(), hidden, bias);
        norm = Norm.of(kind, weights, path + ".kv_a_layernorm", latent.rank(), 1e-6);
        up = ProjectionSlot.linear(weights, path + ".kv_b_proj", heads * (latent.plainDim() + latent.valueDim()),
                latent.rank(), false);
        output = ProjectionSlot.linear(weights, path + ".o_proj", hidden, heads * latent.valueDim(), bias);
    }

    @Override
    public Tensor forward(Tape tape, Tensor x, Tensor residual, LayerInput in) {
        ModelInput batch = in.batch();
        int heads = spec.numHeads();
        int width = spec.headDim();
        int rope = latent.ropeDim();
        int plain = latent.plainDim();
        int values = latent.valueDim();
        Tensor asked = query(tape, x, batch);                                        // [M, H*(plain + rope)]
        Tensor narrow = down.forward(tape, x, null, batch);                          // [M, rank + rope]
        tape.forget(x);
        Tensor q = F.columns(tape, heads * width,
                new F.Part(asked, new Columns(heads, rope, plain, width, 0, width)),
                new F.Part(asked, new Columns(heads, plain, 0, width, rope, width)));
        tape.done(asked);
        Tensor vector = F.columns(tape, narrow, Columns.range(latent.rank(), 0, 0));
        Tensor normed = norm.forward(tape, vector);
        tape.done(vector);
        Tensor wide = up.forward(tape, normed, null, batch);                         // [M, H*(plain + values)]
        tape.forget(normed);
        int step = plain + values;
        Tensor k = F.columns(tape, heads * width,
                new F.Part(narrow, new Columns(heads, rope, latent.rank(), 0, 0, width)),
                new F.Part(wide, new Columns(heads, plain, 0, step, rope, width)));
        Tensor v = F.columns(tape, heads * width, new F.Part(wide, new Columns(heads, values, plain, step, 0, width)));
        tape.done(narrow);
        tape.done(wide);
        F.rope(tape, q, k, in.rope().cos(), in.rope().sin(), batch.positions(), spec);
        Tensor o = in.attend().attend(tape, q, k, v);                                // [M, H*K]
        tape.done(q);
        tape.done(k);
        tape.done(v);
        Tensor made = F.columns(tape, o, new Columns(heads, values, 0, width, 0, values));
        tape.done(o);
        Tensor y = output.forward(tape, made, residual, batch);                      // [M, D]
        tape.done(made);
        return y;
    }

    private Tensor query(Tape tape, Tensor x, ModelInput batch) {
        Tensor first = queries.getFirst().forward(tape, x, null, batch);
        if (queryNorm == null) return first;
        Tensor normed = queryNorm.forward(tape, first);
        tape.done(first);
        Tensor q = queries.get(1).forward(tape, normed, null, batch);
        tape.forget(normed);
        return q;
    }

    @Override
    public List<ProjectionSlot> projections() {
        return Stream.concat(queries.stream(), Stream.of(down, up, output)).toList();
    }

    @Override
    public List<Norm> norms() {
        List<Norm> norms = new ArrayList<>();
        if (queryNorm != null) norms.add(queryNorm);
        norms.add(norm);
        return norms;
    }
}
