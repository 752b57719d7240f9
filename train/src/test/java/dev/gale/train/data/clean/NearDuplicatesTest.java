package dev.gale.train.data.clean;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Against texts whose Jaccard index is counted on sets of strings.
class NearDuplicatesTest {
    private static final int VOCABULARY = 5000;

    private final Random random = new Random(7);

    private List<String> words(int count) {
        List<String> words = new ArrayList<>();
        for (int i = 0; i < count; i++) words.add("w" + random.nextInt(VOCABULARY));
        return words;
    }

    private static Set<String> triples(List<String> words) {
        Set<String> triples = new HashSet<>();
        for (int i = 0; i + 3 <= words.size(); i++) triples.add(String.join(" ", words.subList(i, i + 3)));
        return triples;
    }

    private static double jaccard(List<String> a, List<String> b) {
        Set<String> both = new HashSet<>(triples(a));
        both.retainAll(triples(b));
        Set<String> all = new HashSet<>(triples(a));
        all.addAll(triples(b));
        return (double) both.size() / all.size();
    }

    /// A changed copy with an index in `[from, to)`.
    private List<String> like(List<String> words, double from, double to) {
        while (true) {
            List<String> copy = new ArrayList<>(words);
            while (jaccard(words, copy) >= to) {
                for (int i = 0; i <= words.size() / 300; i++) copy.set(random.nextInt(copy.size()),
                        "x" + random.nextInt(VOCABULARY));
            }
            if (jaccard(words, copy) >= from) return copy;
        }
    }

    private static int[] groups(double threshold, List<String> texts) {
        try (NearDuplicates near = new NearDuplicates(threshold)) {
            texts.forEach(text -> near.add(near.sketch(text)));
            return near.find();
        }
    }

    private double found(double threshold, double from, double to, int pairs, int length) {
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < pairs; i++) {
            List<String> words = words(length);
            texts.add(String.join(" ", words));
            texts.add(String.join(" ", like(words, from, to)));
        }
        int[] groups = groups(threshold, texts);
        int found = 0;
        for (int i = 0; i < pairs; i++) {
            assertEquals(2 * i, groups[2 * i], "unrelated texts are one group");
            if (groups[2 * i + 1] == 2 * i) found++;
        }
        return (double) found / pairs;
    }

    @ParameterizedTest
    @CsvSource({"0.8, 0.80, 0.82", "0.9, 0.90, 0.91", "0.7, 0.70, 0.72", "0.5, 0.50, 0.52"})
    void nearlyAllPairsAtTheThresholdAreFound(double threshold, double from, double to) {
        double recall = found(threshold, from, to, 400, 200);
        assertTrue(recall >= 0.95, "recall " + recall);
    }

    @Test
    void pairsBelowTheThresholdAreNot() {
        assertEquals(0, found(0.8, 0.70, 0.79, 300, 200));
    }

    @Test
    void longTextsAreComparedByASketch() {
        assertTrue(found(0.8, 0.88, 0.92, 40, 4000) >= 0.95);
        assertEquals(0, found(0.8, 0.60, 0.68, 40, 4000));
    }

    @Test
    void caseAndPunctuationDoNotCount() {
        int[] groups = groups(1, List.of("The quick brown fox jumps.", "the QUICK, brown fox -- jumps!",
                "the quick brown cat jumps"));
        assertEquals(List.of(0, 0, 2), Arrays.stream(groups).boxed().toList());
    }

    @Test
    void scriptsWithoutBlanksAreComparedByCharacter() {
        String text = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少".repeat(1);
        int[] groups = groups(0.7, List.of(text, text.replace("少", "小"), "床前明月光疑是地上霜举头望明月低头思故乡"));
        assertEquals(List.of(0, 0, 2), Arrays.stream(groups).boxed().toList());
    }

    @Test
    void textsWithoutWordsAreLikeNoOther() {
        assertEquals(List.of(0, 1, 2, 3, 2), Arrays.stream(groups(0.8, List.of("", "...", "one", "two", "one")))
                .boxed().toList());
    }

    @Test
    void manyEqualTextsAreOneGroup() {
        List<String> texts = new ArrayList<>(Collections.nCopies(20_000, String.join(" ", words(50))));
        texts.add(1000, String.join(" ", words(50)));
        int[] groups = groups(0.8, texts);
        for (int i = 0; i < groups.length; i++) assertEquals(i == 1000 ? 1000 : 0, groups[i]);
    }

    @Test
    void groupsReachThroughOthers() {
        List<String> a = words(200);
        List<String> b = like(a, 0.8, 0.83);
        List<String> c = like(b, 0.8, 0.83);
        assertTrue(jaccard(a, c) < 0.8);
        int[] groups = groups(0.79, List.of(String.join(" ", a), String.join(" ", c), String.join(" ", b)));
        assertEquals(List.of(0, 0, 0), Arrays.stream(groups).boxed().toList());
    }

    @Test
    void thresholdsAreAboveZeroAndAtMostOne() {
        for (double wrong : new double[] {0, -1, 1.1, Double.NaN}) {
            assertThrows(InputException.class, () -> new NearDuplicates(wrong).close());
        }
        assertFalse(groups(0.01, List.of("a b c d e f", "u v w x y z"))[1] == 0);
    }
}
