package dev.gale.bench.micro;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.AttentionSpec;
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

/// Causal attention of 9 query and 3 key-value heads of width 64 over one sequence. Forward is `2 t² 64 9` floating point
/// operations (visible pairs only), backward `5 t² 64 9`.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 2, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Xmx2g"})
public class AttentionBench {
    static final AttentionSpec SPEC = new AttentionSpec(9, 3, 64, 0.125f, 0f);

    @Param({"512", "2048"})
    int tokens;

    private CpuOps ops;
    private Tensor q, k, v, o, lse, start, stop, dO, dq, dk, dv;

    @Setup
    public void makeOperands() {
        ops = new CpuOps();
        q = Operands.tensor(ops, 1, tokens, SPEC.queryWidth());
        k = Operands.tensor(ops, 2, tokens, SPEC.keyWidth());
        v = Operands.tensor(ops, 3, tokens, SPEC.keyWidth());
        o = Operands.tensor(ops, 4, tokens, SPEC.queryWidth());
        lse = Operands.tensor(ops, 5, SPEC.numHeads(), tokens);
        dO = Operands.tensor(ops, 6, tokens, SPEC.queryWidth());
        dq = Operands.tensor(ops, 7, tokens, SPEC.queryWidth());
        dk = Operands.tensor(ops, 8, tokens, SPEC.keyWidth());
        dv = Operands.tensor(ops, 9, tokens, SPEC.keyWidth());
        Tensor[] ranges = Operands.causal(ops, tokens);
        start = ranges[0];
        stop = ranges[1];
        forward();
    }

    /// What a benchmark here measures.
    static KernelBench.Meaning meaning(String method, int tokens) {
        double pairs = 0.5 * tokens * (tokens + 1.0) * SPEC.queryWidth();
        return new KernelBench.Meaning("attention " + method, tokens + "x9/3x64",
                (method.equals("forward") ? 4 : 10) * pairs, "GFLOP/s", Runtime.getRuntime().availableProcessors());
    }

    @TearDown
    public void close() {
        ops.close();
    }

    @Benchmark
    public Tensor forward() {
        ops.attentionForward(o, lse, q, k, v, start, stop, SPEC);
        return o;
    }

    @Benchmark
    public Tensor backward() {
        ops.attentionBackward(dq, dk, dv, dO, q, k, v, o, lse, start, stop, SPEC);
        return dq;
    }
}
