package dev.gale.optim;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// `OptimizerOps.scheduleFreeAdamW`: gradients are taken at y, the run gives the average x of the points z. With step t
/// counted from 1, `lr *= min(1, t / warmup)`, `w = t^r * max(lr so far)^power`, `c = w / sum of w so far`.
/// Source: Defazio et al. 2024, arXiv 2405.15682, algorithm 1; schedulefree.AdamWScheduleFree.
record ScheduleFree(double beta1, double beta2, double eps, int warmupSteps, double r, double power) implements UpdateRule {
    private static final int WEIGHTS = 0;
    private static final int LARGEST = 1;

    @Override
    public List<State> states(Parameter parameter) {
        return List.of(State.like("z", parameter), State.like("exp_avg_sq", parameter));
    }

    @Override
    public int[] hyperSizes() {
        return new int[] {7};
    }

    /// The sum of weights and the largest learning rate.
    @Override
    public int totals() {
        return 2;
    }

    @Override
    public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
        double warm = step < warmupSteps ? lr * step / warmupSteps : lr;
        totals[LARGEST] = Math.max(totals[LARGEST], warm);
        double weight = Math.pow(step, r) * Math.pow(totals[LARGEST], power);
        totals[WEIGHTS] += weight;
        double c = totals[WEIGHTS] == 0 ? 0 : weight / totals[WEIGHTS];
        return new float[][] {{(float) warm, (float) beta1, (float) beta2, (float) eps, (float) weightDecay, (float) c,
            AdamW.corrections(beta1, beta2, step)[1]}};
    }

    @Override
    public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
        if (step.number() == 1) ops.copy(states.getFirst(), parameter.value());
        ops.scheduleFreeAdamW(parameter.value(), parameter.grad(ops), states.get(0), states.get(1), step.hyper(),
                step.factor());
    }

    @Override
    public boolean averages() {
        return true;
    }

    /// `x = y + (1 - 1 / b1) * (z - y)`; y is in the gradient's place too.
    @Override
    public void average(TensorOps ops, Parameter parameter, List<Tensor> states) {
        float share = (float) (1 - 1 / beta1);
        ops.addScaled(parameter.value(), parameter.grad(ops), -share);
        ops.addScaled(parameter.value(), states.getFirst(), share);
    }
}
