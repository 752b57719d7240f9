package dev.gale.kernels.mma;

import dev.gale.kernels.Elements;
import dev.gale.kernels.ProductForm;
import dev.gale.tensor.Convert;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Times the products of experts on TornadoVM's default device, after checking 200 elements of each against a double sum.
/// Experts are drawn at random, each as likely; FLOPs are those of the rows that there are, not those of tiles.
///
/// Arguments: shapes such as `128:32768x768x2048` (experts, rows, n, k) and parts of names such as `FORWARD_128`; without any,
/// all.
public final class GroupedBench {
    private static final List<String> SHAPES = List.of("128:32768x768x2048", "128:32768x2048x768", "128:65536x768x2048",
            "8:16384x14336x4096", "8:16384x4096x14336");
    private static final int CHECKED = 200;

    private final int count;
    private final int m;
    private final int n;
    private final int k;
    private final int[] offsets;
    private final KernelContext context = new KernelContext();
    private final SplittableRandom random = new SplittableRandom(7);

    private GroupedBench(String shape) {
        int[] sizes = Arrays.stream(shape.split("[:x]")).mapToInt(Integer::parseInt).toArray();
        count = sizes[0];
        m = sizes[1];
        n = sizes[2];
        k = sizes[3];
        offsets = new int[count + 1];
        for (int i = 0; i < m; i++) offsets[random.nextInt(count) + 1]++;
        for (int e = 0; e < count; e++) offsets[e + 1] += offsets[e];
    }

    public static void main(String[] args) {
        List<String> shapes = Arrays.stream(args).filter(arg -> arg.contains(":")).toList();
        List<String> names = new ArrayList<>(List.of(args));
        names.removeAll(shapes);
        MmaBench.head();
        for (String shape : shapes.isEmpty() ? SHAPES : shapes) {
            GroupedBench bench = new GroupedBench(shape);
            LongArray x = bench.operand((long) bench.m * bench.k);
            LongArray w = bench.operand((long) bench.count * bench.n * bench.k);
            for (MmaGrouped product : MmaGrouped.values()) {
                for (int rank : new int[] {0, 32}) {
                    String name = product.name() + (rank == 0 ? "" : " rank " + rank);
                    if (MmaBench.asked(names, name)) MmaBench.attempt(shape, name, () -> bench.product(product, rank, x, w));
                }
            }
            for (int rank : new int[] {16, 64}) {
                if (MmaBench.asked(names, "BY_ROW")) MmaBench.attempt(shape, "BY_ROW " + rank, () -> bench.byRow(x, rank));
                String byDepth = "BY_DEPTH " + rank;
                if (MmaBench.asked(names, byDepth)) MmaBench.attempt(shape, byDepth, () -> bench.byDepth(x, rank));
            }
        }
    }

    /// BF16 in [-1, 1), of which a piece repeats.
    private LongArray operand(long elements) {
        LongArray longs = new LongArray(Math.toIntExact(elements / 4));
        int piece = 1 << 20;
        for (int i = 0; i < longs.getSize(); i++) {
            long four = 0;
            if (i < piece) {
                for (int e = 0; e < 4; e++) four = four << 16 | Convert.toBf16((float) random.nextDouble(-1, 0.99)) & 0xffffL;
            } else {
                four = longs.get(i - piece) ^ (i / piece & 1) << 15;             // another sign
            }
            longs.set(i, four);
        }
        return longs;
    }

    private static double element(LongArray longs, long i) {
        return Convert.fromBf16((short) (longs.get((int) (i / 4)) >>> 16 * (i % 4)));
    }

    /// The list that the device makes in a step: see `ExpertTileKernels.expertTiles`.
    private IntArray spans(int tile) {
        IntArray spans = new IntArray(ExpertTiles.length(m, count, tile));
        for (int e = 0; e <= count; e++) spans.set(e, offsets[e]);
        int at = ExpertTiles.span(0, count);
        for (int e = 0; e < count; e++) {
            for (int top = offsets[e]; top < offsets[e + 1]; top += tile) {
                spans.set(at++, e);
                spans.set(at++, top);
                spans.set(at++, offsets[e + 1]);
            }
        }
        return spans;
    }

    private int expert(int row) {
        int expert = 0;
        while (offsets[expert + 1] <= row) expert++;
        return expert;
    }

