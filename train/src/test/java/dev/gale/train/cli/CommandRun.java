package dev.gale.train.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.Arrays;
import picocli.CommandLine;

/// What a `gale` command answered.
public record CommandRun(int exit, String out, String err) {

    /// Runs `gale` with these arguments in this JVM.
    public static CommandRun of(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line = Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        int exit = line.execute(Arrays.stream(args).map(Object::toString).toArray(String[]::new));
        return new CommandRun(exit, out.toString(), err.toString());
    }

    /// A model folder of nn's tests or, with a name like `llama/lora`, an adapter folder of peft's.
    public static Path fixture(String name) {
        String module = name.contains("/") ? "peft" : "nn";
        return Path.of(System.getProperty("gale.root", ".."), module, "src/test/resources/fixtures", name);
    }
}
