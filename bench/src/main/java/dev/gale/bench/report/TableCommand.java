package dev.gale.bench.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Parameters;

/// `gale bench table`.
@Command(name = "table", mixinStandardHelpOptions = true, description = "Write the README's table from bench/results.")
public final class TableCommand implements Callable<Integer> {
    @Parameters(paramLabel = "DIR", arity = "0..1", defaultValue = ".", description = "Folder of the sources.")
    private Path root;

    @Override
    public Integer call() throws IOException {
        MeasuredTable.write(root);
        return ExitCode.OK;
    }
}
