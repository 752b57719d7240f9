package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// AdamW on gradients projected to a few directions. With B the leading singular vectors of the gradient G in the smaller of
/// its two spaces, `R = Bᵀ G` (wide G) or `G B`, moments of R as AdamW's, `u = m / (sqrt(v) + eps)`,
/// `p -= scale * lr * sqrt(1 - b2^t) / (1 - b1^t) * B u` (or `u Bᵀ`), then `p *= 1 - lr * wd`. B is found again every
/// `gap` steps; the moments stay.
/// Source: Zhao et al. 2024, arXiv 2403.03507, algorithm 2; galore_torch.AdamW with `proj_type="std"`.
record GaLore(double beta1, double beta2, double eps, int rank, int gap, double scale, long seed) implements UpdateRule {

    private static boolean wide(Parameter parameter) {
        return parameter.value().rows() < parameter.value().cols();
    }

    @Override
    public List<State> states(Parameter parameter) {
        int rows = parameter.value().rows();
        int cols = parameter.value().cols();
        int smaller = Math.min(rows, cols);
        int r = Math.min(rank, smaller);
        Shape low = wide(parameter) ? Shape.of(r, cols) : Shape.of(rows, r);
        return List.of(new State("projection", DType.F32, Shape.of(smaller, r)), new State("exp_avg", DType.F32, low),
                new State("exp_avg_sq", DType.F32, low));
    }

    @Override
    public int[] hyperSizes() {
        return new int[] {7, 3, 1};
    }

    @Override
    public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
        float[][] change = new AdamW.Rule(beta1, beta2, eps, AdamW.Form.EPS_FIRST).hyper(lr, weightDecay, step, totals);
        return new float[][] {change[0], {(float) lr, 0, (float) weightDecay}, {0}};
    }

    /// The operation `adamW` on zeros gives the change alone, `sgd` without a gradient the decay.
    @Override
    public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
        Tensor grad = parameter.grad(ops);
        Tensor basis = states.getFirst();
        if ((step.number() - 1) % gap == 0) LeadingDirections.find(ops, basis, grad, seed + step.number());
        Shape low = states.get(1).shape();
        Tensor projected = ops.allocate("projected gradient", DType.F32, low);
        Tensor change = ops.allocate("projected change", DType.F32, low);
        boolean wide = wide(parameter);
        if (wide) ops.matmul(projected, basis, true, grad, false, 1f, false);
        else ops.matmul(projected, grad, false, basis, false, 1f, false);
        ops.fill(change, 0f);
        ops.adamW(change, projected, states.get(1), states.get(2), step.hyper(), step.factor());
        if (step.decays()) ops.sgd(parameter.value(), grad, null, step.hypers().get(1), step.hypers().get(2));
        if (wide) ops.matmul(parameter.value(), basis, false, change, false, (float) scale, true);
        else ops.matmul(parameter.value(), change, false, basis, true, (float) scale, true);
        ops.release(change);
        ops.release(projected);
    }
}
