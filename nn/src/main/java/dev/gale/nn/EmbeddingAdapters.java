package dev.gale.nn;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.EmbeddingAdapter;
import dev.gale.tensor.autograd.F;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.CrossEntropySpec;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/// What adapters add to a model's embedding and head, or hold apart of them.
public final class EmbeddingAdapters {
    private EmbeddingAdapter lowRank;                // null when there is none
    private TokenAdapter tokens;
    private TokenAdapter headTokens;                 // that of a tied embedding is both

    EmbeddingAdapters() {}

    /// Puts an adapter beside the embedding, or with null takes it away.
    public void set(EmbeddingAdapter adapter) {
        lowRank = adapter;
    }

    /// Holds rows of embedding and head apart, or with null no longer; of a tied embedding both are the same.
    public void set(TokenAdapter embedding, TokenAdapter head) {
        tokens = embedding;
        headTokens = head;
    }

    boolean isEmpty() {
        return lowRank == null && tokens == null && headTokens == null;
    }

    private SequencedSet<TokenAdapter> tokenAdapters() {
        SequencedSet<TokenAdapter> all = new LinkedHashSet<>();
        if (tokens != null) all.add(tokens);
        if (headTokens != null) all.add(headTokens);
        return all;
    }

    List<Parameter> parameters() {
        List<Parameter> all = new ArrayList<>();
        if (lowRank != null) all.addAll(List.of(lowRank.a(), lowRank.b()));
        tokenAdapters().forEach(adapter -> all.add(adapter.rows()));
        return all;
    }

    /// Rows of the table for a batch, `[M, D]`. Comes first in a pass: the head has its tokens, too, from then on.
    Tensor lookUp(Tape tape, Parameter table, ModelInput in) {
        tokenAdapters().forEach(TokenAdapter::write);
        boolean learns = tokens != null && tokens.rows().trainable() && tape.isRecording();
        if (!learns) return F.embedding(tape, table, in.ids(), lowRank);
        return F.embedding(tape, table, in.ids(), tokens.rows(), in.slots().among(tokens.ids()));
    }

    /// See `CausalLm.loss`.
    void loss(Tape tape, Tensor stats, Tensor tokenLoss, Tensor hidden, Parameter head, Parameter headBias, Tensor targets,
              Tensor gradScale, CrossEntropySpec spec) {
        boolean learns = headTokens != null && headTokens.rows().trainable() && tape.isRecording();
        if (!learns) F.linearCrossEntropy(tape, stats, tokenLoss, hidden, head, headBias, targets, gradScale, spec);
        else F.linearCrossEntropy(tape, stats, tokenLoss, hidden, head, headTokens.rows(), headBias, targets, gradScale,
                spec.ofRows(headTokens.indices()));
    }
}
