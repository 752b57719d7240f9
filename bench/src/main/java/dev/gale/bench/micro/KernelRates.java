package dev.gale.bench.micro;

import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.ejml.data.FMatrixRMaj;
import org.ejml.dense.row.CommonOps_FDRM;
import org.ejml.dense.row.mult.MatrixMatrixMult_MT_FDRM;

/// Times the CPU kernels at the shapes of a 135M Llama and writes one CSV row each: the best of many calls, which a busy
/// machine disturbs least.
///
/// Arguments: file to write, machine, commit.
public final class KernelRates {
    private static final long WARMUP_NANOS = 700_000_000L;
    private static final long MEASURE_NANOS = 1_200_000_000L;
    private static final int TOKENS = 512;

    private final List<String> rows = new ArrayList<>();
    private final int threads;
    private final String machine;
    private final String commit;

    private KernelRates(int threads, String machine, String commit) {
        this.threads = threads;
        this.machine = machine;
        this.commit = commit;
    }

    public static void main(String[] args) throws IOException {
        if (args.length != 3) {
            System.err.println("usage: KernelRates FILE.csv MACHINE COMMIT");
            System.exit(2);
        }
        List<String> lines = new ArrayList<>(List.of("op,shape,threads,value,unit,machine,jdk,commit"));
        int processors = Runtime.getRuntime().availableProcessors();
        for (int threads : processors == 1 ? new int[] {1} : new int[] {1, processors}) {
            KernelRates rates = new KernelRates(threads, args[1], args[2]);
            try (CpuOps ops = new CpuOps(threads)) {
                rates.products(ops);
                rates.layers(ops);
            }
            rates.peers();
            lines.addAll(rates.rows);
        }
        Files.write(Path.of(args[0]), lines);
    }

    private void time(String op, String shape, double work, String unit, Runnable call) {
        long until = System.nanoTime() + WARMUP_NANOS;
        while (System.nanoTime() < until) call.run();
        long best = Long.MAX_VALUE;
        until = System.nanoTime() + MEASURE_NANOS;
        while (System.nanoTime() < until) {
            long begin = System.nanoTime();
            call.run();
            best = Math.min(best, System.nanoTime() - begin);
        }
        String row = "%s,%s,%d,%.2f,%s,%s,%s,%s".formatted(op, shape, threads, work / best, unit, machine,
                Runtime.version(), commit);
        rows.add(row);
        System.err.printf(Locale.ROOT, "%-24s %-18s %2d threads %8.2f %s%n", op, shape, threads, work / best, unit);
    }

