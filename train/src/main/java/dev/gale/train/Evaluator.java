package dev.gale.train;

import dev.gale.nn.AuxLoss;
import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelInput;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Batch;
import dev.gale.train.metric.EvalMetrics;
import java.util.List;
import java.util.Optional;

/// Measures the loss on held-out examples; needs no more memory than a forward pass, and no logits beyond a chunk.
public final class Evaluator {
    private final TensorOps ops;
    private final CausalLm model;
    private final AuxLoss auxLoss;               // null for none

    /// Measures cross-entropy alone.
    public Evaluator(TensorOps ops, CausalLm model) {
        this(ops, model, Optional.empty());
    }

    /// @param auxLoss the router's loss if it is a part of what is measured: the mean over batches, weighted with their tokens
    public Evaluator(TensorOps ops, CausalLm model, Optional<AuxLoss> auxLoss) {
        this.ops = ops;
        this.model = model;
        this.auxLoss = auxLoss.orElse(null);
    }

    /// Throws: TrainingException when no token is evaluated.
    public EvalMetrics evaluate(Iterable<Batch> batches) {
        long begin = System.nanoTime();
        double lossSum = 0;
        double auxSum = 0;
        double hits = 0;
        long trained = 0;
        long tokens = 0;
        long sequences = 0;
        try (AuxTerm aux = auxLoss == null ? null : new AuxTerm(ops, model, auxLoss, 1)) {
            for (Batch batch : batches) {
                if (aux != null) aux.begin(List.of(batch), 0);
                float[] stats = forward(batch, aux);
                lossSum += stats[0];
                hits += stats[1];
                if (aux != null) auxSum += aux.value() * batch.tokens();
                trained += batch.trainedTokens();
                tokens += batch.tokens();
                sequences += batch.sequences();
            }
        }
        if (trained == 0) throw new TrainingException("the evaluation data has no token to predict");
        EvalMetrics metrics = new EvalMetrics(lossSum / trained, hits / trained, sequences, trained,
                (System.nanoTime() - begin) / 1e9);
        return auxLoss == null ? metrics : metrics.withAuxLoss(auxSum / tokens, auxLoss.coef());
    }

    private float[] forward(Batch tokens, AuxTerm aux) {
        Batch batch = tokens.padded(ops.batchRows(tokens.tokens()));
        ModelInput input = ModelInput.of(ops, batch.ids(), batch.positions(), batch.start(), batch.stop());
        Tensor targets = ops.allocate("targets", DType.I32, Shape.of(batch.tokens()));
        Tensor stats = ops.allocate("loss and hits", DType.F32, Shape.of(2));
        ops.write(targets, batch.targets());
        ops.fill(stats, 0f);
        try (Tape tape = Tape.inference(ops)) {
            Tensor hidden = model.hidden(tape, aux == null ? input : aux.on(input, 0), Checkpointing.NONE);     // [M, D]
            model.loss(tape, stats, null, hidden, targets, null, TrainStep.lossSpec(model));
            return ops.toFloats(stats);
        } finally {
            ops.release(stats);
            ops.release(targets);
            input.release(ops);
        }
    }
}
