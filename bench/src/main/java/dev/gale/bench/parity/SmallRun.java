package dev.gale.bench.parity;

import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.RopeConfig;
import dev.gale.optim.AdamW;
import dev.gale.optim.ParamGroups;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.DType;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.SftConfig;
import dev.gale.train.TrainStep;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// LoRA steps of a Llama with random weights, on sequences in which each token of a small alphabet has one successor, but for
/// some that are drawn anew: what can be learned in a few dozen steps.
///
/// @param batch sequences of a step, of `seq` tokens each
record SmallRun(int layers, int hidden, int head, int vocab, int batch, int seq, int steps, double lr) {
    private static final long SEED = 1;
    /// Tokens that occur.
    static final int ALPHABET = 32;
    private static final double DRAWN = 0.1;
    private static final LoraConfig LORA = LoraConfig.builder().r(16).loraAlpha(32).targetModules("all-linear").build();

    /// Two query heads share a key head, if there are two.
    private ModelConfig config() {
        int heads = hidden / head;
        int keyHeads = heads % 2 == 0 ? heads / 2 : heads;
        return new ModelConfig("LlamaForCausalLM", hidden, 3 * hidden, layers, heads, keyHeads, head, vocab, seq,
                1e-5, Activation.SILU, false, false, true, RopeConfig.plain(10000), 1, List.of(2), -1, DType.BF16, 0.06);
    }

    Curve run(TensorOps ops) {
        List<Double> losses = new ArrayList<>();
        try (CausalLm model = CausalLm.random(config(), SEED, DType.BF16, ops)) {
            PeftModel peft = PeftModel.inject(model, LORA, SEED);
            try (AdamW optimizer = new AdamW(ops, ParamGroups.byDecay(peft.trainableParameters(), 0), AdamW.Settings.DEFAULT);
                 TrainStep step = new TrainStep(ops, model, optimizer, SftConfig.builder().build())) {
                Random random = new Random(SEED);
                for (int i = 1; i <= steps; i++) losses.add(step.run(List.of(sequences(random)), i, lr).loss());
                return Curve.of(losses, peft.trainableParameters(), ops);
            }
        }
    }

    private Batch sequences(Random random) {
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < batch; i++) {
            int[] ids = new int[seq];
            ids[0] = letter(random.nextInt(ALPHABET));
            for (int t = 1; t < seq; t++) {
                boolean drawn = random.nextDouble() < DRAWN;
                ids[t] = drawn ? letter(random.nextInt(ALPHABET)) : successor(ids[t - 1]);
            }
            examples.add(Example.allTrained(ids));
        }
        return Batch.of(examples);
    }

    /// Letters are spread over the vocabulary.
    private int letter(int index) {
        return (int) ((long) index * vocab / ALPHABET);
    }

    private int successor(int token) {
        int index = (int) (((long) token * ALPHABET + vocab - 1) / vocab);
        return letter((7 * index + 3) % ALPHABET);
    }
}
