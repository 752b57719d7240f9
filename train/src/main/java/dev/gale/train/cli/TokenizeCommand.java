package dev.gale.train.cli;

import dev.gale.train.tokenizer.Tokenizer;
import dev.gale.train.tokenizer.TokenizerCases;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `gale tokenize`: whether a tokenizer does what another implementation recorded. Exit 0 when all cases agree, 1 when
/// one does not, 2 when a file is bad.
@Command(name = "tokenize", mixinStandardHelpOptions = true,
        description = "Check ids, offsets and decoding of a tokenizer against recorded cases.")
final class TokenizeCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Option(names = "--tokenizer", required = true, paramLabel = "FILE", converter = HubEnvironment.ModelFolder.class,
            description = "tokenizer.json, the folder that holds it, or org/name after gale pull.")
    private Path tokenizer;

    @Option(names = "--cases", required = true, paramLabel = "FILE.json",
            description = "JSON array of cases: text, ids, ids_no_special, offsets, decoded.")
    private Path cases;

    @Override
    public Integer call() {
        try (Tokenizer loaded = Tokenizer.load(tokenizer)) {
            return TokenizerCases.check(loaded, cases, spec.commandLine().getOut()) == 0 ? 0 : 1;
        }
    }
}
