package dev.gale.optim;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// `OptimizerOps.sgd`; the momentum is remembered if it is not 0.
record Sgd(double momentum) implements UpdateRule {
    @Override
    public List<State> states(Parameter parameter) {
        return momentum == 0 ? List.of() : List.of(State.like("momentum_buffer", parameter));
    }

    @Override
    public int[] hyperSizes() {
        return new int[] {3};
    }

    @Override
    public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
        return new float[][] {{(float) lr, (float) momentum, (float) weightDecay}};
    }

    @Override
    public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
        Tensor momentums = states.isEmpty() ? null : states.getFirst();
        ops.sgd(parameter.value(), parameter.grad(ops), momentums, step.hyper(), step.factor());
    }
}
