package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.testing.TestFiles;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Rows that were tokenized elsewhere.
class TokenColumnsTest {
    private static final SftConfig DEFAULTS = SftConfig.builder().build();

    @TempDir Path folder;
    private Tokenizer tokenizer;

    @BeforeEach
    void open() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|begin_of_text|>\", \"eos_token\": \"<|eot_id|>\"}");
        tokenizer = Tokenizer.load(folder);
    }

    @AfterEach
    void close() {
        tokenizer.close();
    }

    private Dataset dataset(String rows) {
        try {
            return Dataset.load(DatasetConfig.builder(Files.writeString(folder.resolve("d.jsonl"), rows))
                    .cacheDir(folder.resolve("cache")).build());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /// The places of a row's tokens that are trained.
    private int[] trained(String row, SftConfig options) {
        Dataset dataset = dataset(row);
        assertEquals(RowFormat.TOKENS, dataset.format());
        Example example = dataset.examples(tokenizer, options).getFirst();
        return IntStream.range(0, example.length()).filter(i -> example.trained()[i]).toArray();
    }

    private String refusal(String row, SftConfig options) {
        String message = assertThrows(InputException.class, () -> dataset(row).examples(tokenizer, options), row).getMessage();
        assertTrue(message.contains("d.jsonl, line 1") && message.lines().count() == 1, message);
        return message;
    }

    private String refusal(String row) {
        return refusal(row, DEFAULTS);
    }

    /// The first four are those of the documentation of TRL's collator.
    @Test
    void labelsAndMasksSayWhatIsTrained() {
        assertArrayEquals(new int[] {0, 1, 2}, trained("{\"input_ids\": [1, 2, 3]}", DEFAULTS));
        assertArrayEquals(new int[] {1, 2}, trained("{\"input_ids\": [1, 2, 3], \"completion_mask\": [0, 1, 1]}", DEFAULTS));
        assertArrayEquals(new int[] {1}, trained("{\"input_ids\": [4, 5], \"completion_mask\": [0, 1]}", DEFAULTS));
        assertArrayEquals(new int[] {0, 1}, trained("{\"input_ids\": [4, 5], \"completion_mask\": [0, 1]}",
                SftConfig.builder().completionOnlyLoss(false).build()));
        assertArrayEquals(new int[] {1, 3}, trained("{\"input_ids\": [1, 2, 3, 4], \"labels\": [-100, 2, -100, 4]}", DEFAULTS));
        assertArrayEquals(new int[] {3}, trained("{\"input_ids\": [1, 2, 3, 4], \"labels\": [-100, 2, -100, 4], "
                + "\"assistant_masks\": [false, false, true, true]}", DEFAULTS));
        assertArrayEquals(new int[] {1}, trained("{\"input_ids\": [1, 2], \"assistant_masks\": [0, 1], \"labels\": null}",
                SftConfig.builder().assistantOnlyLoss(true).build()));
    }

    @Test
    void paddingIsDropped() {
        for (String row : List.of("{\"input_ids\": [7, 7, 1, 2, 3, 7], \"attention_mask\": [0, 0, 1, 1, 1, 0]}",
                "{\"input_ids\": [7, 1, 2, 3], \"attention_mask\": [0, 1, 1, 1], \"labels\": [-100, 1, 2, 3]}",
                "{\"input_ids\": [1, 2, 3], \"attention_mask\": [1.0, 1.0, 1.0], \"token_type_ids\": [0, 0, 0]}")) {
            Example example = dataset(row).examples(tokenizer, DEFAULTS).getFirst();
            assertArrayEquals(new int[] {1, 2, 3}, example.ids(), row);
            assertEquals(2, example.trainedTokens());
        }
        assertTrue(refusal("{\"input_ids\": [1, 2, 3], \"attention_mask\": [1, 0, 1]}")
                .contains("hides position 1 between others"));
        assertTrue(refusal("{\"input_ids\": [1, 2], \"attention_mask\": [0, 0]}").contains("hides all tokens"));
    }

    @Test
    void whatIsNoTokenIsOneSentence() {
        int size = tokenizer.vocabSize();
        assertTrue(refusal("{\"input_ids\": [1, %d]}".formatted(size)).contains("has the ids 0 to " + (size - 1)));
        dataset("{\"input_ids\": [1, %d]}".formatted(size - 1)).examples(tokenizer, DEFAULTS);
        for (String ids : List.of("[1, -1]", "[1, 2.5]", "[1, \"2\"]", "[1, null]", "[]", "7", "\"a\"", "[1, 4294967297]",
                "[[1, 2]]")) {
            refusal("{\"input_ids\": %s}".formatted(ids));
        }
        assertTrue(refusal("{\"input_ids\": [1, 2], \"labels\": [2, -100]}").contains("labels are not shifted"));
        assertTrue(refusal("{\"input_ids\": [1, 2], \"labels\": [1]}")
                .contains("'labels' has 1 values, but 'input_ids' has 2"));
        assertTrue(refusal("{\"input_ids\": [1, 2], \"completion_mask\": [0, 2]}").contains("a list of 0 and 1"));
        assertTrue(refusal("{\"input_ids\": [1, 2]}", SftConfig.builder().completionOnlyLoss(true).build())
                .contains("has no column 'completion_mask', which completion_only_loss takes the loss by"));
        assertTrue(refusal("{\"input_ids\": [1, 2]}", SftConfig.builder().assistantOnlyLoss(true).build())
                .contains("has no column 'assistant_masks'"));
    }

    /// Rows that Gale tokenized itself, written down and read again, are the same examples, cut and packed as any.
    @Test
    void theyAreExamplesAsAnyOther() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 40; i++) text.append("{\"prompt\": \"say %d: \", \"completion\": \"%s\"}\n"
                .formatted(i, "yes ".repeat(i)));
        SftConfig whole = SftConfig.builder().maxLength(1000).build();
        StringBuilder labels = new StringBuilder();
        StringBuilder csv = new StringBuilder("input_ids,completion_mask\n");
        for (Example example : dataset(text.toString()).examples(tokenizer, whole)) {
            List<Integer> ids = IntStream.of(example.ids()).boxed().toList();
            labels.append("{\"input_ids\": %s, \"labels\": %s}\n".formatted(ids, IntStream.range(0, ids.size())
                    .mapToObj(i -> example.trained()[i] ? ids.get(i) : -100).toList()));
            csv.append("\"%s\",\"%s\"\n".formatted(ids,
                    IntStream.range(0, ids.size()).mapToObj(i -> example.trained()[i] ? 1 : 0).toList()));
        }
        SftConfig options = SftConfig.builder().maxLength(24).build();
        List<Example> expected = dataset(text.toString()).examples(tokenizer, options);
        Dataset again = dataset(labels.toString());
        assertEquals(List.of(), TrainingChecks.check(tokenizer, again, whole, again.examples(tokenizer, whole)));
        Dataset asText = Dataset.load(DatasetConfig.of(Files.writeString(folder.resolve("d.csv"), csv)));
        for (Dataset read : List.of(again, asText)) {
            List<Example> found = read.examples(tokenizer, options);
            assertEquals(expected.size(), found.size());
            Batches packs = new Batches(found, BatchOptions.packed(2, 24, 7));
            Batches want = new Batches(expected, BatchOptions.packed(2, 24, 7));
            for (int i = 0; i < want.microBatchesPerEpoch(); i++) {
                assertArrayEquals(want.microBatch(0, i).ids(), packs.microBatch(0, i).ids());
                assertArrayEquals(want.microBatch(0, i).targets(), packs.microBatch(0, i).targets());
            }
        }
    }

    @Test
    void endsThatHaveNoLabelAreSaid() {
        int end = tokenizer.eosId().getAsInt();
        String row = "{\"input_ids\": [5, 6, 7, %d], \"labels\": [-100, -100, 7, %d]}";
        Dataset masked = dataset(row.formatted(end, -100));
        List<String> notes = TrainingChecks.check(tokenizer, masked, DEFAULTS, masked.examples(tokenizer, DEFAULTS));
        assertEquals(1, notes.size(), notes.toString());
        assertTrue(notes.getFirst().startsWith("no example trains the end of a turn (<|eot_id|>)")
                && notes.getFirst().endsWith("give it its label, and a mask of 1"), notes.getFirst());
        for (String right : List.of(row.formatted(end, end), "{\"input_ids\": [5, 6, 7]}")) {
            Dataset dataset = dataset(right);
            assertEquals(List.of(), TrainingChecks.check(tokenizer, dataset, DEFAULTS, dataset.examples(tokenizer, DEFAULTS)));
        }
    }

    @Test
    void tokensComeBeforeTheTextThatTheyWereMadeOf() {
        Dataset dataset = dataset("{\"text\": \"a\", \"input_ids\": [1, 2]}");
        assertEquals(RowFormat.TOKENS, dataset.format());
        for (DatasetConfig named : List.of(dataset.config().toBuilder().columns(Map.of("prompt", "text")).promptField("prompt")
                .completionField("prompt").build(), dataset.config().toBuilder().columns(Map.of("output", "text"))
                .textField("output").build())) {
            assertTrue(Dataset.load(named).format() != RowFormat.TOKENS, named.toString());
        }
        DatasetConfig ids = dataset.config().toBuilder().columns(Map.of("input_ids", "input_ids")).build();
        assertEquals(RowFormat.TOKENS, Dataset.load(ids).format());
        DatasetConfig text = dataset.config().toBuilder().format(RowFormat.TEXT).build();
        assertEquals("a", tokenizer.text(Dataset.load(text).examples(tokenizer, DEFAULTS).getFirst().ids()));
        assertEquals(RowFormat.TOKENS, Dataset.of(List.of(Map.of("ids", List.of(1, 2), "input_ids", List.of(1, 2))),
                DatasetConfig.of(folder)).format());
    }
}
