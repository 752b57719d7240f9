package dev.gale.bench.operation;

import dev.gale.bench.ModelShape;
import dev.gale.bench.RunShape;
import dev.gale.bench.report.DeviceCsv;
import dev.gale.nn.RandomRows;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.ComputeDevice;
import dev.gale.tensor.ops.KernelTime;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.OpCount;
import dev.gale.tensor.ops.Profiled;
import dev.gale.tensor.ops.Roofline;
import dev.gale.tensor.ops.TensorOps;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Runs each operation alone, on random operands, and sums what its kernels took.
final class OperationBench {
    private static final List<String> COLUMNS = List.of("shape", "operation", "operands", "ms", "tflops", "gbs", "fraction",
            "kernels");
    private static final int WARMUP = 2;
    private static final int CALLS = 10;

    private final ComputeDevice device;
    private final RunShape given;
    private final Pattern names;
    private final PrintWriter out;

    /// @param names of operations that are measured
    OperationBench(ComputeDevice device, RunShape given, Pattern names, PrintWriter out) {
        this.device = device;
        this.given = given;
        this.names = names;
        this.out = out;
    }

    void run() {
        ModelShape shape = given.shape(true);
        List<OperationCase> cases = OperationCases.of(shape.config(), given.batch(), given.seq()).stream()
                .filter(one -> names.matcher(one.name()).find()).toList();
        if (cases.isEmpty()) throw new InputException("no operation's name has '%s' in it".formatted(names));
        out.printf("%-28s %-26s %10s %9s %9s %9s  %s%n", "operation", "operands", "ms", "TFLOP/s", "GB/s", "roofline",
                "kernels, ms");
        DeviceCsv csv = new DeviceCsv(given.results().resolve("gpu-kernels.csv"), COLUMNS);
        System.setProperty(Profiled.PROPERTY, "true");
        try (TensorOps ops = device.open(); RandomRows rows = Operands.rows(ops)) {
            if (!(ops instanceof Profiled profiled)) throw new InputException(device.name() + " cannot be profiled");
            for (OperationCase one : cases) report(shape, one, measure(one, rows, ops, profiled), count(one, ops), csv);
        } finally {
            System.clearProperty(Profiled.PROPERTY);
        }
    }

    private static List<KernelTime> measure(OperationCase one, RandomRows rows, TensorOps ops, Profiled profiled) {
        try (Operands operands = new Operands(ops, rows)) {
            Runnable call = one.prepare().on(operands);
            for (int i = 0; i < WARMUP; i++) call.run();
            profiled.takeKernelTimes();
            for (int i = 0; i < CALLS; i++) call.run();
            return profiled.takeKernelTimes();
        }
    }

    static OpCount count(OperationCase one, TensorOps like) {
        try (NullOps ops = NullOps.counting(like.activationType());
             Operands operands = new Operands(ops, Operands.rows(ops))) {
            Runnable call = one.prepare().on(operands);
            ops.resetCounts();
            call.run();
            return ops.counts().values().iterator().next();
        }
    }

    private void report(ModelShape shape, OperationCase one, List<KernelTime> times, OpCount count, DeviceCsv csv) {
        double seconds = times.stream().mapToLong(KernelTime::nanos).sum() / 1e9 / CALLS;
        Roofline roofline = given.roofline();
        double fraction = seconds == 0 ? 0 : roofline.seconds(count.flops(), count.bytes()) / seconds;
        double tflops = seconds == 0 ? 0 : count.flops() / seconds / 1e12;
        double gbs = seconds == 0 ? 0 : count.bytes() / seconds / 1e9;
        String kernels = times.stream().map(time -> String.format(Locale.ROOT, "%s %.4f", time.kernel(),
                time.nanos() / 1e6 / CALLS)).collect(Collectors.joining("; "));
        out.printf(Locale.ROOT, "%-28s %-26s %10.4f %9.1f %9.1f %8.1f%%  %s%n", one.name(), one.operands(), seconds * 1e3,
                tflops, gbs, 100 * fraction, kernels);
        out.flush();
        csv.add(device, List.of(shape.label(), one.name(), one.operands(), seconds * 1e3, tflops, gbs, fraction, kernels));
    }
}
