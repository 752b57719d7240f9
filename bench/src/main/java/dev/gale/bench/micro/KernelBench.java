package dev.gale.bench.micro;

import dev.gale.bench.report.BenchCsv;
import java.util.Collection;
import java.util.Comparator;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/// Runs the JMH benchmarks of this package and keeps each as a rate: work of a call by its mean time.
public final class KernelBench {
    private KernelBench() {}

    /// What a benchmark is called in the results and what one call does.
    ///
    /// @param work    in floating point operations or bytes
    /// @param unit    of work by nanosecond, e.g. `GFLOP/s`
    /// @param threads that take part
    record Meaning(String op, String shape, double work, String unit, int threads) {}

    /// @param pattern regular expression that a benchmark's name must contain
    public static void run(String pattern, BenchCsv csv) throws RunnerException {
        String include = KernelBench.class.getPackageName() + "\\..*" + pattern;
        Collection<RunResult> results = new Runner(new OptionsBuilder().include(include).build()).run();
        results.stream().sorted(Comparator.comparing(result -> result.getParams().id())).forEach(result -> keep(result, csv));
    }

    private static void keep(RunResult result, BenchCsv csv) {
        BenchmarkParams params = result.getParams();
        Meaning meaning = meaning(params);
        double nanos = result.getPrimaryResult().getScore() * params.getTimeUnit().toNanos(1);
        csv.add(meaning.op, meaning.shape, meaning.threads, meaning.work / nanos, meaning.unit);
    }

    private static Meaning meaning(BenchmarkParams params) {
        String[] path = params.getBenchmark().split("\\.");
        String method = path[path.length - 1];
        return switch (path[path.length - 2]) {
            case "MatmulBench" -> MatmulBench.meaning(method, params.getParam("shape"));
            case "AttentionBench" -> AttentionBench.meaning(method, Integer.parseInt(params.getParam("tokens")));
            case "RmsNormBench" -> RmsNormBench.meaning(method, Integer.parseInt(params.getParam("rows")),
                    Integer.parseInt(params.getParam("cols")));
            default -> throw new IllegalStateException("no meaning for " + params.getBenchmark());
        };
    }
}
