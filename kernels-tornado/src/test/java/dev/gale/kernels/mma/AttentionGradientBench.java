package dev.gale.kernels.mma;

import dev.gale.kernels.AttentionGradientKernels;
import dev.gale.kernels.AttentionKernels;
import dev.gale.kernels.Elements;
import dev.gale.kernels.HeadShape;
import dev.gale.tensor.Convert;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.GridScheduler;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.TornadoExecutionResult;
import uk.ac.manchester.tornado.api.WorkerGrid2D;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Times the gradients of causal attention on TornadoVM's default device, four query heads to a key head, after checking 50
/// random rows of each against double sums. Counts 2.5 times the operations of forward, which are `2 S² K` for each head of a
/// sequence.
///
/// Arguments: shapes such as `64x2048x128` (sequences times heads, tokens of a sequence, width of a head); without any, three.
public final class AttentionGradientBench {
    private static final List<String> SHAPES = List.of("64x2048x128", "16x8192x128", "128x2048x64");
    private static final int WARM_UPS = 3;
    private static final int RUNS = 10;
    private static final int CHECKED = 50;

    private final int length;
    private final int dims;
    private final int heads;
    private final int kvHeads;
    private final int rows;
    private final float scale;
    private final double flops;
    private final KernelContext context = new KernelContext();
    private final SplittableRandom random = new SplittableRandom(7);
    private final ShortArray q;
    private final ShortArray k;
    private final ShortArray v;
    private final ShortArray dO;
    private final FloatArray stats;
    private final IntArray ranges;

    private AttentionGradientBench(String shape) {
        int[] sizes = Arrays.stream(shape.split("x")).mapToInt(Integer::parseInt).toArray();
        length = sizes[1];
        dims = sizes[2];
        heads = Math.min(32, sizes[0]);
        kvHeads = heads / 4;
        rows = sizes[0] / heads * length;
        scale = (float) (1 / Math.sqrt(dims));
        flops = 2.5 * 2 * length * length * dims * sizes[0];
        q = operand(heads);
        k = operand(kvHeads);
        v = operand(kvHeads);
        dO = operand(heads);
        stats = new FloatArray(2 * heads * rows);
        ranges = new IntArray(AttentionKernels.rangesLength(rows, rows));
    }

    public static void main(String[] args) throws TornadoExecutionPlanException {
        System.out.printf("%-14s %-26s %10s %10s  %s%n", "heads x S x K", "kernel", "ms", "TFLOP/s", "largest and rms error");
        for (String shape : args.length == 0 ? SHAPES : List.of(args)) {
            AttentionGradientBench bench = new AttentionGradientBench(shape);
            double[] best = {bench.prepare(), Double.MAX_VALUE, Double.MAX_VALUE};
            System.out.printf("%-14s %-26s %10.4f%n", shape, "ranges and delta", best[0]);
            for (AttentionGradient<AttentionGradient.OfKeys> kernel : AttentionGradient.OF_KEYS) {
                bench.attempt(shape, kernel, ms -> best[1] = Math.min(best[1], ms));
            }
            for (AttentionGradient<AttentionGradient.OfQueries> kernel : AttentionGradient.OF_QUERIES) {
                bench.attempt(shape, kernel, ms -> best[2] = Math.min(best[2], ms));
            }
            double sum = best[0] + best[1] + best[2];
            System.out.printf("%-14s %-26s %10.4f %10.1f%n", shape, "all, the fastest of each", sum, bench.flops / sum / 1e9);
        }
    }

    /// A kernel that fails does not keep the others from being measured.
    private void attempt(String shape, AttentionGradient<?> gradient, Consumer<Double> took) {
        if (gradient.dims() != dims) return;
        try {
            Object[] result = gradient.kernel() instanceof AttentionGradient.OfKeys kernel ? ofKeys(gradient, kernel)
                    : ofQueries(gradient, (AttentionGradient.OfQueries) gradient.kernel());
            double ms = (double) result[0];
            took.accept(ms);
            System.out.printf("%-14s %-26s %10.4f %10.1f  %s%n", shape, gradient.name(), ms, flops / ms / 1e9, result[1]);
        } catch (Exception | Error e) {
            System.out.printf("%-14s %-26s FAILED: %s%n", shape, gradient.name(), e);
        }
    }

    private ShortArray operand(int heads) {
        ShortArray operand = new ShortArray(Math.multiplyExact(rows, heads * dims));
        for (int i = 0; i < operand.getSize(); i++) operand.set(i, Convert.toBf16((float) random.nextGaussian()));
        return operand;
    }

    private static LongArray longs(ShortArray halves) {
        LongArray longs = new LongArray(halves.getSize() / 4);
        for (int i = 0; i < longs.getSize(); i++) {
            long four = 0;
            for (int e = 3; e >= 0; e--) four = four << 16 | halves.get(4 * i + e) & 0xffffL;
            longs.set(i, four);
        }
        return longs;
    }

