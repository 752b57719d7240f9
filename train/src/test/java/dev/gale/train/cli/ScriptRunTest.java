package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Runs with functions of people's own.
@Timeout(180)
class ScriptRunTest {
    @TempDir
    private Path folder;
    private Workplace place;

    @BeforeEach
    void begin() throws IOException {
        place = Workplace.at(folder);
        place.write("data.jsonl", "{\"q\": \"Once\", \"a\": \" upon\"}\n{\"q\": \"Two\", \"a\": \" times\"}\n");
        place.write("format.js", "function formatting_func(row) {\n  return {prompt: row.q + ':', completion: row.a};\n}\n");
        place.append("run.yaml", "  formatting_func: %s\n".formatted(place.path("format.js")));
    }

    private JsonNode history() throws IOException {
        return new ObjectMapper().readTree(place.path("out/trainer_state.json").toFile()).get("log_history");
    }

    @Test
    void rowsAreFormattedAndMetricsLogged() throws IOException {
        place.write("metric.js", """
                function compute_metrics(e) {
                  let right = 0, all = 0;
                  e.label_ids.forEach((labels, i) => labels.forEach((id, j) => { \
                all++; right += id === e.predictions[i][j]; }));
                  return {right: right / all, tokens: all, \
                words: e.label_texts.filter(t => t === " upon" || t === " times").length,
                          texts: e.prediction_texts.length};
                }
                """);
        place.append("run.yaml",
                "  eval_path: %s\neval_strategy: steps\neval_steps: 1\nmetric_for_best_model: right\ncompute_metrics: %s\n"
                .formatted(place.path("data.jsonl"), place.path("metric.js")));
        CommandRun run = CommandRun.of(place.train().toArray());
        assertEquals(0, run.exit(), run.err());
        JsonNode eval = StreamSupport.stream(history().spliterator(), false).filter(entry -> entry.has("eval_right"))
                .findFirst().orElseThrow();
        assertEquals(eval.get("eval_mean_token_accuracy").asDouble(), eval.get("eval_right").asDouble(), 1e-9);
        assertEquals(2, eval.get("eval_texts").asInt());
        assertEquals(2, eval.get("eval_words").asInt());
        assertTrue(eval.get("eval_tokens").asInt() >= 4, eval.toString());
    }

    @Test
    void mistakesAreOneSentenceAndWriteNothing() throws IOException {
        for (List<String> wrong : List.of(List.of("function formatting_func(row) {\n return row.q.x.y }",
                "format.js, line 2: TypeError", "data.jsonl, line 1"),
                List.of("function formatting_func(row) { return [1] }", "returns a list for", "data.jsonl, line 1"),
                List.of("function formatting_func(row) { }", "returns nothing for", "data.jsonl, line 1"),
                List.of("function other(row) { }", "defines no function formatting_func", "format.js"),
                List.of("row => ({nothing: row.q})", "has none of the columns", "data.jsonl"))) {
            place.write("format.js", wrong.getFirst());
            CommandRun run = CommandRun.of(place.train().toArray());
            assertEquals(2, run.exit(), run.err());
            assertEquals(1, run.err().lines().count(), run.err());
            for (String word : wrong.subList(1, wrong.size())) assertTrue(run.err().contains(word), word + " is not in "
                    + run.err());
            assertFalse(Files.exists(place.path("out")));
        }
        place.write("format.js", "row => 'text ' + row.q");
        CommandRun idle = CommandRun.of(place.train("--set", "compute_metrics=" + place.path("format.js")).toArray());
        assertEquals(2, idle.exit());
        assertTrue(idle.err().contains("compute_metrics") && idle.err().contains("eval_strategy"), idle.err());
        CommandRun planned = CommandRun.of("plan", place.path("run.yaml"));
        assertEquals(0, planned.exit(), planned.err());
    }

    @Test
    void aMetricThatFailsEndsTheRunWithItsLine() throws IOException {
        place.write("metric.js", "function compute_metrics(e) {\n  return {score: 'high'};\n}\n");
        place.append("run.yaml", "  eval_path: %s\neval_strategy: steps\neval_steps: 1\ncompute_metrics: %s\n"
                .formatted(place.path("data.jsonl"), place.path("metric.js")));
        CommandRun run = CommandRun.of(place.train().toArray());
        assertEquals(2, run.exit(), run.err());
        assertTrue(run.err().contains("metric.js: compute_metrics returns no number for 'score'"), run.err());
    }
}
