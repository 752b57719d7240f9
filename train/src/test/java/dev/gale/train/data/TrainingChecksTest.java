package dev.gale.train.data;

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
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingChecksTest {
    private static final Map<String, Object> SYSTEM = Map.of("role", "system", "content", "Be brief.");
    private static final Map<String, Object> USER = Map.of("role", "user", "content", "Hi");
    private static final Map<String, Object> ANSWER = Map.of("role", "assistant", "content", "Hello");
    private static final Map<String, Object> TALK = Map.of("messages", List.of(SYSTEM, USER, ANSWER));

    @TempDir Path folder;
    private SftConfig options = SftConfig.builder().assistantOnlyLoss(true).build();

    @BeforeEach
    void writeTokenizer() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        config("<|eot_id|>", "<|end_of_text|>");
    }

    private void config(String eos, String pad) throws IOException {
        String end = eos == null ? "" : ", \"eos_token\": \"" + eos + "\"";
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|begin_of_text|>\", \"pad_token\": \"%s\"%s}".formatted(pad, end));
    }

    private List<String> check(String template, Map<String, Object> row) throws IOException {
        Path file = Files.writeString(folder.resolve("t.jinja"), template);
        return check(DatasetConfig.of(Path.of("rows")).withChatTemplate(file), List.of(row));
    }

    private List<String> check(DatasetConfig config, List<Map<String, Object>> rows) {
        Dataset dataset = Dataset.of(rows, config);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            return TrainingChecks.check(tokenizer, dataset, options, dataset.examples(tokenizer, options));
        }
    }

    private void assertRefused(String what, String template) {
        String message = assertThrows(InputException.class, () -> check(template, TALK)).getMessage();
        assertTrue(message.startsWith("no example trains the end of a turn") && message.contains(what), message);
        assertEquals(1, message.lines().count());
    }

    private static void assertSays(String what, List<String> notes) {
        assertEquals(1, notes.size(), notes.toString());
        assertTrue(notes.getFirst().contains(what), notes.getFirst());
    }

    @Test
    void nothingIsSaidOfWhatIsRight() throws IOException {
        assertEquals(List.of(), check(DatasetConfig.of(Path.of("rows")).withChatTemplate(Path.of("llama-3")), List.of(TALK)));
        assertEquals(List.of(), check(DatasetConfig.of(Path.of("rows")).withChatTemplate(Path.of("llama-3.1")), List.of(TALK)));
    }

    @Test
    void turnsThatNeverEndAreRefused() {
        assertRefused("inside of {% generation %}", "{% for m in messages %}[{{ m.role }}]{% generation %}{{ m.content }}"
                + "{% endgeneration %}<|eot_id|>{% endfor %}");
        assertRefused("'<|im_end|>', which is no token", "{% for m in messages %}<|im_start|>{{ m.role }}\n"
                + "{{ m.content }}<|im_end|>\n{% endfor %}");
        assertRefused("let the chat template write it", "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}");
    }

    @Test
    void answersWithoutATokenToEndThemAreRefused() throws IOException {
        config(null, "<|end_of_text|>");
        options = SftConfig.builder().build();
        Map<String, Object> row = Map.of("prompt", "a", "completion", "b");
        String message = assertThrows(InputException.class,
                () -> check(DatasetConfig.of(Path.of("rows")), List.of(row))).getMessage();
        assertTrue(message.contains("set eos_token"), message);
        assertEquals(List.of(), check(DatasetConfig.of(Path.of("rows")), List.of(Map.of("text", "a book"))));
    }

    @Test
    void endsThatAreCutOffAreCounted() {
        options = SftConfig.builder().maxLength(20).build();
        Map<String, Object> cut = Map.of("prompt", "a", "completion", "b ".repeat(30));
        String message = assertThrows(InputException.class,
                () -> check(DatasetConfig.of(Path.of("rows")), List.of(cut))).getMessage();
        assertTrue(message.endsWith("max_length (20) cuts it off in 1: raise it"), message);
        assertSays("1 of 2 examples do not train the end of a turn (<|eot_id|>); max_length (20) cuts it off in 1: raise it",
                check(DatasetConfig.of(Path.of("rows")), List.of(cut, Map.of("prompt", "a", "completion", "b"))));
    }

    /// Rows that stay in their file, tokenized into another one and cut where they are read.
    @Test
    void rowsInFilesAreCheckedLikeRowsInMemory() throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 3000; i++) {
            rows.append("{\"prompt\": \"a\", \"completion\": \"%s\"}\n".formatted(i % 10 == 0 ? "b ".repeat(30) : "b " + i));
        }
        Path file = Files.writeString(folder.resolve("d.jsonl"), rows);
        Dataset dataset = Dataset.load(DatasetConfig.builder(file).cacheDir(folder.resolve("cache")).build());
        options = SftConfig.builder().maxLength(20).build();
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (String from : List.of("written", "found again")) {
                assertSays(
                        "300 of 3000 examples do not train the end of a turn (<|eot_id|>); max_length (20) cuts it off in 300",
                        TrainingChecks.check(tokenizer, dataset, options, dataset.examples(tokenizer, options)));
            }
        }
    }

    @Test
    void segmentsWithoutAnEndAreSaid() {
        options = SftConfig.builder().build();
        assertSays("write it into the last segment", check(DatasetConfig.of(Path.of("rows")), List.of(Map.of("segments",
                List.of(Map.of("label", false, "text", "Hi"), Map.of("label", true, "text", "Hello"))))));
        assertEquals(List.of(), check(DatasetConfig.of(Path.of("rows")), List.of(Map.of("segments",
                List.of(Map.of("label", false, "text", "Hi"), Map.of("label", true, "text", "Hello<|eot_id|>"))))));
    }

    @Test
    void anEndAtWhichGenerationDoesNotStopIsSaid() throws IOException {
        config("<|end_of_text|>", "<|start_header_id|>");
        DatasetConfig llama = DatasetConfig.of(Path.of("rows")).withChatTemplate(Path.of("llama-3"));
        assertSays("turns end with <|eot_id|>, but generation stops at <|end_of_text|>", check(llama, List.of(TALK)));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [%d, %d]}".formatted(
                    tokenizer.eosId().getAsInt(), tokenizer.idOf("<|eot_id|>").getAsInt()));
        }
        assertEquals(List.of(), check(llama, List.of(TALK)));
    }

    @Test
    void completionsThatAreMessagesEndAsTheTemplateSays() throws IOException {
        config("<|end_of_text|>", "<|start_header_id|>");
        Map<String, Object> row = Map.of("prompt", List.of(USER), "completion", List.of(ANSWER));
        options = SftConfig.builder().build();
        assertEquals(List.of(), check(DatasetConfig.of(Path.of("rows")).withChatTemplate(Path.of("llama-3")), List.of(row)));
    }

    @Test
    void twoBeginningsAreCounted() throws IOException {
        assertSays("1 of 1 examples begin with <|begin_of_text|> twice", check("{{ bos_token }}{{ bos_token }}"
                + "{% for m in messages %}{% generation %}{{ m.content }}<|eot_id|>{% endgeneration %}{% endfor %}", TALK));
    }

    @Test
    void aSecondBeginningThatIsLeftOutIsSaid() throws IOException {
        options = SftConfig.builder().build();
        List<Map<String, Object>> rows = List.of(Map.of("text", "<|begin_of_text|>a book"), Map.of("text", "a book"));
        String note = "1 of 2 texts begin with <|begin_of_text|>, which the tokenizer adds too: only one is kept";
        assertSays(note, check(DatasetConfig.of(Path.of("rows")), rows));
        Path file = Files.writeString(folder.resolve("d.jsonl"),
                "{\"text\": \"<|begin_of_text|>a book\"}\n{\"text\": \"a book\"}\n");
        DatasetConfig inFile = DatasetConfig.builder(file).cacheDir(folder.resolve("cache")).build();
        options = SftConfig.builder().maxLength(3).build();
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (String from : List.of("written", "found again")) {
                Dataset dataset = Dataset.load(inFile);
                List<Example> examples = dataset.examples(tokenizer, options);
                assertEquals(Arrays.toString(examples.get(1).ids()), Arrays.toString(examples.get(0).ids()), from);
                assertSays(note, TrainingChecks.check(tokenizer, dataset, options, examples));
            }
        }
    }

    @Test
    void documentsThatAreLeftOutAreSaid() throws IOException {
        Map<String, Object> row = Map.of("messages", List.of(USER, ANSWER), "documents", List.of(Map.of("text", "Rain.")));
        String turns = "{% for m in messages %}[{{ m.role }}]{{ m.content }}<|eot_id|>{% endfor %}";
        assertSays("leaves out documents", check(turns, row));
        assertEquals(List.of(), check("{% for d in documents or [] %}{{ d.text }}{% endfor %}" + turns, row));
    }

    @Test
    void aPadTokenThatIsTheEndIsSaid() throws IOException {
        config("<|eot_id|>", "<|eot_id|>");
        options = SftConfig.builder().build();
        assertSays("pad_token is eos_token (<|eot_id|>)", check(DatasetConfig.of(Path.of("rows")),
                List.of(Map.of("text", "a book"))));
    }

    @Test
    void aSystemMessageThatIsLeftOutIsSaid() throws IOException {
        assertSays("leaves out system messages", check("{% for m in messages if m.role != 'system' %}[{{ m.role }}]"
                + "{{ m.content }}<|eot_id|>{% endfor %}", TALK));
    }
}
