package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.train.hub.HubServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Datasets and adapters that were pulled, by name.
class HubDatasetTest {
    @TempDir
    private Path folder;
    private Workplace place;
    private HubServer hub;

    @BeforeEach
    void serve() throws IOException {
        place = Workplace.at(folder.resolve("work"));
        hub = new HubServer("dataset", "org/rows").put("data/train-00000-of-00001.jsonl", rows("train", 20))
                .put("data/test-00000-of-00001.jsonl", rows("test", 8));
        System.setProperty("HF_ENDPOINT", hub.address().toString());
        System.setProperty("HF_HUB_CACHE", folder.resolve("cache").toString());
    }

    private static byte[] rows(String split, int count) {
        List<String> lines = IntStream.range(0, count)
                .mapToObj(i -> "{\"prompt\": \"%s %d is\", \"completion\": \" %d.50\", \"n\": %d}"
                .formatted(split, i, i * i, i)).toList();
        return (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    @AfterEach
    void stop() {
        hub.close();
        System.clearProperty("HF_ENDPOINT");
        System.clearProperty("HF_HUB_CACHE");
    }

    private String path(String name) {
        return place.path(name).toString();
    }

    private static CommandRun done(Object... args) {
        CommandRun run = CommandRun.of(args);
        assertEquals(0, run.exit(), run.toString());
        return run;
    }

    private List<String> lines(String name) throws IOException {
        return Files.readAllLines(place.path(name));
    }

    private List<Object> run(String override) {
        return place.train("--set", override, "--set", "overwrite_output_dir=true");
    }

    /// All commands that read rows.
    private List<List<Object>> readers(String rows) {
        return List.of(run("dataset.path=" + rows), List.of("plan", place.path("run.yaml"), "--set", "dataset.path=" + rows),
                run("dataset.eval_path=" + rows),
                List.of("eval", "quantization", "--model", place.path("model"), "--data", rows),
                List.of("data", "report", rows, "--output", path("r.html")),
                List.of("data", "report", place.path("data.jsonl"), "--validation", rows, "--output", path("r.html")),
                List.of("data", "clean", rows, "--output", path("c.jsonl")),
                List.of("data", "split", rows, "--output", path("parts")),
                List.of("data", "mix", rows + ":1", place.path("data.jsonl") + ":1", "--output", path("m.jsonl")));
    }

    @Test
    void whatWasNotPulledIsSaidWithTheCommandThatPullsIt() {
        for (String name : List.of("org/rows", "org/rows@v2")) {
            for (List<Object> args : readers(name)) {
                CommandRun run = CommandRun.of(args.toArray());
                assertEquals(2, run.exit(), args + run.out());
                assertTrue(run.err().contains("run gale pull " + name + " --dataset first"), args + run.err());
                assertEquals(1, run.err().lines().count(), run.err());
            }
        }
        CommandRun file = CommandRun.of("data", "report", "data/rows.jsonl");
        assertTrue(file.exit() == 2 && file.err().contains("the dataset data/rows.jsonl does not exist"), file.err());
        for (String option : List.of("--model", "--adapter")) {
            List<Object> args = new ArrayList<>(List.of("generate", "--prompt", "a", option, "org/adapter"));
            if (option.equals("--adapter")) args.addAll(List.of("--model", place.path("model")));
            CommandRun run = CommandRun.of(args.toArray());
            assertTrue(run.exit() == 2 && run.err().contains("run gale pull org/adapter first"), run.err());
        }
    }

    @Test
    void everyCommandReadsWhatWasPulled() {
        done("pull", "org/rows", "--dataset");
        for (List<Object> args : readers("org/rows")) done(args.toArray());
        done(run("dataset={path: org/rows@" + HubServer.COMMIT + ", eval_split: test}").toArray());
    }

    @Test
    void splitsAndConditionsChooseRows() throws IOException {
        done("pull", "org/rows", "--dataset");
        CommandRun clean = done("data", "clean", "org/rows", "--split", "test", "--output", path("test.jsonl"),
                "--near-duplicates", 0);
        assertTrue(clean.out().contains("8 rows read"), clean.out());
        assertEquals("{\"prompt\": \"test 2 is\", \"completion\": \" 4.50\", \"n\": 2}", lines("test.jsonl").get(2));
        done("data", "clean", "org/rows", "--split", "train[:50%]+test", "--where", "n >= 6", "--output", path("where.jsonl"),
                "--near-duplicates", 0);
        assertEquals(List.of("{\"prompt\": \"train 6 is\", \"completion\": \" 36.50\", \"n\": 6}",
                "{\"prompt\": \"test 7 is\", \"completion\": \" 49.50\", \"n\": 7}"),
                List.of(lines("where.jsonl").getFirst(), lines("where.jsonl").getLast()), "as the file has them");
        assertEquals(6, lines("where.jsonl").size());
        done("data", "split", "org/rows", "--split", "test", "--output", path("parts"), "--test-size", 2, "--near-duplicates",
                0);
        assertEquals(List.of(6, 2), List.of(lines("parts/train.jsonl").size(), lines("parts/test.jsonl").size()));
        CommandRun mix = done("data", "mix", "org/rows:0.5", place.path("hub") + ":0.5", "--split", "test", "--rows", 8,
                "--output", path("mixed.jsonl"));
        assertTrue(mix.out().contains("4 rows from the 8 of org/rows"), mix.out());
        CommandRun report = done("data", "report", "org/rows", "--validation-split", "test", "--output", path("r.html"));
        String page = Files.readString(place.path("r.html"));
        assertTrue(page.contains("<title>Data report: rows</title>") && page.contains("8 validation rows"), report.out());
        for (String command : List.of("report", "clean", "split")) {
            CommandRun wrong = CommandRun.of("data", command, "org/rows", "--split", "validation", "--output", path("x"));
            assertEquals(2, wrong.exit());
            assertTrue(wrong.err().contains("has no split 'validation'; choose one of: test, train")
                    && wrong.err().lines().count() == 1, wrong.err());
            assertFalse(Files.exists(place.path("x")));
        }
    }

    @BeforeEach
    void writeLocalFolder() throws IOException {
        Files.createDirectories(place.path("hub"));
        Files.write(place.path("hub/test.jsonl"), rows("other", 10));
    }

    @Test
    void anAdapterIsNamedByItsRepository() throws IOException {
        try (HubServer adapter = new HubServer("model", "org/adapter")) {
            for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
                adapter.put(name, Files.readAllBytes(place.path("adapter/" + name)));
            }
            System.setProperty("HF_ENDPOINT", adapter.address().toString());
            done("pull", "org/adapter");
        }
        assertEquals(done(place.generate("--prompt", "a", "--adapter", place.path("adapter")).toArray()).out(),
                done(place.generate("--prompt", "a", "--adapter", "org/adapter").toArray()).out());
        done("merge", "--model", place.path("model"), "--adapter", "org/adapter", "--output", path("merged"));
        assertTrue(Files.isRegularFile(place.path("merged/model.safetensors")));
    }
}
