package dev.gale.nn.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final GenerationConfig SAMPLE = GenerationConfig.greedy(1, List.of()).withDoSample(true)
            .withSeed(11);

    @Test
    void tokensComeAsOftenAsTheirProbability() {
        float[] logits = {(float) Math.log(0.5), Float.NEGATIVE_INFINITY, (float) Math.log(0.3), (float) Math.log(0.2)};
        double[] probabilities = {0.5, 0, 0.3, 0.2};
        Sampler sampler = new Sampler(SAMPLE, new int[] {1, 2}, 0);
        int draws = 20_000;
        int[] counts = new int[4];
        for (int i = 0; i < draws; i++) counts[sampler.next(logits.clone())]++;
        for (int token = 0; token < 4; token++) {
            double p = probabilities[token];
            assertEquals(draws * p, counts[token], 5 * Math.sqrt(draws * p * (1 - p)), "token " + token);    // 5 sigma
        }
    }

    @Test
    void seedPromptAndRepeatChooseTheNumbers() {
        int[] base = draws(SAMPLE, 0, 1, 2);
        assertEquals(Arrays.toString(base), Arrays.toString(draws(SAMPLE, 0, 1, 2)));
        assertFalse(Arrays.equals(base, draws(SAMPLE.withSeed(12), 0, 1, 2)));
        assertFalse(Arrays.equals(base, draws(SAMPLE.withSeed(11 + (1L << 32)), 0, 1, 2)));
        assertFalse(Arrays.equals(base, draws(SAMPLE, 1, 1, 2)));
        assertFalse(Arrays.equals(base, draws(SAMPLE, 0, 1, 3)));
    }

    private static int[] draws(GenerationConfig config, int repeat, int... prompt) {
        Sampler sampler = new Sampler(config, prompt, repeat);
        int[] tokens = new int[30];
        for (int i = 0; i < tokens.length; i++) tokens[i] = sampler.next(new float[16]);
        return tokens;
    }

    @Test
    void greedyTakesTheFirstOfTheLikeliest() {
        assertEquals(1, new Sampler(SAMPLE.withDoSample(false), new int[] {1}, 0).next(new float[] {-1, 4, 4, 2}));
    }
}
