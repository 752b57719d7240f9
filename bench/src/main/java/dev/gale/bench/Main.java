package dev.gale.bench;

import dev.gale.bench.micro.KernelBench;
import dev.gale.bench.report.BenchCsv;
import dev.gale.bench.report.MeasuredTable;
import dev.gale.bench.step.StepBench;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.openjdk.jmh.runner.RunnerException;

/// `gale bench`, run in the root folder of the sources: measures and adds rows to bench/results.
public final class Main {
    private static final String USAGE = """
            usage: gale bench kernels [PATTERN]                    JMH: products, attention, RMSNorm
                   gale bench step [TOKENS [STEPS [CHECKPOINTING]]]  a whole LoRA step of a 135M Llama shape
                   gale bench table                                writes the README's table from bench/results""";

    private Main() {}

    public static void main(String[] args) throws IOException, RunnerException {
        BenchCsv csv = new BenchCsv(Path.of("bench/results/cpu.csv"));
        String[] rest = args.length == 0 ? args : Arrays.copyOfRange(args, 1, args.length);
        switch (args.length == 0 ? "" : args[0]) {
            case "kernels" -> KernelBench.run(rest.length == 0 ? "" : rest[0], csv);
            case "step" -> StepBench.run(rest, csv);
            case "table" -> MeasuredTable.main(rest);
            default -> {
                System.err.println(USAGE);
                System.exit(2);
            }
        }
    }
}
