package dev.gale.nn;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Experts;
import dev.gale.tensor.ops.TensorOps;
import java.util.Arrays;

/// Load-balancing losses of some batches: for each `E * sum_e f_e P_e`, where `f_e` is the number of choices of expert e and
/// `P_e` the sum of its probabilities, over all tokens of all layers with experts, divided by their number. It is k where
/// experts share alike. Transformers' `load_balancing_loss_func`, which leaves out padding as this does.
///
/// Layers add up on the device while the batch goes forward, and gradients come with its backward; only `values` reads from
/// there. Source: Fedus et al. 2021, arXiv 2101.03961 section 2.2.
public final class RouterLoss implements AutoCloseable {
    private final TensorOps ops;
    private final int numExperts;
    private final int perToken;
    private Tensor sums;                             // choices, then probabilities of each batch, `[2 * batches, E]`
    private Tensor factors;                          // `[batches]`
    private int batches;

    /// @param capacity batches for which there is memory at first
    public RouterLoss(TensorOps ops, Mixture mixture, int capacity) {
        this.ops = ops;
        numExperts = mixture.numExperts();
        perToken = mixture.route().perToken();
        reserve(capacity);
    }

    private void reserve(int capacity) {
        sums = ops.allocate("router sums", DType.F32, Shape.of(2 * capacity, numExperts));
        factors = ops.allocate("router factors", DType.F32, Shape.of(capacity));
    }

    /// Begins anew with as many batches as there are factors.
    ///
    /// @param given what the gradient of each batch's loss is multiplied with
    public void begin(float... given) {
        batches = given.length;
        int capacity = Math.toIntExact(factors.size());
        if (batches > capacity) {
            close();
            reserve(batches);
        }
        ops.fill(sums, 0f);
        ops.write(factors, Arrays.copyOf(given, Math.max(batches, capacity)));
    }

    /// The input of a batch whose layers shall add up; it shares the other's memory.
    ///
    /// @param batch number of the batch, from 0
    public ModelInput on(ModelInput input, int batch) {
        return input.with(new Experts.Balance(ops.rows(sums, 2 * batch, 2), ops.rows(factors, batch, 1), input.stop()));
    }

    /// The loss of each batch, 0 of one that did not go forward.
    public double[] values() {
        float[] all = ops.toFloats(sums);
        double[] values = new double[batches];
        for (int b = 0; b < batches; b++) {
            double tokens = 0;
            double products = 0;
            for (int e = 0; e < numExperts; e++) {
                double choices = all[2 * b * numExperts + e];
                tokens += choices / perToken;
                products += choices * all[(2 * b + 1) * numExperts + e];
            }
            values[b] = tokens == 0 ? 0 : numExperts / (tokens * tokens) * products;
        }
        return values;
    }

    @Override
    public void close() {
        ops.release(sums);
        ops.release(factors);
    }
}
