package dev.gale.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
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
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenCacheTest {
    private static final SftConfig DEFAULTS = SftConfig.builder().build();

    @TempDir Path folder;
    private Path cache;
    private Path data;

    @BeforeEach
    void writeFiles() throws IOException {
        cache = folder.resolve("cache");
        Files.copy(TestFiles.tokenizer("llama3"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|begin_of_text|>\", \"eos_token\": \"<|eot_id|>\"}");
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 3000; i++) rows.append("{\"prompt\": \"Number %d? \", \"completion\": \"it is %d\"}\n"
                .formatted(i, i));
        data = Files.writeString(folder.resolve("d.jsonl"), rows);
    }

    private DatasetConfig config() {
        return DatasetConfig.builder(data).cacheDir(cache).build();
    }

    private List<Path> tokens() throws IOException {
        try (Stream<Path> files = Files.list(cache)) {
            return files.filter(file -> !file.toString().endsWith(".rows")).sorted().toList();
        }
    }

    private static void assertSame(List<Example> expected, List<Example> found) {
        assertEquals(expected.size(), found.size());
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i).ids(), found.get(i).ids());
            assertArrayEquals(expected.get(i).trained(), found.get(i).trained());
        }
    }

    @Test
    void whatIsWrittenIsReadBack() throws IOException {
        Random random = new Random(5);
        List<Example> examples = Stream.generate(() -> {
            int length = random.nextInt(3) == 0 ? 0 : random.nextInt(40);
            boolean[] trained = new boolean[length];
            for (int i = 0; i < length; i++) trained[i] = random.nextBoolean();
            return new Example(random.ints(length).toArray(), trained);
        }).limit(10_000).toList();
        Files.createDirectories(cache);
        TokenFile file = TokenCache.at(Optional.of(cache)).get("x", writer -> {
            for (int i = 0; i < examples.size(); i++) writer.append(examples.get(i), i % 3);
        });
        assertSame(examples, file);
        for (int i = 0; i < examples.size(); i++) {
            assertEquals(i % 3, file.mark(i));
            assertEquals(examples.get(i).length(), file.length(i));
            assertEquals(examples.get(i).trainedTokens(), file.trainedTokens(i));
        }
        assertEquals(List.of(cache.resolve("x.tokens")), tokens());
        assertEquals(0, TokenCache.at(Optional.of(cache)).get("none", writer -> {}).size());
    }

    @Test
    void rowsAreTokenizedOnceWhileNothingChanges() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            List<Example> first = Dataset.load(config()).examples(tokenizer, DEFAULTS);
            Path file = tokens().getFirst();
            Files.setLastModifiedTime(file, java.nio.file.attribute.FileTime.fromMillis(1000));
            Path moved = Files.move(data, folder.resolve("moved.jsonl"));
            data = moved;
            assertSame(first, Dataset.load(config()).examples(tokenizer, DEFAULTS));
            assertEquals(1000, Files.getLastModifiedTime(file).toMillis(), "it was written again");
            assertSame(first.stream().map(example -> example.first(12)).filter(example -> example.trainedTokens() > 0).toList(),
                    Dataset.load(config()).examples(tokenizer, SftConfig.builder().maxLength(12).build()));
            assertEquals(1, tokens().size(), "the length is no part of the name");
        }
    }

    @Test
    void whateverChangesTokensChangesTheName() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Dataset.load(config()).examples(tokenizer, DEFAULTS);
            Dataset.load(config()).examples(tokenizer, SftConfig.builder().completionOnlyLoss(false).build());
            Dataset.load(config().withTemplate("{prompt} {completion}")).examples(tokenizer, DEFAULTS);
            Dataset.load(config().toBuilder().split("train[:100]").build()).examples(tokenizer, DEFAULTS);
            Dataset held = Dataset.load(config().withTestSize(0.1));
            assertEquals(2700, held.examples(tokenizer, DEFAULTS).size());
            assertEquals(300, held.evalExamples(tokenizer, DEFAULTS).size());
            Dataset.load(config().toBuilder().testSize(0.1).shuffleSeed(7).build()).examples(tokenizer, DEFAULTS);
            Files.writeString(data, "\n", java.nio.file.StandardOpenOption.APPEND);
            Dataset.load(config()).examples(tokenizer, DEFAULTS);
            assertEquals(8, tokens().size());
        }
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": \"<|begin_of_text|>\", \"eos_token\": \"<|end_of_text|>\"}");
        try (Tokenizer other = Tokenizer.load(folder)) {
            Dataset.load(config()).examples(other, DEFAULTS);
            assertEquals(9, tokens().size());
        }
    }

    /// What a tokenizer has beside its files is in no file.
    @Test
    void whatTheRunChangesOfATokenizerChangesTheName() throws IOException {
        try (Tokenizer plain = Tokenizer.load(folder);
             Tokenizer more = plain.withTokens(List.of("Number"), List.of());
             Tokenizer special = plain.withTokens(List.of(), List.of("Number"));
             Tokenizer ending = plain.withEosToken("<|end_of_text|>")) {
            List<Example> first = Dataset.load(config()).examples(plain, DEFAULTS);
            List<Example> added = Dataset.load(config()).examples(more, DEFAULTS);
            assertEquals(plain.vocabSize(), Arrays.stream(added.getFirst().ids()).max().getAsInt(), "the added token is used");
            assertFalse(Arrays.equals(first.getFirst().ids(), added.getFirst().ids()));
            Dataset.load(config()).examples(special, DEFAULTS);
            List<Example> ended = Dataset.load(config()).examples(ending, DEFAULTS);
            assertEquals(ending.eosId().getAsInt(), ended.getFirst().ids()[ended.getFirst().length() - 1]);
            assertEquals(4, tokens().size());
            Dataset.load(config()).examples(more, DEFAULTS);
            assertEquals(4, tokens().size());
        }
    }

    @Test
    void chatTemplatesByNameAndOfFilesHaveNamesOfTheirOwn() throws IOException {
        Files.writeString(data, "{\"messages\": [{\"role\": \"user\", \"content\": \"a 1 a\"}, {\"role\": \"assistant\", "
                + "\"content\": \"b 2 b\"}]}\n");
        Path file = folder.resolve("t.jinja");
        try (Tokenizer tokenizer = Tokenizer.load(folder);
                Tokenizer own = tokenizer.withChatTemplate("{{ messages[0].content }}")) {
            List<Example> named = Dataset.load(config().withChatTemplate(Path.of("llama-3"))).examples(tokenizer, DEFAULTS);
            assertFalse(Arrays.equals(named.getFirst().ids(), Dataset.load(config().withChatTemplate(Path.of("chatml")))
                    .examples(tokenizer, DEFAULTS).getFirst().ids()));
            Files.writeString(file, ChatTemplate.source(Path.of("llama-3")));
            assertSame(named, Dataset.load(config().withChatTemplate(file)).examples(tokenizer, DEFAULTS));
            assertEquals(2, tokens().size(), "the text of a template counts, not where it is");
            Files.writeString(file, "{{ messages[1].content }}");
            assertFalse(Arrays.equals(Dataset.load(config()).examples(own, DEFAULTS).getFirst().ids(),
                    Dataset.load(config().withChatTemplate(file)).examples(tokenizer, DEFAULTS).getFirst().ids()));
            assertEquals(4, tokens().size());
        }
    }

    @Test
    void damagedFilesAreMadeAgain() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            List<Example> expected = List.copyOf(Dataset.load(config()).examples(tokenizer, DEFAULTS));
            Path file = tokens().getFirst();
            byte[] whole = Files.readAllBytes(file);
            Random random = new Random(1);
            for (int trial = 0; trial < 12; trial++) {
                byte[] damaged = trial < 4 ? Arrays.copyOf(whole, random.nextInt(whole.length)) : whole.clone();
                if (trial >= 4) damaged[trial < 6 ? whole.length - 1 - 8 * trial : random.nextInt(whole.length)] ^= 4;
                Files.delete(file);                                   // the old bytes stay mapped
                Files.write(file, damaged);
                assertSame(expected, Dataset.load(config()).examples(tokenizer, DEFAULTS));
                assertArrayEquals(whole, Files.readAllBytes(file));
            }
            assertEquals(1, tokens().size());
        }
    }

    @Test
    void aRowThatFailsLeavesNothingBehind() throws IOException {
        Files.writeString(data, "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \"a\"}\n");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            String message = assertThrows(InputException.class, () -> Dataset.load(config()).examples(tokenizer, DEFAULTS))
                    .getMessage();
            assertTrue(message.contains("d.jsonl, line 2 has no column 'completion'"), message);
            assertEquals(List.of(), tokens());
        }
    }

    @Test
    void dataThatChangesAfterItWasCheckedIsRefused() throws IOException {
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            Dataset dataset = Dataset.load(config());
            Files.writeString(data, "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
            String message = assertThrows(InputException.class, () -> dataset.examples(tokenizer, DEFAULTS)).getMessage();
            assertTrue(message.contains("d.jsonl changed while it was read"), message);
            assertEquals(List.of(), tokens());
        }
    }

    @Test
    void aFolderThatCannotBeWrittenIsNamed() throws IOException {
        cache = Files.writeString(folder.resolve("a file"), "");
        String message = assertThrows(InputException.class, () -> Dataset.load(config())).getMessage();
        assertTrue(message.contains("dataset.cache_dir") && message.contains("cannot be written to"), message);
    }

    @Test
    void checkedFilesAreNotReadAgainUntilTheyChange() throws IOException {
        assertEquals(3000, Dataset.load(config()).rows());
        try (Stream<Path> files = Files.list(cache)) {
            Path note = files.filter(file -> file.toString().endsWith(".rows")).findFirst().orElseThrow();
            Files.writeString(note, "rows 2999\n");
            assertEquals(2999, Dataset.load(config()).rows(), "it was read");
            Files.writeString(note, "rows x");
            assertEquals(3000, Dataset.load(config()).rows());
        }
        Files.writeString(data, "{", java.nio.file.StandardOpenOption.APPEND);
        assertThrows(InputException.class, () -> Dataset.load(config()));
        assertNotEquals(0, Files.size(data));
        assertFalse(Files.exists(cache.resolve("tokens")));
    }
}
