package dev.gale.optim;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// AdamW with F32 moments; the formula stands at `TensorOps.adamW`, the semantics are `torch.optim.AdamW`'s.
/// Source: Loshchilov & Hutter 2017, arXiv 1711.05101.
public final class AdamW extends StatefulOptimizer {

    /// Numbers that hold for all groups.
    ///
    /// @param beta1 decay of the mean of gradients, in [0, 1)
    /// @param beta2 decay of the mean of squared gradients, in [0, 1)
    /// @param eps   keeps the division finite, >= 0
    public record Settings(double beta1, double beta2, double eps) {
        /// 0.9, 0.999, 1e-8.
        public static final Settings DEFAULT = new Settings(0.9, 0.999, 1e-8);

        public Settings {
            new OptimizerSettings(beta1, beta2, eps, 0, 0, OptimArgs.NONE, List.of());
        }
    }

    /// Allocates moments for all parameters.
    /// Throws: IllegalArgumentException for a parameter that is frozen, not F32, or in two groups.
    public AdamW(TensorOps ops, List<ParamGroup> groups, Settings settings) {
        this(ops, groups, new Rule(settings.beta1, settings.beta2, settings.eps, Form.TORCH));
    }

    private AdamW(TensorOps ops, List<ParamGroup> groups, Rule rule) {
        super(ops, groups, parameter -> rule, false);
    }

    /// Where forms of AdamW differ. All are made of the same operation, whose decay comes first and whose eps is corrected.
    enum Form {
        /// The operation's own.
        TORCH,
        /// Decay after the update, as bitsandbytes.
        DECAY_LAST,
        /// Decay after the update and `sqrt(v) + eps` before the correction of v, as GaLore.
        EPS_FIRST
    }

    record Rule(double beta1, double beta2, double eps, Form form) implements UpdateRule {
        @Override
        public List<State> states(Parameter parameter) {
            return List.of(State.like("exp_avg", parameter), State.like("exp_avg_sq", parameter));
        }

        @Override
        public int[] hyperSizes() {
            return new int[] {7};
        }

        /// `(p - lr * u) * keep`, `keep = 1 - lr * wd`, is `p * keep - (lr * keep) * u`.
        @Override
        public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
            float[] corrections = corrections(beta1, beta2, step);
            double keep = form == Form.TORCH ? 1 : 1 - lr * weightDecay;
            double corrected = form == Form.EPS_FIRST ? eps / Math.sqrt(corrections[1]) : eps;
            return new float[][] {{(float) (lr * keep), (float) beta1, (float) beta2, (float) corrected,
                (float) (weightDecay / keep), corrections[0], corrections[1]}};
        }

        @Override
        public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
            ops.adamW(parameter.value(), parameter.grad(ops), states.get(0), states.get(1), step.hyper(), step.factor());
        }
    }

    /// `1 - b1^t` and `1 - b2^t`, from the betas as F32 has them, so that they match what the moments were made with.
    static float[] corrections(double beta1, double beta2, int step) {
        return new float[] {(float) (1 - Math.pow((float) beta1, step)), (float) (1 - Math.pow((float) beta2, step))};
    }
}
