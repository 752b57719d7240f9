package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gale.train.SftConfig;
import dev.gale.train.data.Dataset;
import dev.gale.train.data.Example;
import dev.gale.train.tokenizer.Tokenizer;
import io.airlift.compress.zstd.ZstdOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The same rows, however they are written down and chosen, train the same adapter.
class DataSourcesRunTest {
    private static final String ROWS = """
            {"prompt": "Once ", "completion": "upon a time"}
            {"prompt": "Once more ", "completion": "there was"}
            """;

    @TempDir Path folder;
    private Workplace place;

    private byte[] adapter(String output, String... options) throws IOException {
        List<Object> args = new ArrayList<>(place.train((Object[]) options));
        args.addAll(List.of("--set", "output_dir=" + place.path(output), "--set", "max_steps=2", "--set", "save_strategy=no"));
        CommandRun run = CommandRun.of(args.toArray());
        assertEquals(0, run.exit(), run.toString());
        return Files.readAllBytes(place.path(output + "/adapter_model.safetensors"));
    }

    /// The rows as someone else tokenized them, padded.
    private String tokens() {
        StringBuilder rows = new StringBuilder();
        try (Tokenizer tokenizer = Tokenizer.load(place.path("model"))) {
            for (Example example : Dataset.load(place.path("data.jsonl")).examples(tokenizer, SftConfig.builder().build())) {
                List<Integer> ids = new ArrayList<>(IntStream.of(example.ids()).boxed().toList());
                List<Integer> labels = new ArrayList<>(IntStream.range(0, ids.size())
                        .mapToObj(i -> example.trained()[i] ? ids.get(i) : -100).toList());
                List<Integer> seen = new ArrayList<>(Collections.nCopies(ids.size(), 1));
                ids.add(0);
                labels.add(-100);
                seen.add(0);
                rows.append("{\"input_ids\": %s, \"attention_mask\": %s, \"labels\": %s}\n".formatted(ids, seen, labels));
            }
        }
        return rows.toString();
    }

    @Test
    void filesFoldersAndConditionsGiveTheSameRows() throws IOException {
        place = Workplace.at(folder);
        place.write("data.jsonl", ROWS);
        byte[] expected = adapter("jsonl");
        assertArrayEquals(expected, adapter("again"), "from the cache");
        place.write("data.csv", "q,a,lang\n\"Once \",upon a time,en\nEs war ,einmal,de\n\"Once more \",there was,en\n");
        assertArrayEquals(expected, adapter("csv", "--set", "dataset.path=" + place.path("data.csv"),
                "--set", "dataset.columns={prompt: q, completion: a}", "--where", "lang = 'en'"));
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(place.path("packed.jsonl.gz")))) {
            out.write((ROWS + "{\"prompt\": \"x\", \"completion\": \"y\"}\n").getBytes(StandardCharsets.UTF_8));
        }
        assertArrayEquals(expected, adapter("gz", "--set", "dataset.path=" + place.path("packed.jsonl.gz"), "--set",
                "dataset.split=train[:2]"));
        try (OutputStream out = new ZstdOutputStream(Files.newOutputStream(place.path("packed.jsonl.zst")))) {
            out.write(ROWS.getBytes(StandardCharsets.UTF_8));
        }
        assertArrayEquals(expected, adapter("zst", "--set", "dataset.path=" + place.path("packed.jsonl.zst")));
        place.write("tokens.jsonl", tokens());
        assertArrayEquals(expected, adapter("tokens", "--set", "dataset.path=" + place.path("tokens.jsonl")));
        place.write("hub/README.md", "---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: train, path: "
                + "data/train-*}\n"
                + "  - {split: test, path: data/test-*}\n---\n");
        place.write("hub/data/train-00000-of-00002.jsonl", ROWS.lines().findFirst().orElseThrow());
        place.write("hub/data/train-00001-of-00002.jsonl", ROWS.lines().skip(1).findFirst().orElseThrow());
        place.write("hub/data/test-00000-of-00001.jsonl", ROWS);
        assertArrayEquals(expected, adapter("hub", "--set", "dataset.path=" + place.path("hub"), "--set",
                "dataset.eval_split=test",
                "--set", "eval_strategy=steps"));
    }
}