    private MmaBench.Result product(MmaGrouped product, int rank, LongArray x, LongArray w)
            throws TornadoExecutionPlanException {
        LongArray y = new LongArray(m * n / 4);
        y.init(-1);
        LongArray low = operand(Math.max(4, (long) m * rank));
        LongArray up = operand(Math.max(4, (long) count * n * rank));
        FloatArray yFloats = new FloatArray(1);
        ShortArray yHalves = new ShortArray(1);
        IntArray table = new IntArray(6);
        IntArray spans = spans(product.rows());
        int distance = n * k;
        int form = ProductForm.of(Elements.BF16, 0, 0, ProductForm.ABSENT, ProductForm.ABSENT, 0, product.byDepth() ? 0 : 1,
                rank);
        TaskGraph graph = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, y, yFloats, yHalves, x, w, low, up, spans)
                .task("kernel", product.kernel(), context, table, 0, y, yFloats, yHalves, x, w, low, up, spans, form, count,
                        distance, m, n, k, 1f).transferToHost(DataTransferMode.UNDER_DEMAND, y);
        double ms = MmaBench.time(graph, MmaBench.grid(product.groups(m, n, count), 1, MmaGrouped.THREADS), y);
        double worst = 0;
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(m);
            int j = random.nextInt(n);
            int expert = expert(i);
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < k + rank; l++) {
                boolean side = l >= k;
                int at = side ? l - k : l;
                int depth = side ? rank : k;
                long matrix = (long) expert * n * depth;
                double term = element(side ? low : x, (long) i * depth + at)
                        * element(side ? up : w, matrix + (product.byDepth() ? (long) at * n + j : (long) j * depth + at));
                sum += term;
                magnitude += Math.abs(term);
            }
            worst = Math.max(worst, Math.abs(element(y, (long) i * n + j) - sum) / magnitude);   // NaN is worst
        }
        double bytes = 2.0 * m * (n + k) + 2.0 * count * n * k;
        return new MmaBench.Result(ms, 2.0 * m * n * (k + rank), bytes, worst);
    }

    /// `x aᵀ`, the parts of the depth added up.
    private MmaBench.Result byRow(LongArray x, int rank) throws TornadoExecutionPlanException {
        MmaGroupedNarrow narrow = MmaGroupedNarrow.of(rank);
        int distance = rank * k;
        FloatArray flat = flat(count * distance);
        int length = narrow.partLength(m, rank, count);
        FloatArray parts = new FloatArray(MmaNarrow.parts(k) * length);
        IntArray spans = spans(MmaGroupedNarrow.TALL);
        IntArray table = new IntArray(4);
        TaskGraph graph = new TaskGraph("bench").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, parts, x, flat,
                spans)
                .task("kernel", narrow.byRow(), context, table, 0, parts, x, flat, spans, 0, m, rank, k,
                        MmaNarrow.partDepth(k), count, distance).transferToHost(DataTransferMode.UNDER_DEMAND, parts);
        double ms = MmaBench.time(graph, MmaBench.grid(narrow.groups(m, rank, k, count), 1, MmaGroupedNarrow.THREADS), parts);
        double worst = 0;
        for (int c = 0; c < CHECKED; c++) {
            int tile = random.nextInt(m / MmaGroupedNarrow.TALL);
            int span = ExpertTiles.span(tile, count);
            int j = random.nextInt(rank);
            int row = ExpertTiles.anchor(spans.get(span + 1), m, MmaGroupedNarrow.TALL);
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < k; l++) {
                double term = element(x, (long) row * k + l) * flat.get(spans.get(span) * distance + j * k + l);
                sum += term;
                magnitude += Math.abs(term);
            }
            double got = 0;
            for (int p = 0; p < MmaNarrow.parts(k); p++) {
                got += parts.get(p * length + tile * MmaGroupedNarrow.TALL * narrow.stride(rank) + j);
            }
            worst = Math.max(worst, Math.abs(got - sum) / magnitude);
        }
        return new MmaBench.Result(ms, 2.0 * m * k * rank, 2.0 * m * k + 4.0 * parts.getSize() + 4.0 * flat.getSize(), worst);
    }

    /// `lowᵀ x` of each expert.
    private MmaBench.Result byDepth(LongArray x, int rank) throws TornadoExecutionPlanException {
        MmaGroupedNarrow narrow = MmaGroupedNarrow.of(rank);
        FloatArray flat = flat(m * rank);
        int partCount = narrow.parts(k, rank, m, count);
        int length = narrow.lengthOfExpert(k, rank);
        FloatArray parts = new FloatArray(partCount * count * length);
        IntArray spans = spans(MmaGroupedNarrow.TALL);
        IntArray table = new IntArray(4);
        TaskGraph graph = new TaskGraph("bench").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, parts, x, flat,
                spans)
                .task("kernel", narrow.byDepth(), context, table, 0, parts, x, flat, spans, k, rank, count, partCount)
                .transferToHost(DataTransferMode.UNDER_DEMAND, parts);
        double ms = MmaBench.time(graph, MmaBench.grid(partCount * narrow.groupsOfPart(k, rank, count), 1,
                MmaGroupedNarrow.THREADS), parts);
        double worst = 0;
        for (int c = 0; c < CHECKED; c++) {
            int expert = random.nextInt(count);
            int i = random.nextInt(k);
            int j = random.nextInt(rank);
            double sum = 0;
            double magnitude = 1e-30;
            for (int row = offsets[expert]; row < offsets[expert + 1]; row++) {
                double term = element(x, (long) row * k + i) * flat.get(row * rank + j);
                sum += term;
                magnitude += Math.abs(term);
            }
            double got = 0;
            int at = expert * length + j * narrow.strideByDepth(k) + i;
            for (int p = 0; p < partCount; p++) got += parts.get(p * count * length + at);
            worst = Math.max(worst, Math.abs(got - sum) / magnitude);
        }
        return new MmaBench.Result(ms, 2.0 * m * k * rank, 2.0 * m * k + 4.0 * parts.getSize() + 4.0 * flat.getSize(), worst);
    }

    /// Numbers that BF16 has.
    private FloatArray flat(int n) {
        FloatArray flat = new FloatArray(n);
        for (int i = 0; i < n; i++) flat.set(i, Convert.fromBf16(Convert.toBf16((float) random.nextDouble(-1, 1))));
        return flat;
    }
}
