package dev.gale.optim;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// `OptimizerOps.lion`: the sign of an interpolated momentum. Transformers gives it the betas of Adam.
record Lion(double beta1, double beta2) implements UpdateRule {
    @Override
    public List<State> states(Parameter parameter) {
        return List.of(State.like("exp_avg", parameter));
    }

    @Override
    public int[] hyperSizes() {
        return new int[] {4};
    }

    @Override
    public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
        return new float[][] {{(float) lr, (float) beta1, (float) beta2, (float) weightDecay}};
    }

    @Override
    public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
        ops.lion(parameter.value(), parameter.grad(ops), states.getFirst(), step.hyper(), step.factor());
    }
}