    /// Makes ranges and stats with the portable kernels; the time of ranges and delta.
    private double prepare() throws TornadoExecutionPlanException {
        IntArray start = new IntArray(rows);
        IntArray stop = new IntArray(rows);
        for (int i = 0; i < rows; i++) {
            start.set(i, i / length * length);
            stop.set(i, i + 1);
        }
        int shape = HeadShape.of(Elements.BF16, 0, heads, kvHeads, dims);
        int queries = rows;
        float by = scale;
        IntArray table = new IntArray(8);
        FloatArray lse = new FloatArray(heads * rows);
        ShortArray o = new ShortArray(q.getSize());
        FloatArray[] none = new FloatArray[7];
        Arrays.setAll(none, i -> new FloatArray(1));                 // TornadoVM wants each argument to be its own array
        int blocks = AttentionKernels.blocks(rows);
        TaskGraph first = new TaskGraph("first").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, start, stop, ranges,
                        q, k, v, o, lse, none[0], none[1], none[2], none[3])
                .task("ranges", AttentionKernels::attentionRanges, context, table, 0, ranges, start, stop, queries, queries)
                .task("forward", AttentionKernels::attentionForward, context, table, 0, none[0], o, lse, none[1], q, none[2], k,
                        none[3], v, ranges, shape, queries, by, 0f)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, ranges, o, lse);
        GridScheduler grids = new GridScheduler("first.ranges", grid(2 * blocks, 1, AttentionKernels.GROUP));
        grids.addWorkerGrid("first.forward", grid(blocks, heads, AttentionKernels.GROUP));
        try (TornadoExecutionPlan plan = new TornadoExecutionPlan(first.snapshot())) {
            plan.withGridScheduler(grids).execute();
            plan.freeDeviceMemory();
        }
        TaskGraph second = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, start, stop, ranges)
                .task("kernel", AttentionKernels::attentionRanges, context, table, 0, ranges, start, stop, queries, queries)
                .transferToHost(DataTransferMode.UNDER_DEMAND, ranges);
        double rangesMs = time(second, grid(2 * blocks, 1, AttentionKernels.GROUP), ranges);
        int groups = Math.ceilDiv(heads * rows, AttentionGradientKernels.DELTA_ROWS);
        TaskGraph third = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, stats, dO, o, lse, none[4], none[5])
                .task("kernel", AttentionGradientKernels::attentionDelta, context, table, 0, stats, none[4], dO, none[5], o,
                        lse, shape, queries)
                .transferToHost(DataTransferMode.UNDER_DEMAND, stats);
        return rangesMs + time(third, grid(groups, 1, AttentionGradientKernels.GROUP), stats);
    }

    /// Time and error.
    private Object[] ofKeys(AttentionGradient<?> gradient, AttentionGradient.OfKeys kernel)
            throws TornadoExecutionPlanException {
        IntArray table = new IntArray(8);
        IntArray dk = new IntArray(k.getSize() / 2);
        IntArray dv = new IntArray(k.getSize() / 2);
        LongArray ql = longs(q);
        LongArray kl = longs(k);
        LongArray vl = longs(v);
        LongArray dOl = longs(dO);
        int n = rows;
        int h = heads;
        int kvh = kvHeads;
        float by = scale;
        TaskGraph graph = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, dk, dv, ql, kl, vl, dOl, stats, ranges)
                .task("kernel", kernel, context, table, 0, dk, dv, ql, kl, vl, dOl, stats, ranges, h, kvh, n, n, by, 0f)
                .transferToHost(DataTransferMode.UNDER_DEMAND, dk, dv);
        double ms = time(graph, grid(gradient.groups(rows, kvHeads), 1, gradient.threads()), dk, dv);
        Errors errors = new Errors();
        for (int c = 0; c < CHECKED; c++) {
            int j = random.nextInt(rows);
            int kvHead = random.nextInt(kvHeads);
            double[][] want = keyRow(j, kvHead);
            for (int e = 0; e < dims; e++) {
                int at = (j * kvHeads + kvHead) * dims + e;
                errors.add(element(dk, at), want[0][e]);
                errors.add(element(dv, at), want[1][e]);
            }
        }
        return new Object[] {ms, errors};
    }

    private Object[] ofQueries(AttentionGradient<?> gradient, AttentionGradient.OfQueries kernel)
            throws TornadoExecutionPlanException {
        IntArray table = new IntArray(8);
        IntArray dq = new IntArray(q.getSize() / 2);
        LongArray ql = longs(q);
        LongArray kl = longs(k);
        LongArray vl = longs(v);
        LongArray dOl = longs(dO);
        int n = rows;
        int h = heads;
        int kvh = kvHeads;
        float by = scale;
        TaskGraph graph = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, dq, ql, kl, vl, dOl, stats, ranges)
                .task("kernel", kernel, context, table, 0, dq, ql, kl, vl, dOl, stats, ranges, h, kvh, n, n, by, 0f)
                .transferToHost(DataTransferMode.UNDER_DEMAND, dq);
        double ms = time(graph, grid(gradient.groups(rows, heads), 1, gradient.threads()), dq);
        Errors errors = new Errors();
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(rows);
            int head = random.nextInt(heads);
            double[] want = queryRow(i, head);
            for (int e = 0; e < dims; e++) errors.add(element(dq, (i * heads + head) * dims + e), want[e]);
        }
        return new Object[] {ms, errors};
    }

    /// The largest error, and the root of the mean square relative to that of what is wanted.
    private static final class Errors {
        private double worst;
        private double squares;
        private double wanted;

        void add(double got, double want) {
            double error = Math.abs(got - want);
            worst = error <= worst ? worst : error;                       // NaN is worst
            squares += error * error;
            wanted += want * want;
        }

        @Override
        public String toString() {
            return "%.2e %.2e".formatted(worst, Math.sqrt(squares / wanted));
        }
    }

    private static double element(IntArray ints, int i) {
        return Convert.fromBf16((short) (ints.get(i / 2) >>> 16 * (i % 2)));
    }

    private double dot(ShortArray a, int aRow, ShortArray b, int bRow) {
        double sum = 0;
        for (int e = 0; e < dims; e++) {
            sum += (double) Convert.fromBf16(a.get(aRow * dims + e)) * Convert.fromBf16(b.get(bRow * dims + e));
        }
        return sum;
    }

    /// dq of a query without the device's lse and delta.
    private double[] queryRow(int i, int head) {
        int first = i / length * length;
        double[] p = new double[i + 1 - first];
        double[] dp = new double[p.length];
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < p.length; j++) {
            int key = (first + j) * kvHeads + head / 4;
            p[j] = scale * dot(q, i * heads + head, k, key);
            dp[j] = dot(dO, i * heads + head, v, key);
            max = Math.max(max, p[j]);
        }
        double sum = 0;
        double delta = 0;
        for (int j = 0; j < p.length; j++) {
            p[j] = Math.exp(p[j] - max);
            sum += p[j];
            delta += p[j] * dp[j];
        }
        double[] dq = new double[dims];
        for (int j = 0; j < p.length; j++) {
            double ds = scale * p[j] / sum * (dp[j] - delta / sum);
            int key = (first + j) * kvHeads + head / 4;
            for (int e = 0; e < dims; e++) dq[e] += ds * Convert.fromBf16(k.get(key * dims + e));
        }
        return dq;
    }

    /// dk and dv of a key.
    private double[][] keyRow(int j, int kvHead) {
        double[][] gradients = new double[2][dims];
        for (int i = j; i < (j / length + 1) * length; i++) {
            for (int head = 4 * kvHead; head < 4 * kvHead + 4; head++) {
                int query = i * heads + head;
                double p = Math.exp(scale * dot(q, query, k, j * kvHeads + kvHead) - stats.get(head * rows + i));
                double ds = scale * p * (dot(dO, query, v, j * kvHeads + kvHead) - stats.get((heads + head) * rows + i));
                for (int e = 0; e < dims; e++) {
                    gradients[0][e] += ds * Convert.fromBf16(q.get(query * dims + e));
                    gradients[1][e] += p * Convert.fromBf16(dO.get(query * dims + e));
                }
            }
        }
        return gradients;
    }

    private static WorkerGrid2D grid(int groupsX, int groupsY, int threads) {
        WorkerGrid2D grid = new WorkerGrid2D(groupsX * threads, groupsY);
        grid.setLocalWork(threads, 1, 1);
        return grid;
    }

    /// Shortest of some runs: the kernel's own time, where TornadoVM measures it. Brings the results to the host.
    private static double time(TaskGraph graph, WorkerGrid2D grid, Object... results) throws TornadoExecutionPlanException {
        try (TornadoExecutionPlan plan = new TornadoExecutionPlan(graph.snapshot())) {
            plan.withGridScheduler(new GridScheduler("bench.kernel", grid));
            plan.execute().transferToHost(results);
            for (int i = 0; i < WARM_UPS; i++) plan.execute();
            plan.withProfiler(ProfilerMode.SILENT);
            long best = Long.MAX_VALUE;
            for (int i = 0; i < RUNS; i++) {
                long start = System.nanoTime();
                TornadoExecutionResult run = plan.execute();
                long wall = System.nanoTime() - start;
                long kernel = run.getProfilerResult().getDeviceKernelTime();
                best = Math.min(best, kernel > 0 ? kernel : wall);
            }
            plan.freeDeviceMemory();
            return best / 1e6;
        }
    }
}
