package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What rows of each format mean.
class FormatsTest {
    private static final SftConfig DEFAULTS = SftConfig.builder().build();
    private static final SftConfig ASSISTANT = SftConfig.builder().assistantOnlyLoss(true).build();
    private static final String TOOLS_TEMPLATE = "{% if tools %}<tools>{{ tools | tojson }}</tools>{% endif %}{% for m in "
            + "messages %}"
            + "<{{ m.role }}>{{ m.content }}{% for c in m.tool_calls or [] %}<call>{{ c.function.name }}({{ "
                    + "c.function.arguments | tojson }})"
            + "{% endfor %}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

    @TempDir Path folder;
    private Path chatTemplate;

    @BeforeEach
    void copyTokenizer() throws IOException {
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|begin_of_text|>\", \"eos_token\": \"<|eot_id|>\"}");
        chatTemplate = Files.writeString(folder.resolve("template.jinja"), TOOLS_TEMPLATE);
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text);
    }

    private DatasetConfig config(String lines) throws IOException {
        return DatasetConfig.builder(file("d.jsonl", lines)).chatTemplate(chatTemplate).build();
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
    void shareGptSpeaksOfHumansToolsAndCalls() throws IOException {
        DatasetConfig config = config("""
                {"system": "Be brief.", "tools": "[{\\"name\\": \\"add\\"}]", \
                "conversations": [{"from": "human", "value": "1+2?"},\
                 {"from": "function_call", "value": "{\\"name\\": \\"add\\", \\"arguments\\": {\\"a\\": 1, \\"b\\": 2}}"},\
                 {"from": "observation", "value": "3"}, {"from": "gpt", "value": "Three."}]}""");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Dataset dataset = Dataset.load(config);
            assertEquals(RowFormat.MESSAGES, dataset.format());
            Example example = dataset.examples(tokenizer, ASSISTANT).getFirst();
            assertEquals("<tools>[{\"name\": \"add\"}]</tools><system>Be brief.<|eot_id|><user>1+2?<|eot_id|><assistant>"
                    + "<call>add({\"a\": 1, \"b\": 2})<|eot_id|><tool>3<|eot_id|><assistant>Three.<|eot_id|>",
                    tokenizer.decode(example.ids(), false));
            assertEquals("<call>add({\"a\": 1, \"b\": 2})<|eot_id|>Three.<|eot_id|>",
                    tokenizer.decode(trainedIds(example), false));
        }
        for (String turn : List.of("{\"from\": \"function_call\", \"value\": \"add(1)\"}",
                "{\"from\": \"function_call\", \"value\": \"{}\"}",
                "{\"from\": \"narrator\", \"value\": \"x\"}", "7", "{\"value\": \"x\"}")) {
            DatasetConfig wrong = config("{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}, %s]}".formatted(turn));
            try (Tokenizer tokenizer = Tokenizer.load(folder)) {
                assertTrue(refusal(() -> Dataset.load(wrong).examples(tokenizer, DEFAULTS)).contains("d.jsonl, line 1"));
            }
        }
    }

    @Test
    void callsOfMessagesAndAToolsColumnReachTheTemplate() throws IOException {
        DatasetConfig config = config("""
                {"tools": [{"type": "function", "function": {"name": "now"}}], \
                "messages": [{"role": "user", "content": "Time?"},\
                 {"role": "assistant", "content": "", \
                "tool_calls": [{"type": "function", "function": {"name": "now", "arguments": {}}}]},\
                 {"role": "tool", "content": "12"}, {"role": "assistant", "content": "Noon."}]}""");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Example example = Dataset.load(config).examples(tokenizer, ASSISTANT).getFirst();
            assertEquals("<call>now({})<|eot_id|>Noon.<|eot_id|>", tokenizer.decode(trainedIds(example), false));
        }
    }

    @Test
    void messagesInCsvAreJson() throws IOException {
        Path csv = file("d.csv", "messages\n\"[{\"\"role\"\": \"\"user\"\", \"\"content\"\": \"\"a\"\"}, {\"\"role\"\": "
                + "\"\"assistant\"\", \"\"content\"\": \"\"b\"\"}]\"\n");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Example example = Dataset.load(DatasetConfig.builder(csv).chatTemplate(chatTemplate).build())
                    .examples(tokenizer, ASSISTANT).getFirst();
            assertEquals("b<|eot_id|>", tokenizer.decode(trainedIds(example), false));
        }
    }

    @Test
    void textThatIsAnyOtherJsonStaysText() throws IOException {
        DatasetConfig config = config("{\"prompt\": \"[{\\\"x\\\": 1}] \", \"completion\": \"[{\\\"y\\\": 2}]\"}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Example example = Dataset.load(config).examples(tokenizer, DEFAULTS).getFirst();
            assertEquals("[{\"y\": 2}]<|eot_id|>", tokenizer.decode(trainedIds(example), false).strip());
        }
    }

    @Test
    void pairsInMemoryAreToldApartByWhatTheyHold() throws IOException {
        DatasetConfig options = DatasetConfig.of(folder);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (String answer : List.of("Blue", "Red", "Blue")) {
                Dataset dataset = Dataset.of(List.of(Map.of("prompt", "Sky?\n", "chosen", answer, "rejected", "No")), options);
                assertEquals(answer + "<|eot_id|>",
                        tokenizer.decode(dataset.preferences(tokenizer, 100, false).getFirst().chosenIds(), false));
            }
        }
    }

    @Test
    void segmentsAreTrainedAsLabelledAndNothingIsAdded() throws IOException {
        DatasetConfig config = config("{\"segments\": [{\"label\": false, \"text\": \"<|begin_of_text|>Say\"}, "
                + "{\"label\": true, \"text\": \" it<|eot_id|>\"},"
                + " {\"label\": false, \"text\": \"So\"}]}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Dataset dataset = Dataset.load(config);
            assertEquals(RowFormat.SEGMENTS, dataset.format());
            Example example = dataset.examples(tokenizer, DEFAULTS).getFirst();
            assertEquals("<|begin_of_text|>Say it<|eot_id|>So", tokenizer.decode(example.ids(), false));
            assertEquals(" it<|eot_id|>", tokenizer.decode(trainedIds(example), false));
            assertArrayEquals(IntStream.concat(IntStream.of(tokenizer.ids("<|begin_of_text|>Say", false)), IntStream.concat(
                    IntStream.of(tokenizer.ids(" it<|eot_id|>", false)), IntStream.of(tokenizer.ids("So", false))))
                            .toArray(), example.ids());
            Example all = dataset.examples(tokenizer, SftConfig.builder().completionOnlyLoss(false).build()).getFirst();
            assertEquals(all.length() - 1, all.trainedTokens());
        }
        for (String wrong : List.of("[]", "[{\"label\": 1, \"text\": \"a\"}]", "[{\"label\": true}]", "\"a\"")) {
            DatasetConfig broken = config("{\"segments\": %s}".formatted(wrong));
            try (Tokenizer tokenizer = Tokenizer.load(folder)) {
                assertTrue(refusal(() -> Dataset.load(broken).examples(tokenizer, DEFAULTS)).contains("line 1"));
            }
        }
    }

    /// Expected ids from TRL 1.13: `extract_prompt`, the end of text and `_tokenize` of its DPOTrainer.
    @Test
    void preferencePairsHaveTheIdsOfTrl() throws IOException {
        JsonNode expected = new ObjectMapper().readTree(TestFiles.resource("data/preferences.json").toFile());
        Files.writeString(chatTemplate, expected.get("template").textValue());
        int whole = 0;
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (JsonNode entry : expected.get("rows")) {
                Dataset dataset = Dataset.load(config(entry.get("row").toString()));
                assertEquals(RowFormat.PREFERENCE, dataset.format());
                PreferenceExample pair = dataset.preferences(tokenizer, 1000, false).getFirst();
                String row = entry.get("row").toString();
                assertArrayEquals(ints(entry.get("chosen_all")), pair.chosen().ids(), row);
                assertArrayEquals(ints(entry.get("rejected_all")), pair.rejected().ids(), row);
                if (!entry.get("ok").booleanValue()) continue;                  // TRL's own prompt is no beginning of its pair
                whole++;
                assertArrayEquals(ints(entry.get("prompt_ids")), pair.promptIds(), row);
                assertArrayEquals(ints(entry.get("chosen_ids")), pair.chosenIds(), row);
                assertArrayEquals(ints(entry.get("rejected_ids")), pair.rejectedIds(), row);
            }
        }
        assertTrue(whole >= 6, "only " + whole);
    }

    private static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).intValue()).toArray();
    }

    @Test
    void pairsMayBeWrittenInManyWays() throws IOException {
        String text = "<user>Sky?<|eot_id|><assistant>";
        for (String row : List.of(
                "{\"conversations\": [{\"from\": \"human\", \"value\": \"Sky?\"}], \"chosen\": {\"from\": \"gpt\", "
                        + "\"value\": \"Blue\"}, \"rejected\": {\"from\": \"gpt\", \"value\": \"Red\"}}",
                "{\"prompt\": \"Sky?\", \"chosen\": [{\"role\": \"user\", \"content\": \"Sky?\"}, {\"role\": "
                        + "\"assistant\", \"content\": \"Blue\"}],"
                        + " \"rejected\": [{\"role\": \"user\", \"content\": \"Sky?\"}, {\"role\": \"assistant\", "
                                + "\"content\": \"Red\"}]}",
                "{\"prompt\": \"Sky?\", \"chosen\": [{\"role\": \"assistant\", \"content\": \"Blue\"}], \"rejected\": "
                        + "[{\"role\": \"assistant\", \"content\": \"Red\"}]}")) {
            try (Tokenizer tokenizer = Tokenizer.load(folder)) {
                PreferenceExample pair = Dataset.load(config(row)).preferences(tokenizer, 100, false).getFirst();
                assertEquals(text, tokenizer.decode(pair.promptIds(), false), row);
                assertEquals("Blue<|eot_id|>", tokenizer.decode(pair.chosenIds(), false));
                assertEquals("Red<|eot_id|>", tokenizer.decode(pair.rejectedIds(), false));
            }
        }
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            PreferenceExample alpaca = Dataset.load(config("{\"instruction\": \"Sky?\", \"input\": \"\", \"output\": "
                    + "\"x\", \"chosen\": \"Blue\", \"rejected\": \"Red\"}"))
                    .preferences(tokenizer, 100, false).getFirst();
            assertTrue(tokenizer.decode(alpaca.promptIds(), false).endsWith("### Instruction:\nSky?\n\n### Response:\n"));
            assertTrue(Dataset.load(config("{\"prompt\": \"a b c\", \"chosen\": \"d\", \"rejected\": \"e\"}"))
                    .preferences(tokenizer, 2, false).isEmpty(),
                    "nothing is left of the answers");
            for (String wrong : List.of("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": [{\"role\": \"assistant\", "
                    + "\"content\": \"c\"}]}",
                    "{\"chosen\": \"\", \"rejected\": \"\"}",
                            "{\"chosen\": [{\"role\": \"assistant\", \"content\": \"c\"}], \"rejected\": [{\"role\": "
                            + "\"user\", \"content\": \"c\"}]}")) {
                DatasetConfig broken = config(wrong);
                assertTrue(refusal(() -> Dataset.load(broken).preferences(tokenizer, 100, false)).contains("line 1"));
            }
        }
    }

    @Test
    void judgedAnswersKeepTheirLabel() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Dataset dataset = Dataset.load(config("""
                    {"prompt": "Sky? ", "completion": "Blue", "label": true}
                    {"prompt": "Sky? ", "completion": "Red", "label": false}"""));
            assertEquals(RowFormat.KTO, dataset.format());
            List<KtoExample> examples = dataset.judgements(tokenizer, 100, false);
            assertTrue(examples.get(0).desirable());
            assertFalse(examples.get(1).desirable());
            assertEquals("Red<|eot_id|>", tokenizer.decode(trainedIds(examples.get(1).example()), false).strip());
            Path csv = file("k.csv", "prompt,completion,label\na ,b,True\nc ,d,false\n");
            List<KtoExample> fromCsv = Dataset.load(csv).judgements(tokenizer, 100, false);
            assertEquals(List.of(true, false), fromCsv.stream().map(KtoExample::desirable).toList());
            Dataset chats = Dataset.load(config("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": "
                    + "\"assistant\", \"content\": \"b\"}], \"label\": true}"));
            assertEquals(RowFormat.KTO, chats.format());
            assertEquals("b<|eot_id|>", tokenizer.decode(trainedIds(chats.judgements(tokenizer, 100, false).getFirst()
                    .example()), false));
            assertTrue(refusal(() -> chats.preferences(tokenizer, 100, false)).contains("has the format 'kto'"));
            Dataset bad = Dataset.load(config("{\"prompt\": \"a\", \"completion\": \"b\", \"label\": true}\n{\"prompt\": "
                    + "\"a\", \"completion\": \"b\", \"label\": 3}"));
            assertTrue(refusal(() -> bad.judgements(tokenizer, 100, false))
                    .contains("line 2: the label must be true or false, found 3"));
            assertEquals(RowFormat.PROMPT_COMPLETION, Dataset.load(config("{\"prompt\": \"a\", \"completion\": \"b\", "
                    + "\"label\": 3}")).format());
        }
    }

    /// What supervised fine-tuning says of such rows is what makes it train on them.
    @Test
    void rowsToCompareAreNotTrainedOnUnlessAsked() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            DatasetConfig pairs = config("{\"prompt\": \"a \", \"chosen\": \"b\", \"rejected\": \"c\"}");
            assertTrue(refusal(() -> Dataset.load(pairs).examples(tokenizer, DEFAULTS))
                    .endsWith("set dataset.columns to {completion: chosen}"));
            Example chosen = Dataset.load(pairs.toBuilder().columns(Map.of("completion", "chosen")).build())
                    .examples(tokenizer, DEFAULTS).getFirst();
            assertEquals("b<|eot_id|>", tokenizer.decode(trainedIds(chosen), false).strip());
            DatasetConfig shared = config("{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}], \"chosen\": "
                    + "{\"from\": \"gpt\", \"value\": \"b\"}, \"rejected\": {\"from\": \"gpt\", \"value\": \"c\"}}");
            assertTrue(refusal(() -> Dataset.load(shared).examples(tokenizer, DEFAULTS))
                    .endsWith("{prompt: conversations, completion: chosen}"));
            Example answer = Dataset.load(shared.toBuilder().columns(Map.of("prompt", "conversations", "completion",
                    "chosen")).build())
                    .examples(tokenizer, DEFAULTS).getFirst();
            assertEquals("b<|eot_id|>", tokenizer.decode(trainedIds(answer), false));
            DatasetConfig judged = config("{\"prompt\": \"a \", \"completion\": \"b\", \"label\": false}\n{\"prompt\": "
                    + "\"a \", \"completion\": \"c\", \"label\": true}");
            assertTrue(refusal(() -> Dataset.load(judged).examples(tokenizer, DEFAULTS))
                    .endsWith("to train on the good answers, set dataset.where to 'label' and dataset.format to "
                            + "prompt_completion"));
            List<Example> good = Dataset.load(judged.toBuilder().where("label").format(RowFormat.PROMPT_COMPLETION).build())
                    .examples(tokenizer, DEFAULTS);
            assertEquals(1, good.size());
            assertEquals("c<|eot_id|>", tokenizer.decode(trainedIds(good.getFirst()), false).strip());
        }
    }
}
