package dev.gale.train;

import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelInput;
import dev.gale.optim.GradClip;
import dev.gale.optim.LossScaler;
import dev.gale.optim.Optimizer;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Tape;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Batch;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/// One optimizer step: forward and backward of every micro-batch, then clipping and update.
///
/// The loss is the sum of token losses over all micro-batches divided by their number of trained tokens, so any split of
/// the same examples gives the same update. Gradients accumulate as sums; the division is part of the update.
/// A router's loss is an `AuxTerm` beside it.
///
/// Where activations are F16, gradients are multiplied by a `LossScaler`'s scale on their way, and divided in the update.
public final class TrainStep implements AutoCloseable {
    private final TensorOps ops;
    private final CausalLm model;
    private final Optimizer optimizer;
    private final SftConfig config;
    private final CrossEntropySpec loss;
    private final GradClip clip;
    private final Tensor stats;              // loss sum, right guesses
    private final LossScaler scaler;         // null without F16
    private final Tensor gradScale;          // null without F16
    private final AuxTerm aux;               // null without a router's loss

    /// A step over the optimizer's parameters.
    public TrainStep(TensorOps ops, CausalLm model, Optimizer optimizer, SftConfig config) {
        this.ops = ops;
        this.model = model;
        this.optimizer = optimizer;
        this.config = config;
        loss = lossSpec(model);
        clip = new GradClip(ops);
        stats = ops.allocate("loss and hits", DType.F32, Shape.of(2));
        boolean scales = ops.activationType() == DType.F16;
        scaler = scales ? new LossScaler() : null;
        gradScale = scales ? ops.allocate("gradient scale", DType.F32, Shape.of(1)) : null;
        aux = config.auxLoss(model.config())
                .map(router -> new AuxTerm(ops, model, router, config.gradientAccumulationSteps())).orElse(null);
        optimizer.parameters().forEach(parameter -> parameter.grad(ops));     // side by side, and every step is like the first
    }

    static CrossEntropySpec lossSpec(CausalLm model) {
        long rows = model.ops().scratchBytes() / (4L * model.head().value().rows());
        return model.lossSpec(Math.clamp(rows, 16, 2048));
    }

    /// What a step computed; the caller adds time and place.
    ///
    /// @param loss     mean over the trained tokens, and the router's part
    /// @param auxLoss  the router's loss without its coefficient, empty without one
    /// @param accuracy share of right first guesses
    /// @param gradNorm of the mean gradient, before clipping
    /// @param skipped  whether parameters and optimizer are as before, because a scaled gradient was not finite
    public record Result(double loss, OptionalDouble auxLoss, double accuracy, double gradNorm, long trainedTokens, long tokens,
                         boolean skipped) {}

    /// Runs the micro-batches of one step and updates the parameters.
    /// Throws: TrainingException when no token is trained or the loss or a gradient is not finite, with F16 whatever the scale;
    /// the parameters and the optimizer are then as before the step.
    public Result run(List<Batch> microBatches, int step, double lr) {
        optimizer.train();
        ops.fill(stats, 0f);
        long trainedTokens = microBatches.stream().mapToLong(Batch::trainedTokens).sum();
        long allTokens = microBatches.stream().mapToLong(Batch::tokens).sum();
        if (trainedTokens == 0) throw new TrainingException("step " + step
                + ": every target token is masked, nothing would be learned");
        float scale = scaleGradients(trainedTokens);
        if (aux != null) aux.begin(microBatches, (double) scale * trainedTokens);
        for (int i = 0; i < microBatches.size(); i++) forwardBackward(microBatches.get(i), step, i);
        Tensor factor = clip.factor(optimizer.parameters(), trainedTokens, scale, config.maxGradNorm());
        float[] sums = ops.toFloats(stats);
        float gradNorm = clip.norm();
        OptionalDouble auxLoss = aux == null ? OptionalDouble.empty() : OptionalDouble.of(aux.value());
        double meanLoss = sums[0] / (double) trainedTokens + (aux == null ? 0 : aux.coef() * auxLoss.getAsDouble());
        boolean updates = updates(step, meanLoss, gradNorm);
        if (updates) optimizer.step(lr, factor);
        optimizer.zeroGrad();
        return new Result(meanLoss, auxLoss, sums[1] / (double) trainedTokens, gradNorm, trainedTokens, allTokens, !updates);
    }

    /// Says what the step's gradients are multiplied by. Returns 1 where nothing scales them.
    private float scaleGradients(long trainedTokens) {
        if (scaler == null) return 1f;
        float scale = scaler.sumScale(trainedTokens);
        ops.write(gradScale, new float[] {scale});
        return scale;
    }

    /// What scales gradients, with F16.
    Optional<LossScaler> scaler() {
        return Optional.ofNullable(scaler);
    }

    /// Gives parameters the values to evaluate, until the next run.
    void eval() {
        optimizer.eval();
    }

    /// Takes the memory of a micro-batch and changes nothing: forward and backward without an update.
    void rehearse(Batch batch) {
        optimizer.train();
        ops.fill(stats, 0f);
        scaleGradients(Math.max(1, batch.trainedTokens()));
        if (aux != null) aux.begin(List.of(batch), 1);
        forwardBackward(batch, 0, 0);
        optimizer.zeroGrad();
    }

    private void forwardBackward(Batch tokens, int step, int microBatch) {
        Batch batch = tokens.padded(ops.batchRows(tokens.tokens()));
        ModelInput input = ModelInput.of(ops, batch.ids(), batch.positions(), batch.start(), batch.stop());
        input.seed(ops, config.seed(), step, microBatch);
        Tensor targets = ops.allocate("targets", DType.I32, Shape.of(batch.tokens()));
        ops.write(targets, batch.targets());
        try (Tape tape = Tape.recording(ops)) {
            ModelInput counted = aux == null ? input : aux.on(input, microBatch);
            Tensor hidden = model.hidden(tape, counted, config.activationMemory());   // [M, D]
            model.loss(tape, stats, null, hidden, targets, gradScale, loss);
            tape.backward();
        } finally {
            ops.release(targets);
            input.release(ops);
        }
    }

    /// Whether the gradients can be used; if not, a smaller scale may make them so.
    private boolean updates(int step, double meanLoss, float gradNorm) {
        boolean finite = Double.isFinite(meanLoss) && Float.isFinite(gradNorm);
        if (scaler != null && !scaler.update(finite ? gradNorm : Double.NaN) && !scaler.isExhausted()) return false;
        if (finite) return true;
        optimizer.zeroGrad();
        throw new TrainingException(("step %d: the loss is %s and the gradient norm %s%s; lower the learning rate or look for "
                + "broken weights or data")
                .formatted(step, meanLoss, gradNorm, scaler == null ? "" : " at every loss scale down to 1"));
    }

    @Override
    public void close() {
        clip.close();
        ops.release(stats);
        if (gradScale != null) ops.release(gradScale);
        if (aux != null) aux.close();
    }
}
