package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.train.testing.RealInputs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GenerateCommandTest {
    private static CommandRun generate(Object... more) {
        List<Object> args = new ArrayList<>(List.of("generate", "--model", RealInputs.path("models/stories260K"),
                "--max-new-tokens", 24));
        args.addAll(List.of(more));
        return CommandRun.of(args.toArray());
    }

    @Test
    void aTrainedModelTellsAStoryAndTellsItAgain(@TempDir Path folder) throws Exception {
        CommandRun story = generate("--prompt", "Once upon a time", "--temperature", 0);
        assertEquals(0, story.exit(), story.toString());
        assertTrue(story.out().contains("there was a little"), story.out());
        Path file = Files.writeString(folder.resolve("prompt.txt"), "Once upon a time");
        assertEquals(story, generate("--prompt-file", file, "--temperature", 0));
    }

    @Test
    void samplingDependsOnTheSeedAlone() {
        CommandRun first = generate("--prompt", "Once", "--temperature", 1.5, "--seed", 1);
        assertEquals(first, generate("--prompt", "Once", "--temperature", 1.5, "--seed", 1));
        assertNotEquals(first, generate("--prompt", "Once", "--temperature", 1.5, "--seed", 2));
    }

    @Test
    void textEndsBeforeAStopString() {
        String story = generate("--prompt", "Once upon a time", "--temperature", 0).out();
        String cut = generate("--prompt", "Once upon a time", "--temperature", 0, "--stop", "little").out();
        assertEquals(story.substring(0, story.indexOf("little")), cut.stripTrailing() + " ");
    }

    @Test
    void whatCannotBeAnsweredIsSaid() {
        CommandRun chat = generate("--chat", "Hello");
        assertEquals(2, chat.exit());
        assertTrue(chat.err().contains("has no chat template; use --prompt"), chat.err());
        assertEquals(2, generate().exit());
        assertEquals(2, generate("--prompt", "a", "--chat", "b").exit());
        assertEquals(2, generate("--prompt-file", "no-such-file").exit());
        assertEquals(2, generate("--prompt", "a", "--top-p", 1.5).exit());
    }
}
