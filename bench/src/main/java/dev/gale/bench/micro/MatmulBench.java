package dev.gale.bench.micro;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import java.util.concurrent.TimeUnit;
import org.ejml.data.FMatrixRMaj;
import org.ejml.dense.row.CommonOps_FDRM;
import org.ejml.dense.row.mult.MatrixMatrixMult_MT_FDRM;
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

/// `y = x wᵀ` at shapes of a 135M Llama and of a larger one. A call is `2 m n k` floating point operations.
/// EJML's threads are its own pool of all cores.
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(value = 2, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Xmx2g"})
public class MatmulBench {
    /// rows x depth x columns.
    @Param({"512x576x1536", "512x1536x576", "1536x2048x2048"})
    String shape;

    private CpuOps ops;
    private Tensor x, w, half, y;
    private FMatrixRMaj left, right, out;

    @Setup
    public void makeOperands() {
        int[] dims = dims(shape);
        int m = dims[0], k = dims[1], n = dims[2];
        ops = new CpuOps();
        x = Operands.tensor(ops, 1, m, k);
        w = Operands.tensor(ops, 2, n, k);
        half = Operands.tensor(ops, DType.BF16, 2, n, k);
        y = Operands.tensor(ops, 3, m, n);
        left = FMatrixRMaj.wrap(m, k, Operands.uniform(m * k, 1));
        right = FMatrixRMaj.wrap(n, k, Operands.uniform(n * k, 2));
        out = new FMatrixRMaj(m, n);
    }

    /// m, k, n of `m x k x n`.
    static int[] dims(String shape) {
        String[] parts = shape.split("x");
        return new int[] {Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), Integer.parseInt(parts[2])};
    }

    /// What a benchmark here measures.
    static KernelBench.Meaning meaning(String method, String shape) {
        int[] dims = dims(shape);
        String op = switch (method) {
            case "gale" -> "sgemm";
            case "galeBf16Weight" -> "sgemm bf16 weight";
            case "ejml" -> "sgemm: EJML";
            case "ejmlThreads" -> "sgemm: EJML threads";
            default -> "sgemm: naive loop";
        };
        boolean alone = method.equals("ejml") || method.equals("naive");
        return new KernelBench.Meaning(op, shape, 2.0 * dims[0] * dims[1] * dims[2], "GFLOP/s",
                alone ? 1 : Runtime.getRuntime().availableProcessors());
    }

    @TearDown
    public void close() {
        ops.close();
    }

    @Benchmark
    public Tensor gale() {
        ops.linearForward(y, x, w, null, null, null);
        return y;
    }

    @Benchmark
    public Tensor galeBf16Weight() {
        ops.linearForward(y, x, half, null, null, null);
        return y;
    }

    @Benchmark
    public FMatrixRMaj ejml() {
        CommonOps_FDRM.multTransB(left, right, out);
        return out;
    }

    @Benchmark
    public FMatrixRMaj ejmlThreads() {
        MatrixMatrixMult_MT_FDRM.multTransB(left, right, out);
        return out;
    }

    @Benchmark
    public FMatrixRMaj naive() {
        naive(left.data, right.data, out.data, left.numRows, left.numCols, right.numRows);
        return out;
    }

    static void naive(float[] a, float[] b, float[] c, int m, int k, int n) {
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                float sum = 0;
                for (int l = 0; l < k; l++) sum += a[i * k + l] * b[j * k + l];
                c[i * n + j] = sum;
            }
        }
    }
}
