package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataCommandTest {
    @TempDir
    private Path folder;
    private Path data;

    @BeforeEach
    void write() throws IOException {
        data = folder.resolve("data.jsonl");
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            lines.add("{\"prompt\": \"question %d %d\", \"completion\": \"answer %d\", \"label\": %b}"
                    .formatted(i, i * 7, i * i, i % 4 == 0));
        }
        lines.add(lines.getFirst());
        lines.add("{\"prompt\": \"mail\", \"completion\": \"to a@b.org\", \"label\": true}");
        Files.write(data, lines);
    }

    private String path(String name) {
        return folder.resolve(name).toString();
    }

    @Test
    void cleaningSaysWhatItTookOut() throws IOException {
        CommandRun run = CommandRun.of("data", "clean", data, "--output", path("clean.jsonl"), "--personal-data", "mask",
                "--personal-kinds", "email,phone");
        assertEquals(0, run.exit(), run.err());
        assertTrue(run.out().contains("42 rows read") && run.out().contains("1 removed: exact_duplicate")
                && run.out().contains("1 masked: EMAIL") && run.out().contains("41 rows kept"), run.out());
        assertTrue(Files.readString(folder.resolve("clean.jsonl")).contains("to <EMAIL>"));
        assertEquals(1, Files.readAllLines(folder.resolve("clean.removed.jsonl")).size());
    }

    @Test
    void splittingAndMixingGoTogether() throws IOException {
        CommandRun split = CommandRun.of("data", "split", data, "--output", path("parts"), "--test-size", "0.25",
                "--stratify", "label");
        assertEquals(0, split.exit(), split.err());
        assertTrue(split.out().contains("rows in groups") || split.out().contains("2 rows are in groups"), split.out());
        CommandRun mixed = CommandRun.of("data", "mix", path("parts/train.jsonl") + ":0.5", path("parts/test.jsonl") + ":0.5",
                "--output", path("mixed.jsonl"), "--rows", 30);
        assertEquals(0, mixed.exit(), mixed.err());
        assertEquals(30, Files.readAllLines(folder.resolve("mixed.jsonl")).size());
    }

    @Test
    void otherKindsOfFilesAreReadAsWell() throws IOException {
        Files.writeString(folder.resolve("d.csv"), "prompt,completion\na b c d,yes\na b c d,yes\ne f g h,no\n");
        CommandRun clean = CommandRun.of("data", "clean", path("d.csv"), "--output", path("c.jsonl"));
        assertEquals(0, clean.exit(), clean.err());
        assertEquals(List.of("{\"prompt\":\"a b c d\",\"completion\":\"yes\"}",
                "{\"prompt\":\"e f g h\",\"completion\":\"no\"}"),
                Files.readAllLines(folder.resolve("c.jsonl")));
        assertTrue(Files.readString(folder.resolve("c.removed.jsonl")).contains("\"detail\":\"of line 2\",\"line\":3"));
        Files.createDirectories(folder.resolve("hub"));
        Files.copy(data, folder.resolve("hub/train.jsonl"));
        Files.copy(data, folder.resolve("hub/test.jsonl"));
        CommandRun split = CommandRun.of("data", "split", path("hub"), "--output", path("halves"), "--test-size", "0.5");
        assertEquals(0, split.exit(), split.err());
        CommandRun report = CommandRun.of("data", "report", path("d.csv"), "--output", path("r.html"));
        assertEquals(0, report.exit(), report.err());
        assertTrue(report.out().contains("repeat an earlier row"), report.out());
    }

    @Test
    void mistakesAreOneSentence() {
        for (List<Object> args : List.<List<Object>>of(
                List.of("clean", path("none"), "--output", path("o")), List.of("clean", data, "--output", data),
                List.of("clean", data, "--output", path("o"), "--near-duplicates", "2"),
                List.of("clean", data, "--output", path("o"), "--languages", "english"),
                List.of("clean", data, "--output", path("o"), "--max-symbols", "3"),
                List.of("clean", data, "--output", path("o"), "--personal-data", "burn"),
                List.of("split", data, "--output", path("p"), "--by-time", "prompt"),
                List.of("split", data, "--output", path("p"), "--by-group", "nobody"),
                List.of("mix", data + ":1", "--output", path("o")),
                List.of("mix", data + ":1", data + ":2", "--output", path("o")),
                List.of("mix", data + ":1", data.toString(), "--output", path("o")))) {
            List<Object> all = new ArrayList<>(List.of("data"));
            all.addAll(args);
            CommandRun run = CommandRun.of(all.toArray());
            assertEquals(2, run.exit(), args + run.out() + run.err());
            assertEquals(1, run.err().lines().count(), run.err());
            assertFalse(Files.exists(folder.resolve("o")) || Files.exists(folder.resolve("p")), args.toString());
        }
    }
}
