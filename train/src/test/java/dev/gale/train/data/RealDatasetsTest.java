package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.tensor.InputException;
import dev.gale.train.SftConfig;
import dev.gale.train.data.read.SampleBy;
import dev.gale.train.testing.RealInputs;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Every data set that others made is read as what it is, with a real tokenizer, or is refused for what is wrong with it.
class RealDatasetsTest {
    private static final String FMS = "data/fms-hf-tuning/";
    private static final UnaryOperator<DatasetConfigBuilder> AS_IS = builder -> builder;
    private static final UnaryOperator<DatasetConfigBuilder> INPUT_OUTPUT = b ->
            b.columns(Map.of("prompt", "input", "completion", "output"));

    @TempDir Path cache;

    private DatasetConfig config(String path, UnaryOperator<DatasetConfigBuilder> change) {
        return change.apply(DatasetConfig.builder(RealInputs.path(path)).cacheDir(cache)).build();
    }

    private static Tokenizer tokenizer;

    @BeforeAll
    static void openTokenizer() {
        tokenizer = Tokenizer.load(RealInputs.path("tokenizers/qwen2.5"));
    }

    @AfterAll
    static void closeTokenizer() {
        if (tokenizer != null) tokenizer.close();
    }

    private Dataset read(String path, int rows, RowFormat format, UnaryOperator<DatasetConfigBuilder> change) {
        Dataset dataset = Dataset.load(config(path, change));
        assertEquals(rows, dataset.rows(), path);
        assertEquals(format, dataset.format(), path);
        return dataset;
    }

    /// Reads a data set and tokenizes it; every row has something to learn.
    private List<Example> trains(String path, int rows, RowFormat format, UnaryOperator<DatasetConfigBuilder> change) {
        Dataset dataset = read(path, rows, format, change);
        List<Example> examples = dataset.examples(tokenizer, SftConfig.builder().maxLength(100_000).build());
        assertEquals(rows, examples.size(), path);
        return examples;
    }

    private void refused(String path, String reason, UnaryOperator<DatasetConfigBuilder> change) {
        String message = assertThrows(InputException.class, () -> Dataset.load(config(path, change))
                .examples(tokenizer, SftConfig.builder().build()), path).getMessage();
        assertEquals(1, message.lines().count(), message);
        assertTrue(message.contains(reason), message);
    }

    @Test
    void instructionsAndTexts() {
        trains("data/alpaca_en_demo.json", 999, RowFormat.ALPACA, AS_IS);
        trains("data/axolotl-fixtures/alpaca/alpaca.json", 2, RowFormat.ALPACA, AS_IS);
        trains("data/c4_demo.jsonl", 300, RowFormat.TEXT, AS_IS);
        trains("data/tinyshakespeare", 32777, RowFormat.TEXT, AS_IS);
        trains("data/tinyshakespeare/input.txt", 7222, RowFormat.TEXT, b -> b.sampleBy(SampleBy.PARAGRAPH));
        List<Example> whole = trains("data/tinyshakespeare/input.txt", 1, RowFormat.TEXT, b -> b.sampleBy(SampleBy.DOCUMENT));
        assertEquals(100_000, whole.getFirst().length());
    }

    @Test
    void foldersWithSplits() {
        trains("data/mlx-wikisql", 1000, RowFormat.TEXT, AS_IS);
        trains("data/mlx-wikisql", 100, RowFormat.TEXT, b -> b.split("validation"));
        Dataset split = read("data/mlx-wikisql", 200, RowFormat.TEXT, b -> b.split("train[:20%]").evalSplit("test[-30:]"));
        assertEquals(30, split.evalRows());
        trains("data/gsm8k", 7473, RowFormat.PROMPT_COMPLETION, b ->
                b.columns(Map.of("prompt", "question", "completion", "answer")));
        Dataset gsm8k = read("data/gsm8k", 747, RowFormat.PROMPT_COMPLETION,
                b -> b.promptField("question").completionField("answer").split("train[:10%]").evalSplit("test"));
        assertEquals(1319, gsm8k.evalRows());
        refused("data/gsm8k", "has no split 'validation'; choose one of: train, test", b ->
                b.split("validation"));
        refused("data/gsm8k", "it has: question, answer", AS_IS);
    }

