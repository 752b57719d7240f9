package dev.gale.bench.parity;

import dev.gale.nn.CausalLm;
import dev.gale.optim.AdamW;
import dev.gale.optim.ParamGroups;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.SftConfig;
import dev.gale.train.TrainStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;

/// LoRA steps of a model on `Successors`: what can be learned in a few dozen steps.
///
/// @param open  the model, frozen, on the operations that it computes with
/// @param batch sequences of a step, of `seq` tokens each
record LoraRun(Function<TensorOps, CausalLm> open, SftConfig training, int batch, int seq, int steps, double lr) {
    static final long SEED = 1;
    private static final LoraConfig LORA = LoraConfig.builder().r(16).loraAlpha(32).targetModules("all-linear").build();

    Curve run(TensorOps ops) {
        List<Double> losses = new ArrayList<>();
        try (CausalLm model = open.apply(ops)) {
            Successors sequences = new Successors(model.config().vocabSize());
            PeftModel peft = PeftModel.inject(model, LORA, SEED);
            try (AdamW optimizer = new AdamW(ops, ParamGroups.byDecay(peft.trainableParameters(), 0), AdamW.Settings.DEFAULT);
                 TrainStep step = new TrainStep(ops, model, optimizer, training)) {
                Random random = new Random(SEED);
                for (int i = 1; i <= steps; i++) {
                    losses.add(step.run(List.of(sequences.batch(batch, seq, random)), i, lr).loss());
                }
                return Curve.of(losses, peft.trainableParameters(), ops);
            }
        }
    }
}
