package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.NullOps;
import dev.gale.train.config.TrainConfig;
import dev.gale.train.demo.Demo;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainRunTest {
    private static final String ROW = """
            {"messages": [{"role": "user", "content": "bought six"}, {"role": "assistant", "content": "clocks"}]}
            """;
    private static final String CONFIG = """
            {"eos_token": "<|end|>", "chat_template": "{% for m in messages %}{{ m.content }}<|end|>{% endfor %}"}
            """;

    @TempDir
    private Path folder;
    private Path base;

    /// A model folder without a tokenizer.
    @BeforeEach
    void writeBase() throws IOException {
        base = Files.createDirectory(folder.resolve("base"));
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(CommandRun.fixture("llama").resolve(name), base.resolve(name));
        }
        Files.writeString(folder.resolve("rows.jsonl"), ROW);
    }

    private TrainConfig config(String... overrides) throws IOException {
        Path file = Files.writeString(folder.resolve("run.yaml"), "model_name_or_path: %s\ndataset: {path: %s}\n"
                .formatted(base, folder.resolve("rows.jsonl")));
        return TrainConfig.load(file, List.of(overrides));
    }

    @Test
    void aRefusedAdapterLeavesNoModelOpen() throws IOException {
        Demo.writeTokenizer(base, 50, 1, 300);
        NullOps ops = new NullOps();
        TrainConfig config = config("torch_dtype=bfloat16", "lora.target_modules=[nowhere]");
        assertThrows(InputException.class, () -> TrainRun.open(config, ops));
        assertEquals(0, ops.memory().liveBytes());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/tokenizer.json", "/another-name.json"})
    void theTokenizerMayComeFromElsewhere(String file) throws IOException {
        Path other = folder.resolve("tokenizer");
        Demo.writeTokenizer(other, 50, 1, 300);
        if (file.contains("another")) Files.move(other.resolve("tokenizer.json"), Path.of(other + file));
        Files.writeString(other.resolve("tokenizer_config.json"), CONFIG);
        TrainConfig config = config("tokenizer_name_or_path=" + other + file);
        Path saved = folder.resolve("saved");
        try (TrainRun run = TrainRun.open(config, new NullOps())) {
            assertEquals("<|end|>", run.model().tokenizer().eosToken().orElseThrow());
            run.model().savePretrained(saved);
        }
        try (Tokenizer tokenizer = Tokenizer.load(saved)) {
            assertEquals(300, tokenizer.vocabSize());
            assertTrue(tokenizer.chatTemplate().isPresent());
        }
    }

    @Test
    void aTokenizerThatIsNotThereIsNamed() throws IOException {
        TrainConfig config = config("tokenizer_name_or_path=" + folder.resolve("nowhere"));
        String message = assertThrows(InputException.class, () -> TrainRun.open(config, new NullOps())).getMessage();
        assertTrue(message.contains("nowhere"), message);
    }
}
