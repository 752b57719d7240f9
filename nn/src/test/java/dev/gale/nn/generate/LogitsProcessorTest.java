package dev.gale.nn.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

/// Golden values are those of the logits processors of Transformers 5.18.
class LogitsProcessorTest {
    private static final float NO = Float.NEGATIVE_INFINITY;
    private static final int[] SEEN = {2, 1, 2, 8};
    private static final GenerationConfig SAMPLE = GenerationConfig.greedy(1, List.of()).withDoSample(true).withTopK(0);

    private static void assertProcessed(GenerationConfig config, float... want) {
        float[] logits = {1.5f, -0.25f, 3f, 0f, 2.25f, -1.75f, 0.5f, 2.75f, -3f, 1f};
        new LogitsProcessor(config).process(logits, SEEN);
        for (int i = 0; i < want.length; i++) {
            if (want[i] == NO) continue;
            want[i] = Math.abs(want[i] - logits[i]) <= Math.ulp(want[i]) ? logits[i] : want[i];
        }
        assertArrayEquals(want, logits);
    }

    @Test
    void repetitionPenaltyPunishesEachSeenTokenOnce() {
        assertProcessed(SAMPLE.withDoSample(false).withTemperature(0.1).withTopK(1).withRepetitionPenalty(1.3),
                1.5f, -0.324999988f, 2.30769229f, 0f, 2.25f, -1.75f, 0.5f, 2.75f, -3.89999986f, 1f);
    }

    @Test
    void temperatureDivides() {
        assertProcessed(SAMPLE.withTemperature(0.7), 2.14285707f, -0.357142866f, 4.28571415f, 0f, 3.21428585f, -2.5f,
                0.714285731f, 3.92857146f, -4.28571415f, 1.42857146f);
    }

    @Test
    void topKKeepsTheLikeliest() {
        assertProcessed(SAMPLE.withTopK(4), 1.5f, NO, 3f, NO, 2.25f, NO, NO, 2.75f, NO, NO);
        assertProcessed(SAMPLE.withTopK(50), 1.5f, -0.25f, 3f, 0f, 2.25f, -1.75f, 0.5f, 2.75f, -3f, 1f);
    }

    @Test
    void topPKeepsTheNucleusAndNeverNothing() {
        assertProcessed(SAMPLE.withTopP(0.8), NO, NO, 3f, NO, 2.25f, NO, NO, 2.75f, NO, NO);
        assertProcessed(SAMPLE.withTopP(0), NO, NO, 3f, NO, NO, NO, NO, NO, NO, NO);
    }

    @Test
    void allApplyInTheOrderOfTransformers() {
        assertProcessed(SAMPLE.withRepetitionPenalty(1.3).withTemperature(0.7).withTopK(5).withTopP(0.75),
                NO, NO, 3.29670334f, NO, 3.21428585f, NO, NO, 3.92857146f, NO, NO);
    }
}
