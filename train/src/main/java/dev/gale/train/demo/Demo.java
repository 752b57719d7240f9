package dev.gale.train.demo;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.gale.peft.LoraConfig;
import dev.gale.tensor.autograd.Checkpointing;
import dev.gale.train.SftConfig;
import dev.gale.train.SftConfigBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/// The demo's files: the base model that comes with Gale, and generated examples of a task it cannot do yet, to turn a
/// sentence about an order into JSON. The same seed gives the same files.
public final class Demo {
    /// The adapters that learn the task.
    public static final LoraConfig LORA = LoraConfig.builder().r(16).loraAlpha(32).targetModules("all-linear").build();
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> CONFIG_FILES = List.of("config.json", "generation_config.json", "tokenizer_config.json");
    private static final List<String> LEARNED_FILES = List.of("model.safetensors", "tokenizer.json");
    private static final int SEED = 2024;
    private static final int CORPUS_SEED = 1;
    private static final int TOKENIZER_SEED = 7;
    private static final int TOKENIZER_DOCUMENTS = 5000;

    private final Path directory;

    /// @param directory where everything that the demo makes goes
    public Demo(Path directory) {
        this.directory = directory;
    }

    /// A task and its answer.
    ///
    /// @param prompt     the sentence with the request
    /// @param completion the JSON, after a space
    public record Example(String prompt, String completion) {}

    public Path base() {
        return directory.resolve("base");
    }

    public Path adapter() {
        return directory.resolve("adapter");
    }

    public Path trainFile() {
        return directory.resolve("train.jsonl");
    }

    public Path testFile() {
        return directory.resolve("test.jsonl");
    }

    /// How the task is learned, from 500 examples.
    public SftConfigBuilder training() {
        return SftConfig.builder().outputDir(adapter()).overwriteOutputDir(true).learningRate(2e-3).lrSchedulerType("cosine")
                .warmupSteps(10).perDeviceTrainBatchSize(16).numTrainEpochs(16).gradientCheckpointing(Checkpointing.NONE)
                .maxLength(256)
                .saveStrategy(SftConfig.SaveStrategy.NO);
    }

    /// Unpacks the base model that was pretrained with `examples/demo-base.yaml`.
    public void unpackBase() {
        try {
            Files.createDirectories(base());
            for (String file : CONFIG_FILES) copy(file);
            for (String file : LEARNED_FILES) copy(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void copy(String file) throws IOException {
        try (InputStream in = Demo.class.getResourceAsStream("base/" + file)) {
            if (in == null) throw new IllegalStateException("the demo's base model lacks " + file);
            Files.copy(in, base().resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /// Examples for training followed by held-out ones; no order appears twice.
    public List<Example> examples(int count) {
        Random random = new Random(SEED);
        Set<Order> seen = new HashSet<>();
        List<Example> examples = new ArrayList<>();
        while (examples.size() < count) {
            Order order = Order.random(random);
            String sentence = order.sentence(random);
            if (seen.add(order)) examples.add(new Example("Sentence: " + sentence + "\nJSON:", " " + order.json()));
        }
        return examples;
    }

    /// Writes examples as JSONL with the columns `prompt` and `completion`.
    public void write(Path file, List<Example> examples) {
        writeLines(file, examples.stream().map(e -> row(e)).toList());
    }

    private static Map<String, String> row(Example example) {
        Map<String, String> row = new LinkedHashMap<>();
        row.put("prompt", example.prompt());
        row.put("completion", example.completion());
        return row;
    }

    /// Writes what `examples/demo-base.yaml` pretrains the base model with: text, tokenizer and configuration.
    public void writeRecipe(int documents) {
        try {
            Files.createDirectories(base());
            for (String file : CONFIG_FILES) copy(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        writeTokenizer(base(), TOKENIZER_DOCUMENTS, TOKENIZER_SEED, 1024);
        writeCorpus(directory.resolve("corpus.jsonl"), documents, CORPUS_SEED);
    }

    /// Writes the text on which the base model is pretrained, one document a line, in the column `text`.
    public static void writeCorpus(Path file, int documents, long seed) {
        Corpus corpus = new Corpus(seed);
        List<Map<String, String>> rows = new ArrayList<>();
        for (int i = 0; i < documents; i++) rows.add(Map.of("text", corpus.document()));
        writeLines(file, rows);
    }

    /// Writes a tokenizer learned from the first documents of the corpus, with `<|end|>` as end of text and padding.
    public static void writeTokenizer(Path directory, int documents, long seed, int vocabSize) {
        Corpus corpus = new Corpus(seed);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < documents; i++) texts.add(corpus.document());
        try {
            Files.createDirectories(directory);
            Files.write(directory.resolve("tokenizer.json"), JSON.writerWithDefaultPrettyPrinter()
                    .writeValueAsBytes(new BpeTrainer(List.of("<|end|>"), vocabSize).train(texts)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void writeLines(Path file, List<Map<String, String>> rows) {
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            StringBuilder lines = new StringBuilder();
            for (Map<String, String> row : rows) lines.append(JSON.writeValueAsString(row)).append('\n');
            Files.writeString(file, lines);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
