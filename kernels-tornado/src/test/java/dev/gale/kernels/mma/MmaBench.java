package dev.gale.kernels.mma;

import dev.gale.kernels.Elements;
import dev.gale.kernels.ProductEpilogue;
import dev.gale.kernels.ProductForm;
import dev.gale.tensor.Convert;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
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

/// Times the products of the matrix unit and their epilogue on TornadoVM's default device, after checking 200 elements of
/// each against a double sum.
///
/// Arguments: shapes such as `8192x2048x2048` (m, n, k) and parts of names such as `FORWARD_128`; without any, all.
public final class MmaBench {
    private static final List<String> SHAPES = List.of("8192x2048x2048", "8192x8192x2048", "8192x2048x8192", "4096x4096x4096",
            "4096x14336x4096", "4096x4096x14336", "512x2048x2048");
    private static final int WARM_UPS = 3;
    private static final int RUNS = 10;
    private static final int CHECKED = 200;

    private final int m;
    private final int n;
    private final int k;
    private final KernelContext context = new KernelContext();
    private final SplittableRandom random = new SplittableRandom(7);

    private MmaBench(String shape) {
        int[] sizes = Arrays.stream(shape.split("x")).mapToInt(Integer::parseInt).toArray();
        m = sizes[0];
        n = sizes[1];
        k = sizes[2];
    }

    public static void main(String[] args) {
        List<String> shapes = Arrays.stream(args).filter(arg -> arg.matches("\\d+x\\d+x\\d+")).toList();
        List<String> names = new ArrayList<>(List.of(args));
        names.removeAll(shapes);
        head();
        for (String shape : shapes.isEmpty() ? SHAPES : shapes) {
            MmaBench bench = new MmaBench(shape);
            LongArray x = bench.operand((long) bench.m * bench.k);
            LongArray w = bench.operand((long) bench.n * bench.k);
            for (MmaProduct product : MmaProduct.values()) {
                if (!asked(names, product.name())) continue;
                for (Beside beside : Beside.values()) {
                    if (beside != Beside.F32 && !product.bf16()) continue;
                    attempt(shape, product.name() + " " + beside, () -> bench.product(product, beside, x, w));
                }
            }
            for (int rank : new int[] {16, 64}) {
                for (boolean byDepth : new boolean[] {false, true}) {
                    MmaNarrow narrow = MmaNarrow.of(byDepth, rank);
                    String name = "NARROW_" + narrow;
                    if (asked(names, name)) attempt(shape, name, () -> bench.narrow(narrow, x));
                }
            }
            if (asked(names, "EPILOGUE")) {
                for (int rank : new int[] {0, 16, 64}) {
                    attempt(shape, "EPILOGUE rank " + rank, () -> bench.epilogue(rank));
                }
            }
        }
    }

    static void head() {
        System.out.printf("%-18s %-30s %10s %10s %10s  %s%n", "m x n x k", "kernel", "ms", "TFLOP/s", "GB/s", "worst error");
    }

    static boolean asked(List<String> names, String name) {
        return names.isEmpty() || names.stream().anyMatch(name::contains);
    }

    /// @param ms    of one run
    /// @param count of operations and of bytes
    /// @param error largest, of the sum of magnitudes
    record Result(double ms, double flops, double bytes, double error) {}

    interface Trial {
        Result run() throws TornadoExecutionPlanException;
    }

    /// A kernel that fails does not keep the others from being measured.
    static void attempt(String shape, String name, Trial trial) {
        try {
            Result result = trial.run();
            System.out.printf("%-18s %-30s %10.4f %10.1f %10.0f  %.2e%n", shape, name, result.ms,
                    result.flops / result.ms / 1e9, result.bytes / result.ms / 1e6, result.error);
        } catch (Exception | Error e) {
            System.out.printf("%-18s %-30s FAILED: %s%n", shape, name, e);
        }
    }

    /// BF16 in [-1, 1), which are finite F16 too.
    private LongArray operand(long elements) {
        LongArray longs = new LongArray(Math.toIntExact(elements / 4));
        for (int i = 0; i < longs.getSize(); i++) {
            long four = 0;
            for (int e = 0; e < 4; e++) four = four << 16 | Convert.toBf16((float) random.nextDouble(-1, 0.99)) & 0xffffL;
            longs.set(i, four);
        }
        return longs;
    }

    /// What leaves a product's kernel.
    private enum Beside {
        /// The sums.
        F32(Elements.F32, ProductForm.ABSENT, 0),
        BF16(Elements.BF16, ProductForm.ABSENT, 0),
        /// With a residual, as between the layers of a model.
        RESIDUAL(Elements.BF16, Elements.BF16, 0),
        /// And a low-rank term.
        ADAPTER(Elements.BF16, Elements.BF16, 32);

