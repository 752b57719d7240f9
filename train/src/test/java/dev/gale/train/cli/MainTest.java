package dev.gale.train.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class MainTest {
    @Test
    void helpListsEveryCommand() {
        CommandRun help = CommandRun.of("--help");
        assertEquals(0, help.exit());
        Main.commandLine().getSubcommands().keySet().forEach(name ->
                assertTrue(help.out().matches("(?s).*\\R  " + name + " .*"), name + " is not in\n" + help.out()));
    }

    @Test
    void everyCommandHasHelp() {
        for (String name : Main.commandLine().getSubcommands().keySet()) {
            CommandRun help = CommandRun.of(name, "--help");
            assertEquals(0, help.exit(), name);
            assertTrue(help.out().startsWith("Usage: gale " + name), help.out());
        }
    }

    @Test
    void versionNamesGaleAndTheJdk() {
        CommandRun version = CommandRun.of("--version");
        assertEquals(0, version.exit());
        assertTrue(version.out().startsWith("gale "), version.out());
        assertTrue(version.out().contains("JDK " + Runtime.version()), version.out());
        assertEquals("", version.err());
    }

    @Test
    void withoutACommandTheUsageIsShown() {
        CommandRun run = CommandRun.of();
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("Usage: gale") && run.out().isEmpty(), run.err());
    }

    @Test
    void mistypedCommandsAndOptionsAreOneSentence() {
        CommandRun command = CommandRun.of("mrge");
        assertEquals(2, command.exit());
        assertTrue(command.err().startsWith("gale: unknown command 'mrge'; did you mean 'merge'?"), command.err());
        assertEquals(1, command.err().lines().count(), command.err());
        CommandRun option = CommandRun.of("verify", "--modle", "x");
        assertEquals(2, option.exit());
        assertEquals(1, option.err().lines().count(), option.err());
    }

    @Test
    void badInputIsOneSentenceWithoutAStackTrace() {
        CommandRun run = CommandRun.of("verify", "--model", "no-such-folder", "--expected", "x");
        assertEquals(2, run.exit());
        assertEquals(1, run.err().lines().count(), run.err());
        assertTrue(run.err().startsWith("gale: no-such-folder"), run.err());
        CommandRun traced = CommandRun.of("verify", "--stacktrace", "--model", "no-such-folder", "--expected", "x");
        assertEquals(2, traced.exit());
        assertTrue(traced.err().contains("\tat dev.gale."), traced.err());
    }
}
