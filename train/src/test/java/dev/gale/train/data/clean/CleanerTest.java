package dev.gale.train.data.clean;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.data.read.ReadOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CleanerTest {
    private static final String LONG = "Once upon a time there was a small village by the sea, and in this village lived an "
            + "old fisherman who went out every morning with his boat and came back every evening with fish for all.";

    @TempDir
    private Path folder;

    private static CleanOptions options(double near, PersonalData.Action personal, Set<String> languages, int min, int max) {
        return new CleanOptions(List.of(), true, near, personal, EnumSet.allOf(PersonalData.class), languages, min, max, false,
                0.3, 0.3, 0.001);
    }

    private Cleaner.Summary clean(CleanOptions options, String... lines) throws IOException {
        Path input = folder.resolve("in.jsonl");
        Files.write(input, List.of(lines));
        Files.deleteIfExists(folder.resolve("out.jsonl"));
        Files.deleteIfExists(folder.resolve("gone.jsonl"));
        return new Cleaner(options).run(ReadOptions.of(input), folder.resolve("out.jsonl"), folder.resolve("gone.jsonl"));
    }

    private List<String> kept() throws IOException {
        return Files.readAllLines(folder.resolve("out.jsonl"));
    }

    private List<JsonNode> gone() throws IOException {
        return Files.readAllLines(folder.resolve("gone.jsonl")).stream().map(line -> {
            try {
                return new ObjectMapper().readTree(line);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }).toList();
    }

    private static String text(String text) {
        return new ObjectMapper().createObjectNode().put("text", text).toString();
    }

    @Test
    void rowsOfTokensAreComparedByTheirIds() throws IOException {
        String ids = "{\"input_ids\": [%s]}";
        String one = ids.formatted("5, 9, 12, 40, 41, 42, 43, 44, 45, 46, 47, 48");
        clean(options(0.8, PersonalData.Action.KEEP, Set.of(), 1, 0), one, ids.formatted("7, 8"), one,
                ids.formatted("5, 9, 12, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49"));
        assertEquals(List.of(one, ids.formatted("7, 8")), kept());
        assertEquals(List.of("exact_duplicate", "near_duplicate"), gone().stream().map(row -> row.get("reason").asText())
                .sorted().toList());
        for (CleanOptions options : List.of(options(0, PersonalData.Action.MASK, Set.of(), 1, 0),
                options(0, PersonalData.Action.KEEP, Set.of("en"), 1, 0))) {
            Files.deleteIfExists(folder.resolve("out.jsonl"));
            Files.deleteIfExists(folder.resolve("gone.jsonl"));
            InputException e = assertThrows(InputException.class, () -> clean(options, one));
            assertTrue(e.getMessage().contains("line 1 has token ids"), e.getMessage());
        }
    }

    @Test
    void everyRemovedRowHasItsReason() throws IOException {
        String german = "Es war einmal ein kleines Dorf am Meer, in dem ein alter Fischer lebte, der jeden Morgen hinausfuhr.";
        Cleaner.Summary summary = clean(options(0.8, PersonalData.Action.REMOVE, Set.of("en"), 10, 400), text(LONG),
                "{\"prompt\": \"Say something to me\", \"completion\": \"  \"}", text("short"), text("long ".repeat(100)),
                text("The caf\u00c3\u00a9 was open and the na\u00c3\u00afve man went in"),
                text("{{{}}}[[[]]]###***&&&^^^%%%$$$@@@ ok"), text("I will not do that again.\n".repeat(8)), text(german),
                text("Write to me at jane@example.com, she said to him."), text("  " + LONG.replace(" ", "  ")),
                text(LONG.replace("old fisherman", "young fisherman")), text("A fine sentence that stays."));
        List<String> reasons = gone().stream().map(row -> row.get("reason").asText() + " " + row.get("line")).toList();
        assertEquals(List.of("empty_answer 2", "too_short 3", "too_long 4", "broken_text 5", "symbols 6", "repetition 7",
                "language 8", "personal_data 9", "exact_duplicate 10", "near_duplicate 11"), reasons);
        assertEquals("of line 1", gone().get(8).get("detail").asText());
        assertEquals("of line 1", gone().get(9).get("detail").asText());
        assertEquals(german, gone().get(6).get("row").get("text").asText());
        assertEquals("de", gone().get(6).get("detail").asText());
        assertEquals(List.of(text(LONG), text("A fine sentence that stays.")), kept());
        assertEquals(12, summary.rows());
        assertEquals(2, summary.kept());
        for (Reason reason : Reason.values()) assertEquals(1, summary.removed().get(reason), reason.toString());
    }

    @Test
    void keptRowsKeepTheirBytes() throws IOException {
        String odd = "{ \"text\":\"caf\\u00e9 and more text\",  \"score\": 1.50, \"big\": 123456789012345678901234567890, "
                + "\"x\": null }";
        clean(options(0.8, PersonalData.Action.MASK, Set.of(), 0, 0), odd);
        assertEquals(List.of(odd), kept());
    }

    @Test
    void personalDataIsMaskedInEveryTurn() throws IOException {
        Cleaner.Summary summary = clean(options(0, PersonalData.Action.MASK, Set.of(), 0, 0),
                "{\"id\": 7.10, \"messages\": [{\"role\": \"user\", \"content\": \"I am a@b.org\"}, {\"role\": \"assistant\", "
                        + "\"content\": [{\"type\": \"text\", \"text\": \"Hello a@b.org at 10.20.30.40\"}]}]}");
        assertEquals(List.of(
                "{\"id\":7.10,\"messages\":[{\"role\":\"user\",\"content\":\"I am <EMAIL>\"},{\"role\":\"assistant\","
                + "\"content\":[{\"type\":\"text\",\"text\":\"Hello <EMAIL> at <IP>\"}]}]}"), kept());
        assertEquals(Map.of(PersonalData.EMAIL, 2L, PersonalData.IP, 1L), summary.masked());
    }

    @Test
    void onlyTheNamedColumnsCount() throws IOException {
        CleanOptions named = new CleanOptions(List.of("q"), true, 0, PersonalData.Action.KEEP, Set.of(), Set.of(), 0, 0,
                true, 1, 1, 1);
        clean(named, "{\"q\": \"a\", \"n\": \"1\"}", "{\"q\": \"a\", \"n\": \"2\"}", "{\"q\": \"b\", \"n\": \"1\"}");
        assertEquals(List.of("{\"q\": \"a\", \"n\": \"1\"}", "{\"q\": \"b\", \"n\": \"1\"}"), kept());
        clean(options(0, PersonalData.Action.KEEP, Set.of(), 0, 0), "{\"id\": \"1\", \"text\": \"a\"}",
                "{\"id\": \"2\", \"text\": \"a\"}");
        assertEquals(1, kept().size());
    }

    @Test
    void emptyAnswersAreFoundInEveryFormat() throws IOException {
        clean(options(0, PersonalData.Action.KEEP, Set.of(), 0, 0),
                "{\"instruction\": \"a\", \"input\": \"\", \"output\": \"\"}",
                "{\"conversations\": [{\"from\": \"human\", \"value\": \"x\"}, {\"from\": \"gpt\", \"value\": \" \"}]}",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"no answer\"}]}",
                "{\"prompt\": \"p\", \"completion\": null}",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"assistant\", \"content\": null, "
                        + "\"tool_calls\": [{\"function\": {\"name\": \"f\"}}]}]}",
                "{\"instruction\": \"a\", \"output\": \"b\"}");
        assertEquals(4, gone().size());
        assertEquals(2, kept().size());
    }

    @Test
    void malformedRowsStopEverything() throws IOException {
        for (String wrong : List.of("{\"text\": ", "[1]", "3", "{\"text\": \"a\"} x")) {
            InputException e = assertThrows(InputException.class,
                    () -> clean(options(0.8, PersonalData.Action.KEEP, Set.of(), 0, 0), text("fine text here"), wrong));
            assertTrue(e.getMessage().contains("in.jsonl, line 2"), e.getMessage());
            try (var files = Files.list(folder)) {
                assertEquals(1, files.count());
            }
        }
    }

    @Test
    void nothingIsReplaced() throws IOException {
        Files.writeString(folder.resolve("out2.jsonl"), "mine");
        Files.write(folder.resolve("in.jsonl"), List.of(text("a")));
        InputException e = assertThrows(InputException.class,
                () -> new Cleaner(options(0, PersonalData.Action.KEEP, Set.of(), 0, 0))
                .run(ReadOptions.of(folder.resolve("in.jsonl")), folder.resolve("out2.jsonl"), folder.resolve("gone.jsonl")));
        assertTrue(e.getMessage().contains("out2.jsonl is there already"), e.getMessage());
        assertEquals("mine", Files.readString(folder.resolve("out2.jsonl")));
        assertFalse(Files.exists(folder.resolve("gone.jsonl")));
    }

    @Test
    void languagesHaveUsualCodes() {
        Map<String, String> texts = Map.of("en", LONG,
                "fr", "Il était une fois un petit village au bord de la mer où vivait un pêcheur.",
                "es", "Había una vez un pequeño pueblo junto al mar donde vivía un viejo pescador.",
                "ru", "Жил-был старик со своею старухой у самого синего моря, они жили в ветхой землянке.",
                "zh", "从前有一个小村庄，村里住着一位老渔夫，他每天早上都出海打鱼，晚上才回来。",
                "ja", "むかしむかし、あるところに、おじいさんとおばあさんが住んでいました。",
                "ar", "كان يا مكان في قديم الزمان قرية صغيرة على شاطئ البحر يعيش فيها صياد عجوز");
        texts.forEach((code, text) -> assertEquals(code, Language.of(text)));
        assertEquals(Language.UNKNOWN, Language.of("ok 123"));
        InputException e = assertThrows(InputException.class, () -> options(0, PersonalData.Action.KEEP,
                new LinkedHashSet<>(List.of("enn")), 0, 0));
        assertTrue(e.getMessage().contains("did you mean 'en'"), e.getMessage());
    }
}
