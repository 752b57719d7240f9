package dev.gale.train;

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

/// Measures the loss on held-out examples; needs no more memory than a forward pass, and no logits beyond a chunk.
public final class Evaluator {
    private final TensorOps ops;
    private final CausalLm model;

    public Evaluator(TensorOps ops, CausalLm model) {
        this.ops = ops;
        this.model = model;
    }

    /// Throws: TrainingException when no token is evaluated.
    public EvalMetrics evaluate(Iterable<Batch> batches) {
        long begin = System.nanoTime();
        double lossSum = 0;
        double hits = 0;
        long trained = 0;
        long sequences = 0;
        for (Batch batch : batches) {
            float[] stats = forward(batch);
            lossSum += stats[0];
            hits += stats[1];
            trained += batch.trainedTokens();
            sequences += batch.sequences();
        }
        if (trained == 0) throw new TrainingException("the evaluation data has no token to predict");
        return new EvalMetrics(lossSum / trained, hits / trained, sequences, trained, (System.nanoTime() - begin) / 1e9);
    }

    private float[] forward(Batch tokens) {
        Batch batch = tokens.padded(ops.batchRows(tokens.tokens()));
        ModelInput input = ModelInput.of(ops, batch.ids(), batch.positions(), batch.start(), batch.stop());
        Tensor targets = ops.allocate("targets", DType.I32, Shape.of(batch.tokens()));
        Tensor stats = ops.allocate("loss and hits", DType.F32, Shape.of(2));
        ops.write(targets, batch.targets());
        ops.fill(stats, 0f);
        try (Tape tape = Tape.inference(ops)) {
            Tensor hidden = model.hidden(tape, input, Checkpointing.NONE);                     // [M, D]
            model.loss(tape, stats, null, hidden, targets, null, TrainStep.lossSpec(model));
            return ops.toFloats(stats);
        } finally {
            ops.release(stats);
            ops.release(targets);
            input.release(ops);
        }
    }
}
