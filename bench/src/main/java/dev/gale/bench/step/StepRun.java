package dev.gale.bench.step;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelConfig;
import dev.gale.optim.AdamW;
import dev.gale.optim.ParamGroups;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.train.SftConfig;
import dev.gale.train.TrainStep;
import dev.gale.train.TrainingException;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.IntConsumer;

/// LoRA steps of a model with random weights on random tokens, all of them trained: what the peer's scripts do.
///
/// @param onDevice      BF16 weights made by the device, instead of F32 ones from the host
/// @param checkpointing what backward runs again
/// @param quantization  of the projections, null for none
record StepRun(ModelConfig config, boolean onDevice, int batch, int seq, Checkpointing checkpointing,
               Quantization quantization) {
    private static final double LR = 2e-4;
    private static final LoraConfig LORA = LoraConfig.builder().r(16).loraAlpha(16).targetModules("all-linear").build();

    /// Seconds of each step and its mean loss, NaN when something in it was not finite.
    record Steps(List<Double> seconds, List<Double> losses) {
        /// Of the steps after the first ones.
        double median(int warmup) {
            List<Double> sorted = new ArrayList<>(seconds.subList(warmup, seconds.size()));
            Collections.sort(sorted);
            return sorted.get(sorted.size() / 2);
        }

        double fastest(int warmup) {
            return Collections.min(seconds.subList(warmup, seconds.size()));
        }

        boolean finite() {
            return losses.stream().allMatch(Double::isFinite);
        }
    }

    int tokens() {
        return batch * seq;
    }

    /// @param after called with the number of each step, from 1, when the device has done all of it
    Steps run(TensorOps ops, int steps, IntConsumer after) {
        SftConfig training = SftConfig.builder().gradientCheckpointing(checkpointing).build();
        List<Batch> batches = List.of(randomBatch());
        Steps taken = new Steps(new ArrayList<>(), new ArrayList<>());
        Tensor witness = ops.allocate("witness", DType.F32, Shape.of(1));
        ops.fill(witness, 0f);
        try (CausalLm model = model(ops)) {
            PeftModel peft = PeftModel.inject(model, LORA, 1);
            try (AdamW optimizer = new AdamW(ops, ParamGroups.byDecay(peft.trainableParameters(), 0), AdamW.Settings.DEFAULT);
                 TrainStep step = new TrainStep(ops, model, optimizer, training)) {
                for (int i = 1; i <= steps; i++) {
                    long begin = System.nanoTime();
                    taken.losses.add(loss(step, batches, i));
                    ops.border();
                    ops.item(witness);                     // the update's launches come after the loss was read
                    taken.seconds.add((System.nanoTime() - begin) / 1e9);
                    after.accept(i);
                }
            }
        }
        ops.release(witness);
        return taken;
    }

    private static double loss(TrainStep step, List<Batch> batches, int number) {
        try {
            return step.run(batches, number, LR).loss();
        } catch (TrainingException e) {
            return Double.NaN;
        }
    }

    private CausalLm model(TensorOps ops) {
        LoadOptions options = LoadOptions.defaults().withQuantization(quantization);
        return onDevice ? CausalLm.randomRows(config, 1, options.withDtype(DType.BF16), ops)
                : CausalLm.random(config, 1, options.withDtype(DType.F32), ops);
    }

    private Batch randomBatch() {
        Random random = new Random(1);
        boolean[] trained = new boolean[seq];
        Arrays.fill(trained, true);
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < batch; i++) examples.add(new Example(random.ints(seq, 0, config.vocabSize()).toArray(), trained));
        return Batch.of(examples);
    }
}