        private final int type;
        private final int residual;
        private final int rank;

        Beside(int type, int residual, int rank) {
            this.type = type;
            this.residual = residual;
            this.rank = rank;
        }
    }

    private Result product(MmaProduct product, Beside beside, LongArray x, LongArray w) throws TornadoExecutionPlanException {
        boolean bf16 = beside.type == Elements.BF16;
        LongArray y = new LongArray(bf16 ? m * n / 4 : 1);
        FloatArray yFloats = new FloatArray(bf16 ? 1 : m * n);
        yFloats.init(Float.NaN);
        y.init(-1);
        LongArray residual = beside.residual == Elements.BF16 ? operand((long) m * n) : new LongArray(1);
        LongArray low = beside.rank > 0 ? operand((long) m * beside.rank) : new LongArray(1);
        LongArray up = beside.rank > 0 ? operand((long) n * beside.rank) : new LongArray(1);
        ShortArray yHalves = new ShortArray(1);                          // TornadoVM wants each argument to be its own array
        ShortArray biasHalves = new ShortArray(1);
        ShortArray residualHalves = new ShortArray(1);
        FloatArray bias = new FloatArray(1);
        FloatArray residualFloats = new FloatArray(1);
        IntArray table = new IntArray(7);
        int form = ProductForm.of(beside.type, 0, 0, ProductForm.ABSENT, beside.residual, 0, product.byDepth() ? 0 : 1,
                beside.rank);
        Object result = bf16 ? y : yFloats;
        TaskGraph graph = new TaskGraph("bench").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, y, yFloats, yHalves,
                        x, w, bias, biasHalves, residual, residualFloats, residualHalves, low, up)
                .task("kernel", product.kernel(), context, table, 0, y, yFloats, yHalves, x, w, bias, biasHalves, residual,
                        residualFloats, residualHalves, low, up, form, m, n, k, 1f)
                .transferToHost(DataTransferMode.UNDER_DEMAND, result);
        double ms = time(graph, grid(product.groups(m, n), 1, product.threads()), result);
        double worst = 0;
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(m);
            int j = random.nextInt(n);
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < k + beside.rank; l++) {
                double term = l < k
                        ? element(product, x, i * k + l) * element(product, w, product.byDepth() ? l * n + j : j * k + l)
                        : element(product, low, i * beside.rank + l - k)
                                * element(product, up, product.byDepth() ? (l - k) * n + j : j * beside.rank + l - k);
                sum += term;
                magnitude += Math.abs(term);
            }
            if (beside.residual == Elements.BF16) sum += element(product, residual, i * n + j);
            double got = bf16 ? element(product, y, i * n + j) : yFloats.get(i * n + j);
            worst = Math.max(worst, Math.abs(got - sum) / magnitude);     // NaN is worst
        }
        double bytes = 2.0 * (m + n) * (k + beside.rank) + (bf16 ? 2.0 : 4.0) * m * n
                + (beside.residual == Elements.BF16 ? 2.0 * m * n : 0);
        return new Result(ms, 2.0 * m * n * (k + beside.rank), bytes, worst);
    }

    /// `x [m, k]` as the tall operand: of x aᵀ by row, of dA = dLowᵀ x by depth.
    private Result narrow(MmaNarrow narrow, LongArray x) throws TornadoExecutionPlanException {
        boolean byDepth = narrow.byDepth();
        int cols = narrow.width();
        int rows = byDepth ? k : m;
        int depth = byDepth ? m : k;
        int length = narrow.partLength(rows, cols);
        int stride = narrow.stride(rows, cols);
        FloatArray flat = new FloatArray(cols * depth);
        for (int i = 0; i < cols * depth; i++) flat.set(i, Convert.fromBf16(Convert.toBf16((float) random.nextDouble(-1, 1))));
        FloatArray parts = new FloatArray(MmaNarrow.parts(depth) * length);
        parts.init(Float.NaN);
        IntArray table = new IntArray(3);
        int flatByDepth = byDepth ? 1 : 0;
        TaskGraph graph = new TaskGraph("bench").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, parts, x, flat)
                .task("kernel", narrow.kernel(), context, table, 0, parts, x, flat, flatByDepth, rows, cols, depth,
                        MmaNarrow.partDepth(depth)).transferToHost(DataTransferMode.UNDER_DEMAND, parts);
        double ms = time(graph, grid(narrow.groups(rows, cols, depth), 1, MmaNarrow.THREADS), parts);
        double worst = 0;
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(rows);
            int j = random.nextInt(cols);
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < depth; l++) {
                double term = element(MmaProduct.BF16_FORWARD_64X64, x, byDepth ? l * k + i : i * k + l)
                        * flat.get(byDepth ? l * cols + j : j * depth + l);
                sum += term;
                magnitude += Math.abs(term);
            }
            double got = 0;
            for (int p = 0; p < MmaNarrow.parts(depth); p++) {
                got += parts.get(p * length + (byDepth ? j * stride + i : i * stride + j));
            }
            worst = Math.max(worst, Math.abs(got - sum) / magnitude);
        }
        return new Result(ms, 2.0 * m * k * cols, 2.0 * m * k + 4.0 * parts.getSize() + 4.0 * flat.getSize(), worst);
    }

    private static double element(MmaProduct product, LongArray longs, int i) {
        short bits = (short) (longs.get(i / 4) >>> 16 * (i % 4));
        return product.bf16() ? Convert.fromBf16(bits) : Float.float16ToFloat(bits);
    }

    /// BF16 result and residual, F32 sums, as between the layers of a model.
    private Result epilogue(int rank) throws TornadoExecutionPlanException {
        FloatArray sums = new FloatArray(m * n);
        ShortArray y = new ShortArray(m * n);
        ShortArray residual = new ShortArray(m * n);
        FloatArray low = new FloatArray(Math.max(1, m * rank));
        FloatArray up = new FloatArray(Math.max(1, n * rank));
        for (int i = 0; i < m * n; i++) sums.set(i, (float) random.nextDouble(-1, 1));
        for (int i = 0; i < m * rank; i++) low.set(i, (float) random.nextDouble(-1, 1));
        for (int i = 0; i < n * rank; i++) up.set(i, (float) random.nextDouble(-1, 1));
        FloatArray yFloats = new FloatArray(1);                          // TornadoVM wants each argument to be its own array
        ShortArray sumHalves = new ShortArray(1);
        FloatArray bias = new FloatArray(1);
        ShortArray biasHalves = new ShortArray(1);
        FloatArray residualFloats = new FloatArray(1);
        IntArray table = new IntArray(6);
        int form = ProductForm.of(Elements.BF16, Elements.F32, Elements.F32, ProductForm.ABSENT, Elements.BF16, 0, 1, rank);
        TaskGraph graph = new TaskGraph("bench").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, yFloats, y, sums,
                        sumHalves, bias, biasHalves, residualFloats, residual, low, up)
                .task("kernel", ProductEpilogue::finish, context, table, 0, yFloats, y, sums, sumHalves, bias, biasHalves,
                        residualFloats, residual, low, up, form, m, n, n, 1f, 2f)
                .transferToHost(DataTransferMode.UNDER_DEMAND, y);
        int tile = ProductEpilogue.TILE;
        double ms = time(graph, grid((n + tile - 1) / tile, (m + tile - 1) / tile, ProductEpilogue.GROUP), y);
        double worst = 0;
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(m);
            int j = random.nextInt(n);
            double want = sums.get(i * n + j);
            double magnitude = Math.abs(want);
            for (int l = 0; l < rank; l++) {
                double term = 2.0 * low.get(i * rank + l) * up.get(j * rank + l);
                want += term;
                magnitude += Math.abs(term);
            }
            double error = Math.abs(Convert.fromBf16(y.get(i * n + j)) - want) / magnitude;
            worst = Math.max(worst, error);
        }
        return new Result(ms, 2.0 * m * n * rank, 8.0 * m * n + 4.0 * rank * (m + n), worst);
    }

    static WorkerGrid2D grid(int groupsX, int groupsY, int threads) {
        WorkerGrid2D grid = new WorkerGrid2D(groupsX * threads, groupsY);
        grid.setLocalWork(threads, 1, 1);
        return grid;
    }

    /// Shortest of some runs: the kernel's own time, where TornadoVM measures it. Brings the result to the host.
    static double time(TaskGraph graph, WorkerGrid2D grid, Object result) throws TornadoExecutionPlanException {
        BiFunction<TornadoExecutionResult, Long, Long> nanos = (run, wall) -> {
            long kernel = run.getProfilerResult().getDeviceKernelTime();
            return kernel > 0 ? kernel : wall;
        };
        try (TornadoExecutionPlan plan = new TornadoExecutionPlan(graph.snapshot())) {
            plan.withGridScheduler(new GridScheduler("bench.kernel", grid));
            plan.execute().transferToHost(result);
            for (int i = 0; i < WARM_UPS; i++) plan.execute();
            plan.withProfiler(ProfilerMode.SILENT);
            long best = Long.MAX_VALUE;
            for (int i = 0; i < RUNS; i++) {
                long start = System.nanoTime();
                TornadoExecutionResult run = plan.execute();
                best = Math.min(best, nanos.apply(run, System.nanoTime() - start));
            }
            plan.freeDeviceMemory();
            return best / 1e6;
        }
    }
}
