package dev.gale.optim;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// `OptimizerOps.adafactor` as Transformers' Trainer sets it up: no relative steps, no scaling by parameters, no first
/// moment; `b = 1 - t^decayRate`.
/// Source: Shazeer & Stern 2018, arXiv 1804.04235; transformers.Adafactor with `scale_parameter=False, relative_step=False`.
record Adafactor(double decayRate, double clip) implements UpdateRule {
    /// Keeps squares above 0: the first of Adafactor's two epsilons.
    private static final float EPS = 1e-30f;

    private static boolean factored(Parameter parameter) {
        return parameter.value().shape().rank() >= 2;
    }

    @Override
    public List<State> states(Parameter parameter) {
        if (!factored(parameter)) return List.of(State.like("exp_avg_sq", parameter));
        return List.of(new State("exp_avg_sq_row", DType.F32, Shape.of(parameter.value().rows())),
                new State("exp_avg_sq_col", DType.F32, Shape.of(parameter.value().cols())));
    }

    @Override
    public int[] hyperSizes() {
        return new int[] {5};
    }

    @Override
    public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
        return new float[][] {{(float) lr, (float) (1 - Math.pow(step, decayRate)), EPS, (float) clip, (float) weightDecay}};
    }

    @Override
    public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
        Tensor columns = factored(parameter) ? states.get(1) : null;
        ops.adafactor(parameter.value(), parameter.grad(ops), states.getFirst(), columns, step.hyper(), step.factor());
    }
}