    @Test
    void conversations() {
        SftConfig assistant = SftConfig.builder().assistantOnlyLoss(true).maxLength(100_000).build();
        List<Example> messages = read("data/isafpr/chatgpt_isaf_press_releases_ft_test.jsonl", 724, RowFormat.MESSAGES, AS_IS)
                .examples(tokenizer, assistant);
        List<Example> shareGpt = read("data/isafpr/sharegpt_isaf_press_releases_ft_test.jsonl", 724, RowFormat.MESSAGES, AS_IS)
                .examples(tokenizer, assistant);
        for (int i = 0; i < 724; i++) assertEquals(answers(messages.get(i)), answers(shareGpt.get(i)));
        List<Example> segments = trains("data/isafpr/templatefree_isaf_press_releases_ft_test.jsonl", 724,
                RowFormat.SEGMENTS, AS_IS);
        String trained = answers(segments.getFirst());
        assertTrue(trained.startsWith("<s>{\"name\":\"5\"") && trained.endsWith("}</s>"), trained);
        trains(FMS + "jsonl/multi_turn_chat.jsonl", 10, RowFormat.MESSAGES, AS_IS);
        trains(FMS + "jsonl/multi_turn_chat_conversations.jsonl", 10, RowFormat.MESSAGES, AS_IS);
        trains(FMS + "jsonl/single_turn_chat.jsonl", 18, RowFormat.MESSAGES, AS_IS);
        trains("data/axolotl-fixtures/conversation.json", 1, RowFormat.MESSAGES, AS_IS);
        trains("data/axolotl-fixtures/conversation.missingturns.json", 1, RowFormat.MESSAGES, AS_IS);
    }

    private static String answers(Example example) {
        return tokenizer.decode(IntStream.range(0, example.length()).filter(i -> example.trained()[i])
                .map(i -> example.ids()[i])
                .toArray(), false);
    }

    @Test
    void theSameRowsInThreeKindsOfFiles() {
        List<Example> json = trains(FMS + "json/twitter_complaints_input_output.json", 50, RowFormat.PROMPT_COMPLETION,
                INPUT_OUTPUT);
        List<Example> jsonl = trains(FMS + "jsonl/twitter_complaints_input_output.jsonl", 50, RowFormat.PROMPT_COMPLETION,
                INPUT_OUTPUT);
        List<Example> parquet = trains(FMS + "parquet/twitter_complaints_input_output.parquet", 50,
                RowFormat.PROMPT_COMPLETION, INPUT_OUTPUT);
        for (int i = 0; i < 50; i++) {
            assertArrayEquals(json.get(i).ids(), jsonl.get(i).ids());
            assertArrayEquals(json.get(i).ids(), parquet.get(i).ids());
        }
        UnaryOperator<DatasetConfigBuilder> output = b -> b.textField("output");
        List<Map<String, Object>> rows = List.of("json/twitter_complaints_small.json", "jsonl/twitter_complaints_small.jsonl",
                "parquet/twitter_complaints_small.parquet").stream().map(file -> read(FMS + file, 10, RowFormat.TEXT,
                        output).train().get(7).values()).toList();
        assertEquals(Set.of(rows.getFirst()), Set.copyOf(rows));
        trains(FMS + "jsonl/nestful_100_samples_input_output.jsonl", 100, RowFormat.PROMPT_COMPLETION, INPUT_OUTPUT);
        trains(FMS + "json/twitter_complaints_tokenized_with_maykeye_tinyllama_v0.json", 10, RowFormat.TEXT, output);
        Dataset kept = read(FMS + "parquet/twitter_complaints_input_output.parquet",
                filtered("parquet/twitter_complaints_input_output.parquet"),
                RowFormat.PROMPT_COMPLETION, b -> INPUT_OUTPUT.apply(b).where("length(output) > 9"));
        assertEquals(Set.of("no complaint"), kept.train().stream().map(row -> row.values().get("completion"))
                .collect(Collectors.toSet()));
        assertEquals(kept.rows(), filtered("json/twitter_complaints_input_output.json"));
        assertEquals(kept.rows(), filtered("jsonl/twitter_complaints_input_output.jsonl"));
    }

    private int filtered(String file) {
        return Dataset.load(config(FMS + file, b -> INPUT_OUTPUT.apply(b).where("length(output) > 9"))).rows();
    }

