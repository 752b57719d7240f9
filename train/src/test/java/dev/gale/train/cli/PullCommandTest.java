package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.train.hub.HubServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// From a hub to a trained adapter, by name.
class PullCommandTest {
    @TempDir
    private Path folder;
    private Workplace place;
    private HubServer hub;

    @BeforeEach
    void serve() throws IOException {
        place = Workplace.at(folder.resolve("work"));
        hub = new HubServer("model", "org/tiny");
        try (Stream<Path> files = Files.list(place.path("model"))) {
            for (Path file : files.toList()) hub.put(file.getFileName().toString(), Files.readAllBytes(file));
        }
        System.setProperty("HF_ENDPOINT", hub.address().toString());
        System.setProperty("HF_HUB_CACHE", folder.resolve("cache").toString());
    }

    @AfterEach
    void stop() {
        hub.close();
        System.clearProperty("HF_ENDPOINT");
        System.clearProperty("HF_HUB_CACHE");
    }

    @Test
    void aPulledModelIsNamedByItsRepository() {
        CommandRun before = CommandRun.of("generate", "--model", "org/tiny", "--prompt", "a");
        assertEquals(2, before.exit());
        assertTrue(before.err().contains("gale pull org/tiny") && before.err().lines().count() == 1, before.err());
        assertEquals(2, CommandRun.of(place.set("model_name_or_path=org/tiny").toArray()).exit());

        CommandRun pulled = CommandRun.of("pull", "org/tiny");
        assertEquals(0, pulled.exit(), pulled.err());
        Path snapshot = Path.of(pulled.out().strip());
        assertTrue(Files.isRegularFile(snapshot.resolve("model.safetensors")), pulled.out());

        CommandRun text = CommandRun.of("generate", "--model", "org/tiny", "--prompt", "a", "--max-new-tokens", 1);
        assertEquals(0, text.exit(), text.err());
        CommandRun planned = CommandRun.of("plan", place.path("run.yaml"), "--set", "model_name_or_path=org/tiny");
        assertEquals(0, planned.exit(), planned.err());
        CommandRun trained = CommandRun.of(place.set("model_name_or_path=org/tiny").toArray());
        assertEquals(0, trained.exit(), trained.err());
    }

    @Test
    void datasetsHaveTheirOwnPlace() throws IOException {
        try (HubServer data = new HubServer("dataset", "org/rows").put("train.jsonl", "{\"text\": \"a\"}\n".getBytes())) {
            System.setProperty("HF_ENDPOINT", data.address().toString());
            CommandRun pulled = CommandRun.of("pull", "org/rows", "--dataset");
            assertEquals(0, pulled.exit(), pulled.err());
            assertTrue(pulled.out().contains("datasets--org--rows"), pulled.out());
            assertEquals("{\"text\": \"a\"}\n", Files.readString(Path.of(pulled.out().strip()).resolve("train.jsonl")));
        }
    }

    @Test
    void mistakesAreOneSentence() {
        for (List<String> args : List.of(List.of("pull", "a/b/c"), List.of("pull", "org/none"),
                List.of("pull", "org/tiny", "--include", "*.bin"), List.of("pull", "org/tiny", "--max-workers", "0"))) {
            CommandRun run = CommandRun.of(args.toArray());
            assertEquals(2, run.exit(), args + run.err());
            assertEquals(1, run.err().lines().count(), run.err());
        }
    }
}
