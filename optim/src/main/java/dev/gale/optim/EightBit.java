package dev.gale.optim;

import dev.gale.optim.UpdateRule.State;
import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Dynamic8;
import java.util.List;
import java.util.regex.Pattern;

/// Optimizers whose states take a byte an element; the formulas stand at `OptimizerOps`.
/// Source: Dettmers et al. 2021, arXiv 2110.02861; bitsandbytes.
final class EightBit {
    /// States of smaller parameters stay F32: bitsandbytes' `min_8bit_size`.
    private static final int FEWEST = 4096;
    /// Those of embeddings do too, as in Transformers' Trainer.
    private static final Pattern EMBEDDING = Pattern.compile("(?:^|\\.)embed_tokens\\.(?!lora_).*weight$");

    private EightBit() {}

    /// Whether a parameter's states are kept in 8 bits.
    static boolean suits(Parameter parameter) {
        return parameter.value().size() >= FEWEST && !EMBEDDING.matcher(parameter.name()).find();
    }

    private static List<State> codes(String name, Parameter parameter) {
        Shape blocks = Shape.of(Dynamic8.blocks(parameter.value().size()));
        return List.of(new State(name, DType.U8, parameter.value().shape()),
                new State(name + "_absmax", DType.F32, blocks));
    }

    /// `OptimizerOps.adamW8bit`.
    record AdamWRule(double beta1, double beta2, double eps) implements UpdateRule {
        @Override
        public List<State> states(Parameter parameter) {
            List<State> m = codes("exp_avg", parameter);
            List<State> v = codes("exp_avg_sq", parameter);
            return List.of(m.get(0), m.get(1), v.get(0), v.get(1));
        }

        @Override
        public int[] hyperSizes() {
            return new int[] {7};
        }

        @Override
        public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
            return new AdamW.Rule(beta1, beta2, eps, AdamW.Form.TORCH).hyper(lr, weightDecay, step, totals);
        }

        @Override
        public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
            ops.adamW8bit(parameter.value(), parameter.grad(ops), new Quantized8(states.get(0), states.get(1)),
                    new Quantized8(states.get(2), states.get(3)), step.hyper(), step.factor());
        }
    }

    /// `OptimizerOps.lion8bit`.
    ///
    /// @param exact the rule of F32 states, whose numbers it takes
    record LionRule(Lion exact) implements UpdateRule {
        @Override
        public List<State> states(Parameter parameter) {
            return codes("exp_avg", parameter);
        }

        @Override
        public int[] hyperSizes() {
            return exact.hyperSizes();
        }

        @Override
        public float[][] hyper(double lr, double weightDecay, int step, double[] totals) {
            return exact.hyper(lr, weightDecay, step, totals);
        }

        @Override
        public void update(TensorOps ops, Parameter parameter, List<Tensor> states, Step step) {
            ops.lion8bit(parameter.value(), parameter.grad(ops), new Quantized8(states.get(0), states.get(1)), step.hyper(),
                    step.factor());
        }
    }
}
