package dev.gale.train.data.clean;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.data.read.ReadOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SplitterTest {
    @TempDir
    private Path folder;

    private final Random random = new Random(3);

    private String words(int count) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) text.append("w").append(random.nextInt(3000)).append(' ');
        return text.toString().strip();
    }

    private static SplitOptions options(double test, double validation, String stratify, String time, String group) {
        return new SplitOptions(test, validation, Optional.ofNullable(stratify), Optional.ofNullable(time),
                Optional.ofNullable(group), 0.8, List.of(), 42);
    }

    private Splitter.Summary split(SplitOptions options, List<String> lines) throws IOException {
        Path input = folder.resolve("in.jsonl");
        Files.write(input, lines);
        for (String part : List.of("train", "test", "validation")) Files.deleteIfExists(folder.resolve(part + ".jsonl"));
        return new Splitter(options).run(ReadOptions.of(input), folder);
    }

    private List<String> part(String name) throws IOException {
        return Files.readAllLines(folder.resolve(name + ".jsonl"));
    }

    @Test
    void nearDuplicatesNeverStraddle() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            String text = words(60);
            for (int copy = 0; copy <= i % 3; copy++) {
                lines.add("{\"text\": \"%s\", \"n\": %d}".formatted(copy == 0 ? text : text + " more" + copy, i));
            }
        }
        Splitter.Summary summary = split(options(0.2, 0.1, null, null, null), lines);
        Map<String, String> where = new HashMap<>();
        int all = 0;
        for (String name : List.of("train", "test", "validation")) {
            for (String line : part(name)) {
                String origin = line.replaceAll(".*\"n\": ", "");
                assertEquals(name, where.computeIfAbsent(origin, n -> name), line);
                all++;
            }
        }
        assertEquals(lines.size(), all);
        assertEquals(120, summary.rows().get("test"), 2);
        assertEquals(60, summary.rows().get("validation"), 2);
        assertEquals(500, summary.together());
    }

    @Test
    void sharesOfAValueAreTheSameInAllParts() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 1000; i++) lines.add("{\"text\": \"%s\", \"label\": \"%s\"}".formatted(words(20),
                i % 10 == 0 ? "rare" : "usual"));
        Splitter.Summary summary = split(options(100, 0, "label", null, null), lines);
        assertEquals(Map.of("test", 10L, "train", 90L), summary.strata().get("rare"));
        assertEquals(Map.of("test", 90L, "train", 810L), summary.strata().get("usual"));
    }

    @Test
    void theNewestRowsAreTestedOn() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 50; i++) lines.add("{\"text\": \"%s\", \"day\": \"2024-%02d-%02d\"}"
                .formatted(words(20), 1 + i % 12, 1 + i / 12));
        lines.add(lines.getFirst().replaceAll("2024-01-01", "2024-12-31"));
        split(options(10, 5, null, "day", null), lines);
        String oldest = part("test").stream().map(SplitterTest::day).min(String::compareTo).orElseThrow();
        String newestValidation = part("validation").stream().map(SplitterTest::day).max(String::compareTo).orElseThrow();
        assertTrue(oldest.compareTo(newestValidation) > 0);
        assertEquals(10, part("test").size());
        assertTrue(part("train").contains(lines.getLast()), "the text of an old row came into the test");
        long newer = part("train").stream().map(SplitterTest::day).filter(day -> day.compareTo(oldest) > 0).count();
        assertEquals(1, newer);
    }

    private static String day(String line) {
        return line.replaceAll(".*\"day\": \"(.*?)\".*", "$1");
    }

    @Test
    void rowsOfAGroupStayTogether() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 200; i++) lines.add("{\"text\": \"%s\", \"user\": %d}".formatted(words(20), random.nextInt(30)));
        split(options(0.25, 0, null, null, "user"), lines);
        List<String> tested = part("test").stream().map(line -> line.replaceAll(".*user", "")).distinct().toList();
        assertTrue(part("train").stream().map(line -> line.replaceAll(".*user", "")).noneMatch(tested::contains));
        assertEquals(50, part("test").size(), 8);
    }

    @Test
    void theSameSeedGivesTheSameParts() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 100; i++) lines.add("{\"text\": \"%s\"}".formatted(words(20)));
        split(options(0.3, 0, null, null, null), lines);
        List<String> first = part("test");
        split(options(0.3, 0, null, null, null), lines);
        assertEquals(first, part("test"));
        assertEquals(first, lines.stream().filter(first::contains).toList());
    }

    @Test
    void mistakesLeaveNoParts() throws IOException {
        List<String> lines = List.of("{\"text\": \"a b c\", \"t\": \"soon\"}", "{\"text\": \"d e f\", \"t\": \"2024\"}");
        check("no column 'x'", options(0.5, 0, "x", null, null), lines);
        check("'soon', which is no time", options(0.5, 0, null, "t", null), lines);
        check("leave none to train on", options(2, 0, null, null, null), lines);
        check("of 2 rows is none", options(0.1, 0, null, null, null), lines);
        check("none are left", options(1, 0, null, null, null), List.of(lines.getFirst(), lines.getFirst()));
        assertThrows(InputException.class, () -> options(0.5, 0, "a", "b", null));
        assertThrows(InputException.class, () -> options(1.5, 0, null, null, null));
    }

    private void check(String words, SplitOptions options, List<String> lines) throws IOException {
        InputException e = assertThrows(InputException.class, () -> split(options, lines));
        assertTrue(e.getMessage().contains(words), e.getMessage());
        try (var files = Files.list(folder)) {
            assertEquals(1, files.count());
        }
    }
}
