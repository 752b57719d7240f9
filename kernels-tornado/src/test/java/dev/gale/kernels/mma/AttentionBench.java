package dev.gale.kernels.mma;

import dev.gale.tensor.Convert;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
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

/// Times causal attention forward on the matrix unit on TornadoVM's default device, four query heads to a key head, after
/// checking 50 random rows against sums in double.
///
/// Arguments: shapes such as `2x32x2048x128` (sequences, heads, tokens of each, width of a head); without any, all. With
/// `large`, scores are so large that every row needs its exact maximum.
public final class AttentionBench {
    private static final List<String> SHAPES = List.of("2x32x2048x128", "1x16x8192x128", "4x32x2048x64");
    private static final int GROUP = 4;
    private static final int WARM_UPS = 3;
    private static final int RUNS = 10;
    private static final int CHECKED = 50;

    private final int tokens;
    private final int heads;
    private final int dims;
    private final int rows;
    private final float scale;
    private final LongArray q;
    private final LongArray k;
    private final LongArray v;

    private AttentionBench(String shape, float factor) {
        int[] sizes = Arrays.stream(shape.split("x")).mapToInt(Integer::parseInt).toArray();
        heads = sizes[1];
        tokens = sizes[2];
        dims = sizes[3];
        rows = sizes[0] * tokens;
        scale = (float) (1 / Math.sqrt(dims));
        q = operand(1, rows * heads * dims, factor);
        k = operand(2, rows * heads / GROUP * dims, factor);
        v = operand(3, rows * heads / GROUP * dims, 1);
    }

    public static void main(String[] args) {
        List<String> shapes = Arrays.stream(args).filter(arg -> arg.contains("x")).toList();
        float factor = List.of(args).contains("large") ? 20 : 1;
        System.out.printf("%-18s %-20s %10s %10s %12s %12s %12s%n", "shape", "kernel", "ms", "TFLOP/s", "norms ms",
                "worst o", "worst lse");
        for (String shape : shapes.isEmpty() ? SHAPES : shapes) {
            AttentionBench bench = new AttentionBench(shape, factor);
            for (MmaAttention attention : MmaAttention.values()) {
                if (attention.dims() == bench.dims) bench.attempt(shape, attention);
            }
        }
    }

    /// BF16, approximately normal.
    private static LongArray operand(long seed, int elements, float factor) {
        LongArray longs = new LongArray(elements / 4);
        int parts = 64;
        IntStream.range(0, parts).parallel().forEach(part -> {
            SplittableRandom random = new SplittableRandom(seed * parts + part);
            int size = longs.getSize();
            for (int i = (int) ((long) size * part / parts); i < (int) ((long) size * (part + 1) / parts); i++) {
                long four = 0;
                for (int e = 0; e < 4; e++) {
                    double sum = random.nextDouble() + random.nextDouble() + random.nextDouble() + random.nextDouble() - 2;
                    four = four << 16 | Convert.toBf16((float) (sum * 1.7320508 * factor)) & 0xffffL;
                }
                longs.set(i, four);
            }
        });
        return longs;
    }

    private static double element(LongArray longs, int i) {
        return Convert.fromBf16((short) (longs.get(i / 4) >>> 16 * (i % 4)));
    }

    /// A kernel that fails does not keep the others from being measured.
    private void attempt(String shape, MmaAttention attention) {
        try {
            run(shape, attention);
        } catch (Exception | Error e) {
            System.out.printf("%-18s %-20s FAILED: %s%n", shape, attention, e);
        }
    }

