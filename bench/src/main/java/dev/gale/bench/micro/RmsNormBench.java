package dev.gale.bench.micro;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Memory-bound: `8 rows cols` bytes a call forward, `12 rows cols` backward.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 2, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Xmx2g"})
public class RmsNormBench {
    @Param({"512", "2048"})
    int rows;
    @Param({"576", "2048"})
    int cols;

    private CpuOps ops;
    private Tensor x, w, y, rstd, dy, dx;

    @Setup
    public void makeOperands() {
        ops = new CpuOps();
        x = Operands.tensor(ops, 1, rows, cols);
        w = Operands.tensor(ops, 2, cols);
        y = Operands.tensor(ops, 3, rows, cols);
        rstd = Operands.tensor(ops, 4, rows);
        dy = Operands.tensor(ops, 5, rows, cols);
        dx = Operands.tensor(ops, 6, rows, cols);
        forward();
    }

    /// What a benchmark here measures.
    static KernelBench.Meaning meaning(String method, int rows, int cols) {
        return new KernelBench.Meaning("rmsnorm " + method, rows + "x" + cols,
                (method.equals("forward") ? 8.0 : 12.0) * rows * cols, "GB/s", Runtime.getRuntime().availableProcessors());
    }

    @TearDown
    public void close() {
        ops.close();
    }

    @Benchmark
    public Tensor forward() {
        ops.rmsNormForward(y, rstd, x, w, 1e-5f);
        return y;
    }

    @Benchmark
    public Tensor backward() {
        ops.rmsNormBackward(dx, false, null, dy, x, w, rstd);
        return dx;
    }
}
