package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchesTest {
    private static final int NONE = -100;

    /// Example i consists of tokens that are all i, so that a batch tells which examples it holds.
    private static List<Example> examples(int count) {
        Random random = new Random(4);
        List<Example> examples = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] ids = new int[1 + random.nextInt(30)];
            Arrays.fill(ids, i);
            examples.add(Example.allTrained(ids));
        }
        return examples;
    }

    private static List<Integer> held(Batch batch) {
        return IntStream.range(0, batch.tokens()).filter(i -> batch.positions()[i] == 0).map(i -> batch.ids()[i])
                .boxed().toList();
    }

    @Test
    void sequencesLieSideBySideWithTheirBoundaries() {
        Batch batch = Batch.of(List.of(new Example(new int[] {5, 6, 7}, new boolean[] {true, false, true}),
                new Example(new int[] {8}, new boolean[] {true}),
                new Example(new int[] {9, 2, 2}, new boolean[] {false, true, true})));
        assertArrayEquals(new int[] {5, 6, 7, 8, 9, 2, 2}, batch.ids());
        assertArrayEquals(new int[] {0, 1, 2, 0, 0, 1, 2}, batch.positions());
        assertArrayEquals(new int[] {0, 0, 0, 3, 4, 4, 4}, batch.start());
        assertArrayEquals(new int[] {1, 2, 3, 4, 5, 6, 7}, batch.stop());
        assertArrayEquals(new int[] {NONE, 7, NONE, NONE, 2, 2, NONE}, batch.targets());
        assertEquals(3, batch.sequences());
        assertEquals(3, batch.trainedTokens());
        assertEquals(7, batch.tokens());
    }

    @Test
    void anIdIsNeverAMask() {
        int pad = 2;
        Batch batch = Batch.of(List.of(Example.allTrained(new int[] {1, pad, pad, pad})));
        assertArrayEquals(new int[] {pad, pad, pad, NONE}, batch.targets());
    }

    @Test
    void anEpochHoldsEveryExampleOnceAndEpochsDiffer() {
        for (boolean packing : new boolean[] {false, true}) {
            Batches batches = new Batches(examples(53), new BatchOptions(4, packing, 32, false, false, 7));
            List<List<Integer>> epochs = new ArrayList<>();
            for (int epoch = 0; epoch < 3; epoch++) {
                List<Integer> seen = new ArrayList<>();
                do {
                    for (Batch batch : batches.nextStep(3)) seen.addAll(held(batch));
                } while (!batches.atEpochEnd());
                assertEquals(epoch + 1.0, batches.epoch());
                assertEquals(IntStream.range(0, 53).boxed().toList(), seen.stream().sorted().toList());
                epochs.add(seen);
            }
            assertFalse(epochs.get(0).equals(epochs.get(1)) || epochs.get(1).equals(epochs.get(2)));
        }
    }

    @Test
    void theSeedDecidesTheOrder() {
        assertEquals(firstEpoch(examples(40), 1), firstEpoch(examples(40), 1));
        assertFalse(firstEpoch(examples(40), 1).equals(firstEpoch(examples(40), 2)));
        assertFalse(firstEpoch(examples(40), 1).equals(firstEpoch(examples(40), 1L + (1L << 32))), "all 64 bits count");
    }

    private static List<Integer> firstEpoch(List<Example> examples, long seed) {
        Batches batches = new Batches(examples, BatchOptions.of(1, seed));
        return IntStream.range(0, examples.size()).mapToObj(i -> held(batches.nextStep(1).getFirst()).getFirst()).toList();
    }

    @Test
    void shufflesAreUniform() {
        int[][] counts = new int[5][5];
        int trials = 20_000;
        for (int t = 0; t < trials; t++) {
            int[] order = Shuffle.permutation(5, 11, t);
            for (int place = 0; place < 5; place++) counts[place][order[place]]++;
        }
        double sigma = Math.sqrt(trials * 0.2 * 0.8);
        for (int[] row : counts) {
            for (int count : row) assertEquals(trials / 5.0, count, 5 * sigma);
        }
    }

    @Test
    void theLastWindowOfAnEpochIsAStepEvenIfNotFull() {
        Batches batches = new Batches(examples(10), BatchOptions.of(2, 0));      // 5 micro-batches
        assertEquals(5, batches.microBatchesPerEpoch());
        assertEquals(3, batches.stepsPerEpoch(2));
        assertEquals(1, batches.stepsPerEpoch(8));
        assertEquals(List.of(2, 2, 1, 2, 2, 1),
                IntStream.range(0, 6).mapToObj(i -> batches.nextStep(2).size()).toList());
        assertEquals(8, batches.stepsOf(2.5, 2));
        assertEquals(1, batches.stepsOf(0.01, 2));
    }

    @Test
    void dropLastLeavesOutTheRest() {
        Batches batches = new Batches(examples(11), new BatchOptions(4, false, 0, false, true, 0));
        assertEquals(2, batches.microBatchesPerEpoch());
        for (int i = 0; i < 4; i++) assertEquals(4, batches.nextStep(1).getFirst().sequences());
        assertThrows(InputException.class,
                () -> new Batches(examples(3), new BatchOptions(4, false, 0, false, true, 0)));
    }

    @Test
    void packsKeepToTheirBudget() {
        Batches batches = new Batches(examples(60), BatchOptions.packed(3, 32, 5));
        int largest = 0;
        for (int i = 0; i < batches.microBatchesPerEpoch(); i++) {
            Batch batch = batches.nextStep(1).getFirst();
            largest = Math.max(largest, batch.tokens());
            assertTrue(batch.tokens() <= 3 * 32);
        }
        assertTrue(batches.units() < 60);
        assertTrue(largest <= batches.largest().tokens());
    }

    @Test
    void groupsOfLengthBeginWithTheLongestAndHoldSimilarLengths() {
        List<Example> examples = examples(500);
        Batches batches = new Batches(examples, new BatchOptions(4, false, 0, true, false, 3));
        int longest = examples.stream().mapToInt(Example::length).max().orElseThrow();
        int spread = 0;
        List<Integer> seen = new ArrayList<>();
        for (int i = 0; i < 125; i++) {
            List<Integer> held = held(batches.nextStep(1).getFirst());
            int[] lengths = held.stream().mapToInt(e -> examples.get(e).length()).toArray();
            if (i == 0) assertEquals(longest, lengths[0]);
            spread += IntStream.of(lengths).max().orElseThrow() - IntStream.of(lengths).min().orElseThrow();
            seen.addAll(held);
        }
        assertEquals(500, seen.stream().distinct().count());
        assertTrue(spread < 3 * 125, "batches of similar lengths spread by less than 3 on average, got " + spread / 125.0);
    }

    @Test
    void aResumedRunGetsTheSameBatches() throws Exception {
        for (BatchOptions options : List.of(BatchOptions.of(3, 9), BatchOptions.packed(2, 40, 9),
                new BatchOptions(3, false, 0, true, true, 9))) {
            for (int stop = 0; stop < 25; stop++) {
                Batches whole = new Batches(examples(31), options);
                for (int i = 0; i < stop; i++) whole.nextStep(2);
                ObjectMapper json = new ObjectMapper();
                @SuppressWarnings("unchecked")
                Map<String, Object> saved = json.readValue(json.writeValueAsString(whole.state()), Map.class);
                Batches resumed = new Batches(examples(31), options);
                resumed.restore(saved, "checkpoint");
                for (int i = 0; i < 12; i++) {
                    List<Batch> want = whole.nextStep(2);
                    List<Batch> got = resumed.nextStep(2);
                    assertEquals(want.size(), got.size());
                    for (int b = 0; b < want.size(); b++) assertArrayEquals(want.get(b).ids(), got.get(b).ids());
                    assertEquals(whole.epoch(), resumed.epoch());
                }
            }
        }
    }

    @Test
    void aCursorOfOtherDataIsRefused() {
        Map<String, Object> state = new Batches(examples(31), BatchOptions.of(3, 9)).state();
        Batches other = new Batches(examples(30), BatchOptions.of(3, 9));
        assertTrue(assertThrows(InputException.class, () -> other.restore(state, "checkpoint-5")).getMessage()
                .startsWith("checkpoint-5 was made with examples 31, but this run has 30"));
        Batches seed = new Batches(examples(31), BatchOptions.of(3, 8));
        assertThrows(InputException.class, () -> seed.restore(state, "checkpoint-5"));
        assertThrows(InputException.class, () -> seed.restore(Map.of(), "checkpoint-5"));
    }

    @Test
    void evaluationGoesThroughTheExamplesInOrder() {
        List<Batch> batches = Batches.inOrder(examples(7), 3);
        assertEquals(List.of(List.of(0, 1, 2), List.of(3, 4, 5), List.of(6)),
                batches.stream().map(BatchesTest::held).toList());
    }

    @Test
    void noExampleIsRefused() {
        assertThrows(InputException.class, () -> new Batches(List.of(), BatchOptions.of(1, 0)));
    }
}
