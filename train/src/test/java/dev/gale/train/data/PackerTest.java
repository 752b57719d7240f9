package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PackerTest {
    @Test
    void everyItemIsInOneBinAndNoBinIsOverBudget() {
        Random random = new Random(1);
        for (int trial = 0; trial < 200; trial++) {
            int budget = 1 + random.nextInt(60);
            int[] lengths = random.ints(random.nextInt(80), 1, budget + 1).toArray();
            List<int[]> bins = Packer.pack(lengths, budget);
            int[] seen = bins.stream().flatMapToInt(Arrays::stream).sorted().toArray();
            assertArrayEquals(IntStream.range(0, lengths.length).toArray(), seen);
            for (int[] bin : bins) assertTrue(IntStream.of(bin).map(i -> lengths[i]).sum() <= budget);
        }
    }

    @Test
    void theBinsAreThoseOfTheObviousAlgorithm() {
        Random random = new Random(2);
        for (int trial = 0; trial < 300; trial++) {
            int budget = 1 + random.nextInt(40);
            int[] lengths = random.ints(random.nextInt(60), 1, budget + 1).toArray();
            assertEquals(naive(lengths, budget), Packer.pack(lengths, budget).stream()
                    .map(bin -> IntStream.of(bin).boxed().toList()).toList());
        }
    }

    /// Looks at every bin for every item.
    private static List<List<Integer>> naive(int[] lengths, int budget) {
        List<List<Integer>> bins = new ArrayList<>();
        List<int[]> roomAndTime = new ArrayList<>();
        List<Integer> items = IntStream.range(0, lengths.length).boxed()
                .sorted(Comparator.comparingInt((Integer i) -> -lengths[i])).toList();
        int time = 0;
        for (int item : items) {
            int best = -1;
            for (int bin = 0; bin < bins.size(); bin++) {
                int[] candidate = roomAndTime.get(bin);
                if (candidate[0] < lengths[item]) continue;
                if (best < 0 || candidate[0] < roomAndTime.get(best)[0]
                        || candidate[0] == roomAndTime.get(best)[0] && candidate[1] < roomAndTime.get(best)[1]) best = bin;
            }
            if (best < 0) {
                best = bins.size();
                bins.add(new ArrayList<>());
                roomAndTime.add(new int[] {budget, 0});
            }
            bins.get(best).add(item);
            roomAndTime.get(best)[0] -= lengths[item];
            roomAndTime.get(best)[1] = ++time;
        }
        return bins;
    }

    @Test
    void aKnownCasePacksAsByHand() {
        List<int[]> bins = Packer.pack(new int[] {3, 7, 5, 2, 6, 1}, 8);
        assertArrayEquals(new int[] {1, 5}, bins.get(0));      // 7 + 1
        assertArrayEquals(new int[] {4, 3}, bins.get(1));      // 6 + 2
        assertArrayEquals(new int[] {2, 0}, bins.get(2));      // 5 + 3
        assertEquals(3, bins.size());
    }

    @Test
    void anItemBeyondTheBudgetIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Packer.pack(new int[] {1, 9}, 8));
        assertTrue(Packer.pack(new int[0], 8).isEmpty());
    }

    @Test
    void aMillionItemsTakeSeconds() {
        int[] lengths = new Random(3).ints(1_000_000, 1, 2049).toArray();
        List<int[]> bins = assertTimeout(Duration.ofSeconds(20), () -> Packer.pack(lengths, 2048));
        long fewest = Math.ceilDiv(IntStream.of(lengths).asLongStream().sum(), 2048);
        assertTrue(bins.size() <= 11 * fewest / 9 + 1, bins.size() + " bins, at least " + fewest + " are needed");
    }
}
