package dev.gale.nn.generate;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/// Changes the logits of the next token in place, in the order of Transformers: repetition penalty, then, when
/// sampling, temperature, top-k and top-p. A token that cannot come gets -infinity.
/// Source: Keskar et al. 2019, arXiv 1909.05858 (repetition); Fan et al. 2018, arXiv 1805.04833 (top-k); Holtzman et
/// al. 2020, arXiv 1904.09751 (top-p).
final class LogitsProcessor {
    private final GenerationConfig config;

    LogitsProcessor(GenerationConfig config) {
        this.config = config;
    }

    /// @param logits of every token of the vocabulary
    /// @param seen   the sequence so far, prompt included
    void process(float[] logits, int[] seen) {
        if (config.repetitionPenalty() != 1) penalize(logits, seen);
        if (!config.doSample()) return;
        if (config.temperature() != 1) {
            for (int i = 0; i < logits.length; i++) logits[i] /= (float) config.temperature();
        }
        if (config.topK() > 0) keepLikeliest(logits);
        if (config.topP() < 1) keepNucleus(logits);
    }

    private void penalize(float[] logits, int[] seen) {
        float penalty = (float) config.repetitionPenalty();
        IntStream.of(seen).distinct().forEach(token -> logits[token] = logits[token] < 0 ? logits[token] * penalty
                : logits[token] / penalty);
    }

    /// Ties with the last one kept stay.
    private void keepLikeliest(float[] logits) {
        if (config.topK() >= logits.length) return;
        float[] sorted = logits.clone();
        Arrays.sort(sorted);
        float smallest = sorted[sorted.length - config.topK()];
        for (int i = 0; i < logits.length; i++) {
            if (logits[i] < smallest) logits[i] = Float.NEGATIVE_INFINITY;
        }
    }

    /// Removes from the least likely on while what is removed has a probability of at most 1 - topP together; the
    /// likeliest stays.
    private void keepNucleus(float[] logits) {
        double[] probabilities = softmax(logits);
        int[] rising = IntStream.range(0, logits.length).boxed().sorted(Comparator.comparingDouble(i -> logits[i]))
                .mapToInt(Integer::intValue).toArray();
        double removed = 0;
        for (int i = 0; i < rising.length - 1; i++) {
            removed += probabilities[rising[i]];
            if (removed > 1 - config.topP()) return;
            logits[rising[i]] = Float.NEGATIVE_INFINITY;
        }
    }

    static double[] softmax(float[] logits) {
        double highest = Double.NEGATIVE_INFINITY;
        for (float logit : logits) highest = Math.max(highest, logit);
        double[] probabilities = new double[logits.length];
        double sum = 0;
        for (int i = 0; i < logits.length; i++) sum += probabilities[i] = Math.exp(logits[i] - highest);
        for (int i = 0; i < logits.length; i++) probabilities[i] /= sum;
        return probabilities;
    }
}
