package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.testing.RealInputs;
import dev.gale.train.testing.TestFiles;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetTest {
    private static final SftConfig DEFAULTS = SftConfig.builder().build();
    private static final SftConfig EVERYTHING = SftConfig.builder().completionOnlyLoss(false).build();

    @TempDir Path folder;

    private Path file(String name, String text) {
        try {
            return Files.writeString(folder.resolve(name), text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /// A Llama-3 tokenizer that begins texts with `<|begin_of_text|>` and ends them with `<|eot_id|>`.
    private Tokenizer tokenizer(String kind, String bos, String eos) {
        try {
            Path own = Files.createDirectories(folder.resolve(kind));
            if (!Files.exists(own.resolve("tokenizer.json"))) {
                Files.copy(TestFiles.tokenizer(kind), own.resolve("tokenizer.json"));
            }
            Files.writeString(own.resolve("tokenizer_config.json"),
                    "{\"bos_token\": \"%s\", \"eos_token\": \"%s\"}".formatted(bos, eos));
            return Tokenizer.load(own);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private Tokenizer llama3() {
        return tokenizer("llama3", "<|begin_of_text|>", "<|eot_id|>");
    }

    private static int[] trainedIds(Example example) {
        return IntStream.range(0, example.length()).filter(i -> example.trained()[i]).map(i -> example.ids()[i]).toArray();
    }

    private static String refusal(Runnable run) {
        String message = assertThrows(InputException.class, run::run).getMessage();
        assertEquals(1, message.lines().count(), message);
        return message;
    }

    @Test
    void aCompletionIsTrainedWithItsEndAndThePromptIsNot() {
        Path data = file("d.jsonl", "{\"prompt\": \"What is 2+2?\\n\", \"completion\": \"It is four.\"}");
        try (Tokenizer tokenizer = llama3()) {
            Example example = Dataset.load(data).examples(tokenizer, DEFAULTS).getFirst();
            assertEquals("<|begin_of_text|>What is 2+2?\nIt is four.<|eot_id|>", tokenizer.decode(example.ids(), false));
            assertEquals("It is four.<|eot_id|>", tokenizer.decode(trainedIds(example), false));
            Example all = Dataset.load(data).examples(tokenizer, EVERYTHING).getFirst();
            assertArrayEquals(example.ids(), all.ids());
            assertEquals(all.length() - 1, all.trainedTokens());
        }
    }

    @Test
    void aTokenThatBeginsInThePromptAndEndsInTheCompletionIsTrained() {
        Path data = file("d.jsonl", "{\"prompt\": \"Question? Answer:\", \"completion\": \" four\"}");
        try (Tokenizer tokenizer = tokenizer("llama2", "<s>", "</s>")) {
            Example example = Dataset.load(data).examples(tokenizer, DEFAULTS).getFirst();
            assertTrue(tokenizer.decode(trainedIds(example), false).endsWith("four</s>"));
            Example glued = Dataset.of(List.of(Map.of("prompt", "say the", "completion", "re")),
                    DatasetConfig.of(data)).examples(tokenizer, DEFAULTS).getFirst();
            assertTrue(glued.trainedTokens() >= 2, "the completion and the end");
        }
    }

    @Test
    void theEndOfTextIsNeitherMissingNorDoubled() {
        for (String kind : List.of("llama3", "unigram", "llama2")) {
            String eos = kind.equals("llama3") ? "<|eot_id|>" : "</s>";
            String bos = kind.equals("llama3") ? "<|begin_of_text|>" : "<s>";
            try (Tokenizer tokenizer = tokenizer(kind, bos, eos)) {
                Path data = file(kind + ".jsonl",
                        "{\"text\": \"One two\"}\n{\"text\": \"One two%s\"}\n{\"text\": \"%sOne two\"}"
                        .formatted(eos, bos));
                List<Example> examples = Dataset.load(data).examples(tokenizer, DEFAULTS);
                for (Example example : examples.subList(0, 2)) {
                    assertArrayEquals(examples.getFirst().ids(), example.ids(), kind);
                    assertEquals(tokenizer.bosId().getAsInt(), example.ids()[0]);
                    assertEquals(tokenizer.eosId().getAsInt(), example.ids()[example.length() - 1]);
                    assertFalse(tokenizer.eosId().getAsInt() == example.ids()[example.length() - 2]);
                    assertEquals(example.length() - 1, example.trainedTokens());
                }
                assertEquals(tokenizer.bosId().getAsInt(), examples.get(2).ids()[0]);
                assertFalse(tokenizer.bosId().getAsInt() == examples.get(2).ids()[1], "no second beginning");
            }
        }
    }

    @Test
    void anEndOfTextInsideATextIsTrainedAsAnyOtherToken() {
        Path data = file("d.jsonl", "{\"prompt\": \"a<|eot_id|>\", \"completion\": \"b<|eot_id|>c\"}");
        try (Tokenizer tokenizer = llama3()) {
            Example example = Dataset.load(data).examples(tokenizer, DEFAULTS).getFirst();
            assertEquals("b<|eot_id|>c<|eot_id|>", tokenizer.decode(trainedIds(example), false));
        }
    }

    @Test
    void alpacaRowsGetTheirTwoPrompts() {
        Path data = file("d.json", """
                [{"instruction": "Add.", "input": "2 3", "output": "5"},
                 {"instruction": "Greet.", "input": "", "output": "Hi"},
                 {"instruction": "Greet.", "output": "Hi"}]""");
        try (Tokenizer tokenizer = llama3()) {
            List<Example> examples = Dataset.load(data).examples(tokenizer, DEFAULTS);
            assertEquals("Below is an instruction that describes a task, paired with an input that provides further "
                    + "context. Write a response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n"
                    + "### Input:\n2 3\n\n### Response:\n5", tokenizer.text(examples.get(0).ids()));
            assertEquals("Below is an instruction that describes a task. Write a response that appropriately completes "
                    + "the request.\n\n### Instruction:\nGreet.\n\n### Response:\nHi", tokenizer.text(examples.get(1).ids()));
            assertArrayEquals(examples.get(1).ids(), examples.get(2).ids());
            assertEquals("Hi<|eot_id|>", tokenizer.decode(trainedIds(examples.get(2)), false));
        }
    }

    @Test
    void aTemplateTrainsOnItsLastColumnAndWhatFollows() {
        Path data = file("d.jsonl", "{\"q\": \"Why {so}?\", \"a\": 42, \"n\": null}");
        DatasetConfig config = DatasetConfig.of(data).withTemplate("{{Q}}: {q}{n}\n{{A}}: {a} END");
        try (Tokenizer tokenizer = llama3()) {
            Example example = Dataset.load(config).examples(tokenizer, DEFAULTS).getFirst();
            assertEquals("{Q}: Why {so}?\n{A}: 42 END", tokenizer.text(example.ids()));
            assertTrue(tokenizer.decode(trainedIds(example), false).endsWith("42 END<|eot_id|>"));
            assertFalse(tokenizer.decode(trainedIds(example), false).contains("A"));
            assertTrue(refusal(() -> Dataset.load(DatasetConfig.of(data).withTemplate("{q} {answer}"))
                    .examples(tokenizer, DEFAULTS)).contains("d.jsonl, line 1 has no column 'answer'; it has: q, a, n"));
            for (String broken : List.of("no column", "{q", "}{q}", "{}")) {
                refusal(() -> Dataset.load(DatasetConfig.of(data).withTemplate(broken)).examples(tokenizer, DEFAULTS));
            }
        }
    }

    @Test
    void longExamplesKeepTheirStartAndThoseWithoutAnythingToLearnGo() {
        Path data = file("d.jsonl", """
                {"prompt": "one two three four five six seven eight nine ten ", "completion": "x"}
                {"prompt": "a ", "completion": "one two three four five six seven eight nine ten"}""");
        SftConfig tight = SftConfig.builder().maxLength(8).build();
        try (Tokenizer tokenizer = llama3()) {
            List<Example> examples = Dataset.load(data).examples(tokenizer, tight);
            assertEquals(1, examples.size());
            assertEquals(8, examples.getFirst().length());
            assertTrue(tokenizer.text(examples.getFirst().ids()).startsWith("a one"));
            SftConfig tiny = SftConfig.builder().maxLength(1).build();
            assertTrue(refusal(() -> Dataset.load(data).examples(tokenizer, tiny)).contains("max_length (1)"));
        }
    }

    @Test
    void bomCrlfBlankLinesAndAMissingLastNewlineAreFine() {
        String lines = "\uFEFF{\"text\": \"ä\"}\r\n\r\n  \n{\"text\": \"🦙\\u2028x\"}";
        assertEquals(List.of("ä", "🦙\u2028x"),
                Dataset.load(file("d.jsonl", lines)).train().stream().map(row -> row.values().get("text")).toList());
        String array = "\uFEFF\r\n[{\"text\": \"ä\"},\r\n{\"text\": \"b\"}]\n\n";
        assertEquals(2, Dataset.load(file("d.json", array)).rows());
        assertEquals(List.of("d.json, line 2", "d.json, line 3"), Dataset.load(file("d.json", array)).train().stream()
                .map(row -> row.place().replace(folder + "/", "")).toList());
    }

    @Test
    void aBadLineIsNamedWithItsNumber() throws IOException {
        assertTrue(refusal(() -> Dataset.load(file("d.jsonl", "{\"text\": \"a\"}\n\n{\"text\": \n{\"text\": \"b\"}")))
                .contains("d.jsonl, line 3 is not valid JSON"));
        assertTrue(refusal(() -> Dataset.load(file("d.jsonl", "{\"text\": \"a\"} x"))).contains("line 1"));
        assertTrue(refusal(() -> Dataset.load(file("d.jsonl", "{\"text\": \"a\"}\n7")))
                .contains("line 2 is not a JSON object"));
        assertTrue(refusal(() -> Dataset.load(file("d.json", "[{\"text\": \"a\"},\n{\"text\" 1}]"))).contains("line 2"));
        assertTrue(refusal(() -> Dataset.load(file("d.json", "[{\"text\": \"a\"}"))).contains("d.json, line 1"));
        assertTrue(refusal(() -> Dataset.load(file("d.json", "[{\"text\": \"a\"}] []"))).contains("follows the array"));
        Path latin = folder.resolve("latin.jsonl");
        Files.write(latin, "{\"text\": \"a\"}\n{\"text\": \"ä\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(refusal(() -> Dataset.load(latin)).contains("line 2 is not UTF-8"));
        Files.write(latin, "[{\"text\": \"ä\"}]".getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(refusal(() -> Dataset.load(latin)).contains("is not UTF-8"));
    }

    @Test
    void emptyAndMissingDatasetsAreNamed() {
        for (String text : List.of("", "\n \n", "\uFEFF", "[]")) {
            assertTrue(refusal(() -> Dataset.load(file("d.jsonl", text))).contains("d.jsonl is empty"));
        }
        assertTrue(refusal(() -> Dataset.load(folder.resolve("absent.json"))).contains("absent.json does not exist"));
    }

    @Test
    void missingColumnsAreNamedWithThosePresent() {
        assertTrue(refusal(() -> Dataset.load(file("d.jsonl", "{\"question\": \"a\", \"reply\": \"b\"}")))
                .contains("it has: question, reply"));
        try (Tokenizer tokenizer = llama3()) {
            Path data = file("d.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}");
            assertTrue(refusal(() -> Dataset.load(data).examples(tokenizer, DEFAULTS))
                    .contains("line 2 has no column 'text'; it has: txt"));
            Path list = file("d.jsonl", "{\"text\": [1]}");
            assertTrue(refusal(() -> Dataset.load(list).examples(tokenizer, DEFAULTS)).contains("holds a list"));
        }
    }

    @Test
    void aLossThatTheFormatDoesNotHaveIsRefused() {
        Path text = file("d.jsonl", "{\"text\": \"a\"}");
        Path pairs = file("p.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}");
        SftConfig completion = SftConfig.builder().completionOnlyLoss(true).build();
        SftConfig assistant = SftConfig.builder().assistantOnlyLoss(true).build();
        try (Tokenizer tokenizer = llama3()) {
            assertTrue(refusal(() -> Dataset.load(text).examples(tokenizer, completion)).contains("completion_only_loss"));
            assertTrue(refusal(() -> Dataset.load(text).examples(tokenizer, assistant)).contains("assistant_only_loss"));
            assertTrue(refusal(() -> Dataset.load(pairs).examples(tokenizer, assistant)).contains("assistant_only_loss"));
        }
    }

    @Test
    void heldOutRowsAreApartAndAlwaysTheSame() {
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 100; i++) lines.append("{\"text\": \"row ").append(i).append("\"}\n");
        Path data = file("d.jsonl", lines.toString());
        DatasetConfig config = DatasetConfig.of(data).withTestSize(0.1);
        Dataset dataset = Dataset.load(config);
        assertEquals(90, dataset.rows());
        assertEquals(10, dataset.evalRows());
        Set<Row> train = new HashSet<>(dataset.train());
        assertTrue(dataset.eval().stream().noneMatch(train::contains));
        assertEquals(dataset.eval(), Dataset.load(config).eval());
        assertEquals(7, Dataset.load(config.withTestSize(7)).evalRows());
        assertTrue(refusal(() -> Dataset.load(config.withTestSize(100))).contains("leaves none"));
    }

    @Test
    void realDatasetsAreReadAsWhatTheyAre() {
        assertRead("data/alpaca_en_demo.json", 999, RowFormat.ALPACA);
        assertRead("data/c4_demo.jsonl", 300, RowFormat.TEXT);
        assertRead("data/isafpr/chatgpt_isaf_press_releases_ft_test.jsonl", 724, RowFormat.MESSAGES);
        assertRead("data/isafpr/sharegpt_isaf_press_releases_ft_test.jsonl", 724, RowFormat.MESSAGES);
        assertRead("data/mlx-wikisql/train.jsonl", 1000, RowFormat.TEXT);
        Dataset gsm8k = Dataset.load(DatasetConfig.of(RealInputs.path("data/gsm8k/test.jsonl"))
                .withFields("question", "answer"));
        assertEquals(1319, gsm8k.rows());
        assertEquals(RowFormat.PROMPT_COMPLETION, gsm8k.format());
        assertTrue(refusal(() -> Dataset.load(RealInputs.path("data/fms-hf-tuning/json/malformatted_data.json")))
                .contains("line 1"));
        assertTrue(refusal(() -> Dataset.load(RealInputs.path("data/fms-hf-tuning/json/empty_data.json")))
                .contains("is empty"));
    }

    private static void assertRead(String path, int rows, RowFormat format) {
        Dataset dataset = Dataset.load(RealInputs.path(path));
        assertEquals(rows, dataset.rows(), path);
        assertEquals(format, dataset.format(), path);
    }
}
