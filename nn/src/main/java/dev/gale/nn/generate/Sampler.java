package dev.gale.nn.generate;

import dev.gale.tensor.random.Philox;
import java.util.Arrays;

/// Chooses the next token of one sequence. Its random numbers are counted, not drawn from a state: number n of a
/// sequence depends on the seed, the prompt and n alone, so a prompt continues alike wherever it stands in whichever
/// batch.
final class Sampler {
    private final GenerationConfig config;
    private final int hash;
    private final int repeat;
    private int drawn;

    /// @param repeat how many sequences of the batch before this one have the same prompt: they get different numbers
    Sampler(GenerationConfig config, int[] prompt, int repeat) {
        this.config = config;
        this.hash = Arrays.hashCode(prompt);
        this.repeat = repeat;
    }

    /// The likeliest token, first one on ties, or one drawn from the distribution that the logits describe.
    int next(float[] logits) {
        if (!config.doSample()) return likeliest(logits);
        double[] probabilities = LogitsProcessor.softmax(logits);
        double left = uniform();
        int last = 0;
        for (int i = 0; i < probabilities.length; i++) {
            if (probabilities[i] == 0) continue;
            last = i;
            left -= probabilities[i];
            if (left < 0) break;
        }
        return last;
    }

    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) best = i;
        }
        return best;
    }

    /// 53 bits in [0, 1).
    private double uniform() {
        int[] words = new int[4];
        Philox.block((int) config.seed(), (int) (config.seed() >>> 32), drawn++, repeat, hash, 0, words);
        return ((words[0] & 0xFFFFFFFFL) << 21 | words[1] >>> 11) * 0x1p-53;
    }
}