    private void products(CpuOps ops) {
        for (String shape : new String[] {"512x576x1536", "512x1536x576", "512x576x576", "1536x2048x2048", "512x576x49152"}) {
            int[] dims = MatmulBench.dims(shape);
            int m = dims[0], k = dims[1], n = dims[2];
            double flops = 2.0 * m * n * k;
            Tensor x = Operands.tensor(ops, 1, m, k), w = Operands.tensor(ops, 2, n, k), y = Operands.tensor(ops, 3, m, n);
            Tensor half = Operands.tensor(ops, DType.BF16, 2, n, k);
            time("linear", shape, flops, "GFLOP/s", () -> ops.linearForward(y, x, w, null, null, null));
            time("linear bf16 weight", shape, flops, "GFLOP/s", () -> ops.linearForward(y, x, half, null, null, null));
            time("linear backward", shape, flops, "GFLOP/s", () -> ops.linearBackward(x, false, y, w, null, null));
            if (n < 10_000) lowRank(ops, shape, x, w, y);
            for (Tensor tensor : new Tensor[] {x, w, y, half}) ops.release(tensor);
        }
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            Tensor x = Operands.tensor(ops, 1, 1, 1536), w = Operands.tensor(ops, dtype, 2, 8192, 1536);
            Tensor y = Operands.tensor(ops, 3, 1, 8192);
            time("one row " + dtype, "1x1536x8192", w.byteSize(), "GB/s", () -> ops.linearForward(y, x, w, null, null, null));
            for (Tensor tensor : new Tensor[] {x, w, y}) ops.release(tensor);
        }
    }

    private void lowRank(CpuOps ops, String shape, Tensor x, Tensor w, Tensor y) {
        int r = 16;
        Tensor a = Operands.tensor(ops, 4, r, x.cols()), b = Operands.tensor(ops, 5, w.rows(), r);
        Tensor low = Operands.tensor(ops, 6, x.rows(), r), dLow = Operands.tensor(ops, 6, x.rows(), r);
        Tensor dx = Operands.tensor(ops, 7, x.rows(), x.cols());
        Tensor dA = Operands.tensor(ops, 8, r, x.cols()), dB = Operands.tensor(ops, 9, w.rows(), r);
        LowRank side = new LowRank(x, a, b, low, 2f);
        LowRankGrads grads = new LowRankGrads(dA, dB, dLow, null);
        double base = 2.0 * x.rows() * w.size();
        double share = 2.0 * x.rows() * r * (x.cols() + w.rows());
        time("lora r16 forward", shape, base + share, "GFLOP/s", () -> ops.linearForward(y, x, w, null, null, side));
        time("lora r16 backward", shape, base + 2 * share, "GFLOP/s", () -> ops.linearBackward(dx, false, y, w, side, grads));
        for (Tensor tensor : new Tensor[] {a, b, low, dLow, dx, dA, dB}) ops.release(tensor);
    }

    private void layers(CpuOps ops) {
        attention(ops, 512);
        attention(ops, 2048);
        Tensor x = Operands.tensor(ops, 1, TOKENS, 576), y = Operands.tensor(ops, 2, TOKENS, 576);
        Tensor w = Operands.tensor(ops, 3, 576), rstd = Operands.tensor(ops, 4, TOKENS);
        time("rmsNorm forward", "512x576", 8.0 * x.size(), "GB/s", () -> ops.rmsNormForward(y, rstd, x, w, 1e-5f));
        time("rmsNorm backward", "512x576", 12.0 * x.size(), "GB/s", () -> ops.rmsNormBackward(y, false, null, y, x, w, rstd));
        Tensor gate = Operands.tensor(ops, 5, TOKENS, 1536), up = Operands.tensor(ops, 6, TOKENS, 1536);
        Tensor out = Operands.tensor(ops, 7, TOKENS, 1536);
        time("silu glu forward", "512x1536", 12.0 * out.size(), "GB/s", () -> ops.gluForward(out, gate, up, Activation.SILU));
        time("silu glu backward", "512x1536", 20.0 * out.size(), "GB/s",
                () -> ops.gluBackward(gate, up, out, gate, up, Activation.SILU));
        time("add", "512x1536", 12.0 * out.size(), "GB/s", () -> ops.add(out, gate, up));
        Tensor rng = Operands.ints(ops, 1, 2, 3, 4);
        time("dropout", "512x1536", 8.0 * out.size(), "GB/s", () -> ops.dropout(out, gate, 0.1f, rng, 1, false));
        loss(ops, x, y);
    }

    private void loss(CpuOps ops, Tensor x, Tensor dx) {
        int vocab = 49152;
        int[] targets = new int[TOKENS];
        for (int i = 0; i < TOKENS; i++) targets[i] = i * 31 % vocab;
        Tensor head = Operands.tensor(ops, 8, vocab, 576), target = Operands.ints(ops, targets);
        Tensor stats = Operands.tensor(ops, 9, 2);
        for (int chunk : new int[] {128, 512}) {
            time("loss forward+backward", "512x49152x576/" + chunk, 4.0 * TOKENS * head.size(), "GFLOP/s",
                    () -> ops.linearCrossEntropy(stats, null, dx, null, x, head, target, CrossEntropySpec.chunked(chunk)));
        }
    }

    private void attention(CpuOps ops, int tokens) {
        AttentionSpec spec = AttentionBench.SPEC;
        Tensor q = Operands.tensor(ops, 1, tokens, spec.queryWidth()), o = Operands.tensor(ops, 2, tokens, spec.queryWidth());
        Tensor k = Operands.tensor(ops, 3, tokens, spec.keyWidth()), v = Operands.tensor(ops, 4, tokens, spec.keyWidth());
        Tensor dO = Operands.tensor(ops, 5, tokens, spec.queryWidth()), dq = Operands.tensor(ops, 6, tokens, spec.queryWidth());
        Tensor dk = Operands.tensor(ops, 7, tokens, spec.keyWidth()), dv = Operands.tensor(ops, 8, tokens, spec.keyWidth());
        Tensor lse = Operands.tensor(ops, 9, spec.numHeads(), tokens);
        Tensor[] range = Operands.causal(ops, tokens);
        double pairs = 0.5 * tokens * (tokens + 1.0);
        time("attention forward", tokens + "x9/3x64", 4 * pairs * spec.queryWidth(), "GFLOP/s",
                () -> ops.attentionForward(o, lse, q, k, v, range[0], range[1], spec));
        time("attention backward", tokens + "x9/3x64", 10 * pairs * spec.queryWidth(), "GFLOP/s",
                () -> ops.attentionBackward(dq, dk, dv, dO, q, k, v, o, lse, range[0], range[1], spec));
    }

    private void peers() {
        String shape = "512x576x1536";
        int[] dims = MatmulBench.dims(shape);
        int m = dims[0], k = dims[1], n = dims[2];
        FMatrixRMaj left = FMatrixRMaj.wrap(m, k, Operands.uniform(m * k, 1));
        FMatrixRMaj right = FMatrixRMaj.wrap(n, k, Operands.uniform(n * k, 2));
        FMatrixRMaj out = new FMatrixRMaj(m, n);
        double flops = 2.0 * m * n * k;
        if (threads > 1) {
            time("peer EJML threads", shape, flops, "GFLOP/s", () -> MatrixMatrixMult_MT_FDRM.multTransB(left, right, out));
        } else {
            time("peer EJML", shape, flops, "GFLOP/s", () -> CommonOps_FDRM.multTransB(left, right, out));
            time("peer naive loop", shape, flops, "GFLOP/s", () -> MatmulBench.naive(left.data, right.data, out.data, m, k, n));
        }
    }
}
