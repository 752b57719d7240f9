package dev.gale.train;

import dev.gale.nn.CausalLm;
import dev.gale.nn.LoadOptions;
import dev.gale.nn.ModelConfig;
import dev.gale.optim.Optimizer;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.IntConsumer;

/// LoRA steps of a model with random weights on random tokens, all of them trained: to measure or to plan a shape of work for
/// which there is no data yet.
///
/// @param fast     weights made by the device, see `CausalLm.randomRows`
/// @param options  how the weights are held
/// @param training optimizer and memory of the step; its batch size does not count
/// @param batch    sequences side by side
/// @param seq      tokens of each
public record StepTrial(ModelConfig config, boolean fast, LoadOptions options, LoraConfig lora, SftConfig training, int batch,
                        int seq) {
    private static final int TOTAL_STEPS = 1000;
    private static final double LR = 2e-4;

    /// Seconds of each step and its mean loss, NaN when something in it was not finite.
    public record Steps(List<Double> seconds, List<Double> losses) {
        /// Of the steps after the first ones.
        public double median(int warmup) {
            List<Double> sorted = new ArrayList<>(seconds.subList(warmup, seconds.size()));
            Collections.sort(sorted);
            return sorted.get(sorted.size() / 2);
        }

        public double fastest(int warmup) {
            return Collections.min(seconds.subList(warmup, seconds.size()));
        }

        public boolean finite() {
            return losses.stream().allMatch(Double::isFinite);
        }
    }

    /// Of a step.
    public int tokens() {
        return batch * seq;
    }

    /// @param after called with the number of each step, from 1, when the device has done all of it
    public Steps run(TensorOps ops, int steps, IntConsumer after) {
        List<Batch> batches = List.of(randomBatch());
        Steps taken = new Steps(new ArrayList<>(), new ArrayList<>());
        Tensor witness = ops.allocate("witness", DType.F32, Shape.of(1));
        ops.fill(witness, 0f);
        try (CausalLm model = model(ops)) {
            PeftModel peft = PeftModel.inject(model, lora, 1);
            try (Optimizer optimizer = SftTrainer.optimizer(ops, peft.trainableParameters(), training, TOTAL_STEPS);
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

    /// What the step takes of memory and arithmetic, on operations that compute nothing.
    public MemoryPlan plan(TensorOps ops) {
        List<Batch> batches = List.of(randomBatch());
        try (CausalLm model = model(ops)) {
            PeftModel peft = PeftModel.inject(model, lora, 1);
            long parameterBytes = ops.memory().liveBytes();
            try (Optimizer optimizer = SftTrainer.optimizer(ops, peft.trainableParameters(), training, TOTAL_STEPS);
                 TrainStep step = new TrainStep(ops, model, optimizer, training)) {
                long updateBytes = ops.memory().liveBytes() - parameterBytes;
                step.run(batches, 1, LR);
                step.run(batches, 2, LR);                                     // finds memory as every later one does
                return MemoryPlan.of(ops, model.parameters(), parameterBytes, updateBytes, MemoryPlan.flops(ops, 2), tokens());
            }
        }
    }

    private static double loss(TrainStep step, List<Batch> batches, int number) {
        try {
            return step.run(batches, number, LR).loss();
        } catch (TrainingException e) {
            return Double.NaN;
        }
    }

    private CausalLm model(TensorOps ops) {
        return fast ? CausalLm.randomRows(config, 1, options, ops) : CausalLm.random(config, 1, options, ops);
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
