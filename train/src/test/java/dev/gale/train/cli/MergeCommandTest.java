package dev.gale.train.cli;

import static dev.gale.train.cli.CommandRun.fixture;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.safetensors.FileDType;
import dev.gale.nn.safetensors.Safetensors;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MergeCommandTest {
    private static final Path ADAPTER = fixture("llama/lora");

    private static CommandRun merge(Path output, String dtype) {
        return CommandRun.of("merge", "--model", fixture("llama"), "--adapter", ADAPTER, "--output", output,
                "--dtype", dtype);
    }

    private static CommandRun verify(Path model, String tolerance) {
        Path expected = ADAPTER.resolve("expected.safetensors");
        return CommandRun.of("verify", "--model", model, "--expected", expected, "--tolerance", tolerance);
    }

    @Test
    void theMergedModelComputesWhatModelAndAdapterDo(@TempDir Path folder) {
        Path merged = folder.resolve("merged");
        assertEquals(0, merge(merged, "auto").exit());
        CommandRun run = verify(merged, "1e-4");
        assertEquals(0, run.exit(), run.toString());
    }

    @Test
    void theDtypeOfTheFilesCanBeChosen(@TempDir Path folder) {
        assertEquals(0, merge(folder, "bfloat16").exit());
        try (Safetensors weights = Safetensors.open(folder.resolve("model.safetensors"))) {
            weights.names().forEach(name -> assertEquals(FileDType.BF16, weights.dtype(name), name));
        }
        CommandRun run = verify(folder, "1e-3");
        assertEquals(1, run.exit(), "rounded weights are further away");
    }

    @Test
    void foldersThatHoldSomethingAreLeftAlone(@TempDir Path folder) throws Exception {
        Path mine = Files.writeString(folder.resolve("model.safetensors"), "mine");
        CommandRun run = merge(folder, "auto");
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("name a new folder"), run.err());
        assertEquals("mine", Files.readString(mine));
    }

    @Test
    void tokenizersAreTaken(@TempDir Path folder) throws Exception {
        Path base = Files.createDirectory(folder.resolve("base"));
        for (String name : new String[] {"config.json", "model.safetensors"}) {
            Files.copy(fixture("llama").resolve(name), base.resolve(name));
        }
        Files.writeString(base.resolve("tokenizer.json"), "{}");
        Path merged = folder.resolve("merged");
        CommandRun run = CommandRun.of("merge", "--model", base, "--adapter", ADAPTER, "--output", merged);
        assertEquals(0, run.exit(), run.toString());
        assertEquals("{}", Files.readString(merged.resolve("tokenizer.json")));
    }
}
