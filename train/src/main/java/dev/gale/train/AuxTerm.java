package dev.gale.train;

import dev.gale.nn.AuxLoss;
import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelInput;
import dev.gale.nn.RouterLoss;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Batch;
import java.util.List;

/// The router's part of a step's loss: `coef * sum_b (tokens_b / tokens) * aux_b` over its micro-batches b, with `aux_b` as
/// `RouterLoss` has it and all tokens counted, trained or not.
///
/// `aux_b` is a product of what micro-batch b chose and how probable that was, so a micro-batch that is taken apart gives
/// another value unless its parts choose alike. With one micro-batch a step it is Transformers' loss. There the micro-batches
/// of a step are added up, so that the coefficient grows with their number; here it does not.
final class AuxTerm implements AutoCloseable {
    private final RouterLoss router;
    private final double coef;
    private double[] weights = {};

    /// @param microBatches of most steps
    AuxTerm(TensorOps ops, CausalLm model, AuxLoss loss, int microBatches) {
        router = new RouterLoss(ops, model.config().variant().mixture(), microBatches);
        coef = loss.coef();
    }

    /// Begins a step.
    ///
    /// @param factor of the step's loss in what gradients add up to
    void begin(List<Batch> microBatches, double factor) {
        double tokens = microBatches.stream().mapToLong(Batch::tokens).sum();
        weights = microBatches.stream().mapToDouble(batch -> batch.tokens() / tokens).toArray();
        float[] factors = new float[weights.length];
        for (int i = 0; i < factors.length; i++) factors[i] = (float) (factor * coef * weights[i]);
        router.begin(factors);
    }

    ModelInput on(ModelInput input, int microBatch) {
        return router.on(input, microBatch);
    }

    /// What the coefficient is multiplied with. Reads from the device.
    double value() {
        double[] values = router.values();
        double sum = 0;
        for (int i = 0; i < values.length; i++) sum += weights[i] * values[i];
        return sum;
    }

    double coef() {
        return coef;
    }

    @Override
    public void close() {
        router.close();
    }
}