    private void run(String shape, MmaAttention attention) throws TornadoExecutionPlanException {
        int kvHeads = heads / GROUP;
        LongArray o = new LongArray(rows * heads * dims / 4);
        o.init(-1);
        FloatArray lse = new FloatArray(heads * rows);
        IntArray ranges = new IntArray(2 * rows);
        for (int i = 0; i < rows; i++) {
            ranges.set(i, i / tokens * tokens);
            ranges.set(rows + i, i + 1);
        }
        FloatArray norms = new FloatArray(kvHeads * AttentionTiles.norms(rows));
        LongArray keys = new LongArray(k.getSize());             // TornadoVM wants each argument to be its own array
        for (int i = 0; i < k.getSize(); i++) keys.set(i, k.get(i));
        KernelContext context = new KernelContext();
        IntArray table = new IntArray(7);
        TaskGraph normGraph = new TaskGraph("norms").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, keys)
                .task("kernel", AttentionTiles::keyNorms, context, table, 0, norms, keys, kvHeads, dims, rows)
                .transferToHost(DataTransferMode.UNDER_DEMAND, norms);
        double normMs = time(normGraph, "norms",
                grid(AttentionTiles.norms(rows), kvHeads, AttentionTiles.NORM_GROUP), norms);
        TaskGraph graph = new TaskGraph("forward")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, o, lse, q, k, v, ranges, norms)
                .task("kernel", attention.kernel(), context, table, 0, o, lse, q, k, v, ranges, norms, heads, kvHeads, rows,
                        rows, scale, 0f)
                .transferToHost(DataTransferMode.UNDER_DEMAND, o, lse);
        double ms = time(graph, "forward", grid(attention.groups(rows, heads), 1, AttentionTiles.THREADS), o, lse);
        double flops = 2.0 * rows * tokens * dims * heads;
        double[] worst = errors(o, lse);
        System.out.printf("%-18s %-20s %10.4f %10.1f %12.4f %12.2e %12.2e%n", shape, attention, ms, flops / ms / 1e9, normMs,
                worst[0], worst[1]);
    }

    /// Largest error of o and of lse; NaN is the worst.
    private double[] errors(LongArray o, FloatArray lse) {
        SplittableRandom random = new SplittableRandom(7);
        double[] worst = new double[2];
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(rows);
            int h = random.nextInt(heads);
            int first = i / tokens * tokens;
            double[] scores = new double[i + 1 - first];
            for (int j = first; j <= i; j++) {
                double dot = 0;
                for (int e = 0; e < dims; e++) dot += element(q, (i * heads + h) * dims + e) * element(k, keyAt(j, h) + e);
                scores[j - first] = dot * scale;
            }
            double most = Arrays.stream(scores).max().orElseThrow();
            double sum = Arrays.stream(scores).map(score -> Math.exp(score - most)).sum();
            worst[1] = worse(worst[1], lse.get(h * rows + i) - most - Math.log(sum));
            for (int e = 0; e < dims; e++) {
                double want = 0;
                for (int j = first; j <= i; j++) want += Math.exp(scores[j - first] - most) / sum * element(v, keyAt(j, h) + e);
                worst[0] = worse(worst[0], element(o, (i * heads + h) * dims + e) - want);
            }
        }
        return worst;
    }

    private static double worse(double worst, double error) {
        return Math.abs(error) <= worst ? worst : Math.abs(error);
    }

    private int keyAt(int key, int head) {
        return (key * (heads / GROUP) + head / GROUP) * dims;
    }

    private static WorkerGrid2D grid(int groupsX, int groupsY, int threads) {
        WorkerGrid2D grid = new WorkerGrid2D(groupsX * threads, groupsY);
        grid.setLocalWork(threads, 1, 1);
        return grid;
    }

    /// Shortest of some runs: the kernel's own time, where TornadoVM measures it. Brings the results to the host.
    private static double time(TaskGraph graph, String name, WorkerGrid2D grid, Object... results)
            throws TornadoExecutionPlanException {
        try (TornadoExecutionPlan plan = new TornadoExecutionPlan(graph.snapshot())) {
            plan.withGridScheduler(new GridScheduler(name + ".kernel", grid));
            TornadoExecutionResult first = plan.execute();
            for (Object result : results) first.transferToHost(result);
            for (int i = 0; i < WARM_UPS; i++) plan.execute();
            plan.withProfiler(ProfilerMode.SILENT);
            long best = Long.MAX_VALUE;
            for (int i = 0; i < RUNS; i++) {
                long start = System.nanoTime();
                TornadoExecutionResult run = plan.execute();
                long kernel = run.getProfilerResult().getDeviceKernelTime();
                best = Math.min(best, kernel > 0 ? kernel : System.nanoTime() - start);
            }
            plan.freeDeviceMemory();
            return best / 1e6;
        }
    }
}