    @Test
    void preferencesAndJudgements() {
        List<PreferenceExample> shared = read("data/dpo_en_demo.json", 300, RowFormat.PREFERENCE, AS_IS)
                .preferences(tokenizer, 100_000, false);
        assertEquals(300, shared.size());
        for (PreferenceExample pair : shared) {
            assertTrue(tokenizer.decode(pair.promptIds(), false).endsWith("<|im_start|>assistant\n"));
            assertTrue(tokenizer.decode(pair.chosenIds(), false).endsWith("<|im_end|>\n"));
        }
        List<PreferenceExample> texts = read("data/instruction-data-with-preference.json", 1100, RowFormat.PREFERENCE, AS_IS)
                .preferences(tokenizer, 100_000, false);
        assertEquals(1100, texts.size());
        assertTrue(tokenizer.decode(texts.getFirst().promptIds(), false).endsWith("### Response:\n"));
        List<KtoExample> judged = read("data/kto_en_demo.json", 300, RowFormat.KTO, AS_IS).judgements(tokenizer,
                100_000, false);
        assertEquals(300, judged.size());
        long good = judged.stream().filter(KtoExample::desirable).count();
        assertTrue(good > 0 && good < 300, good + " good ones");
        refused("data/dpo_en_demo.json", "set dataset.columns to {prompt: conversations, completion: chosen}", AS_IS);
        trains("data/dpo_en_demo.json", 300, RowFormat.PROMPT_COMPLETION, b -> b.columns(Map.of("prompt", "conversations",
                "completion", "chosen")));
        refused("data/instruction-data-with-preference.json", "set dataset.columns to {output: chosen}", AS_IS);
        trains("data/instruction-data-with-preference.json", 1100, RowFormat.ALPACA, b ->
                b.columns(Map.of("output", "chosen")));
        refused("data/kto_en_demo.json", "set dataset.where to 'label' and dataset.format to messages", AS_IS);
        Dataset kept = Dataset.load(config("data/kto_en_demo.json", b -> b.where("label").format(RowFormat.MESSAGES)));
        assertEquals(Set.of(true), kept.trainRows().map(row -> row.values().get("label"))
                .collect(Collectors.toCollection(TreeSet::new)));
    }

    /// One of them has as much padding as tokens, at its end.
    @Test
    void rowsThatOthersTokenized() throws IOException {
        for (String file : List.of("data/axolotl-fixtures/conversation.tokenized.json",
                "data/axolotl-fixtures/conversation.tokenized_llama2chat.json",
                FMS + "json/twitter_complaints_tokenized_with_maykeye_tinyllama_v0.json")) {
            JsonNode all = new ObjectMapper().readTree(RealInputs.path(file).toFile());
            int count = all.isArray() ? all.size() : 1;
            List<Example> examples = trains(file, count, RowFormat.TOKENS, AS_IS);
            for (int i = 0; i < count; i++) {
                JsonNode row = all.isArray() ? all.get(i) : all;
                int[] seen = IntStream.range(0, row.get("input_ids").size())
                        .filter(k -> row.get("attention_mask").get(k).asInt() == 1).toArray();
                assertArrayEquals(IntStream.of(seen).map(k -> row.get("input_ids").get(k).intValue()).toArray(),
                        examples.get(i).ids(), file);
                for (int k = 0; k < seen.length; k++) {
                    boolean labelled = row.get("labels").get(seen[k]).intValue() != -100;
                    assertEquals(labelled, examples.get(i).trained()[k], file + " " + k);
                }
            }
        }
    }

    @Test
    void whatIsBrokenOrNoDataIsRefused() {
        refused(FMS + "json/malformatted_data.json", "malformatted_data.json, line 1 is not valid JSON", AS_IS);
        refused(FMS + "json/empty_data.json", "empty_data.json is empty", AS_IS);
        refused(FMS + "json/twitter_complaints_input_output.json", "it has: ID, Label, input, output", AS_IS);
        refused("data/trl-loss-references/sft.json", "line 1 has none of the columns", AS_IS);
        refused("data/trl-loss-references/dpo.json", "line 1 has none of the columns", AS_IS);
        refused("data/axolotl-fixtures", "conversation", AS_IS);
    }
}
