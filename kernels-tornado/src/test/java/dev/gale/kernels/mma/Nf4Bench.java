package dev.gale.kernels.mma;

import dev.gale.kernels.Elements;
import dev.gale.kernels.MatmulKernels;
import dev.gale.kernels.Nf4Kernels;
import dev.gale.kernels.ProductForm;
import dev.gale.kernels.mma.MmaBench.Result;
import dev.gale.tensor.Convert;
import dev.gale.tensor.quant.Nf4;
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

/// Times the kernels of 4-bit weights on TornadoVM's default device. The last column is, for products, the largest error of 200
/// elements relative to their sum of magnitudes, and otherwise how many of 20,000 elements are not those of the host, bit
/// for bit.
///
/// Arguments: shapes such as `4096x14336x4096` (m, n, k: products with a w `[n, k]` or by depth `[k, n]`) and `4096x14336`
/// (weights to dequantize), and parts of names such as `DEQUANTIZE` or `NF4_FORWARD`; without any, all.
public final class Nf4Bench {
    private static final List<String> SHAPES = List.of("4096x14336", "8192x8192", "4096x14336x4096", "512x14336x4096",
            "64x14336x4096", "16x4096x4096");
    private static final int CHECKED = 20_000;
    private static final int CHECKED_SUMS = 200;
    private static final int OFFSET = 256;

    private final KernelContext context = new KernelContext();
    private final SplittableRandom random = new SplittableRandom(7);
    private final int n;
    private final ShortArray codes;
    private final FloatArray absmax;
    private final IntArray absmaxCodes;
    private final FloatArray nested;

    /// @param n elements of the weight
    private Nf4Bench(int n) {
        this.n = n;
        int blocks = n / Nf4.BLOCK;
        codes = new ShortArray(n / 4);
        absmax = new FloatArray(blocks);
        absmaxCodes = new IntArray((blocks + 3) / 4);
        nested = new FloatArray(OFFSET + 1 + (blocks + Nf4.NESTED_BLOCK - 1) / Nf4.NESTED_BLOCK);
        for (int i = 0; i < codes.getSize(); i++) codes.set(i, (short) random.nextInt());
        for (int i = 0; i < blocks; i++) absmax.set(i, (float) random.nextDouble(0.5, 1));
        for (int i = 0; i < absmaxCodes.getSize(); i++) absmaxCodes.set(i, random.nextInt());
        for (int i = 0; i < nested.getSize(); i++) nested.set(i, (float) random.nextDouble(-0.3, 1));
    }

    public static void main(String[] args) {
        List<String> shapes = Arrays.stream(args).filter(arg -> arg.matches("\\d+x\\d+(x\\d+)?")).toList();
        List<String> names = new ArrayList<>(List.of(args));
        names.removeAll(shapes);
        MmaBench.head();
        for (String shape : shapes.isEmpty() ? SHAPES : shapes) {
            int[] sizes = Arrays.stream(shape.split("x")).mapToInt(Integer::parseInt).toArray();
            if (sizes.length == 2) dequantize(shape, names, new Nf4Bench(sizes[0] * sizes[1]));
            else multiply(shape, names, new Nf4Bench(sizes[1] * sizes[2]), sizes[0], sizes[1], sizes[2]);
        }
    }

    private static void attempt(List<String> names, String shape, String name, MmaBench.Trial trial) {
        if (MmaBench.asked(names, name)) MmaBench.attempt(shape, name, trial);
    }

    private static void dequantize(String shape, List<String> names, Nf4Bench bench) {
        for (int form : new int[] {Nf4Kernels.PLAIN, Nf4Kernels.NESTED}) {
            String suffix = form == Nf4Kernels.NESTED ? "_NESTED" : "";
            attempt(names, shape, "DEQUANTIZE_BF16" + suffix, () -> bench.dequantizeBf16(form));
            attempt(names, shape, "DEQUANTIZE_ANY_BF16" + suffix, () -> bench.dequantizeAny(Elements.BF16, form));
            attempt(names, shape, "DEQUANTIZE_ANY_F32" + suffix, () -> bench.dequantizeAny(Elements.F32, form));
        }
    }

    private static void multiply(String shape, List<String> names, Nf4Bench bench, int m, int n, int k) {
        LongArray x = bench.bf16(m * k);
        for (Nf4Product product : Nf4Product.values()) {
            attempt(names, shape, product.name(), () -> bench.product(product, x, m, n, k));
        }
        attempt(names, shape, "NF4_TILED", () -> bench.tiled(m, n, k));
    }

    // ---- what the host makes of them ----

    private float scale(int form, int block) {
        if (form == Nf4Kernels.PLAIN) return absmax.get(block);
        int code = absmaxCodes.get(block / 4) >> 8 * (block % 4) & 255;
        float product = nested.get(code) * nested.get(OFFSET + 1 + block / Nf4.NESTED_BLOCK);
        return product + nested.get(OFFSET);
    }

    private float weight(int form, int i) {
        int pair = codes.get(i / 4) >> i % 4 / 2 * 8;
        return Nf4.value((i % 2 == 0 ? pair >> 4 : pair) & 15) * scale(form, i / Nf4.BLOCK);
    }

    /// BF16 in [-1, 1).
    private LongArray bf16(int elements) {
        LongArray longs = new LongArray(elements / 4);
        for (int i = 0; i < longs.getSize(); i++) {
            long four = 0;
            for (int e = 0; e < 4; e++) four = four << 16 | Convert.toBf16((float) random.nextDouble(-1, 0.99)) & 0xffffL;
            longs.set(i, four);
        }
        return longs;
    }

    // ---- dequantize ----

    private double bytes(int form, int perElement) {
        return n * (0.5 + perElement + (form == Nf4Kernels.PLAIN ? 4.0 : 1.0) / Nf4.BLOCK);
    }

    private Result dequantizeBf16(int form) throws TornadoExecutionPlanException {
        LongArray y = new LongArray(n / 4);
        IntArray table = new IntArray(4);
        TaskGraph graph = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, y, codes, absmax, absmaxCodes, nested)
                .task("kernel", Nf4Kernels::dequantizeBf16, context, table, 0, y, codes, absmax, absmaxCodes, nested, form, n,
                        0, 0, 0)
                .transferToHost(DataTransferMode.UNDER_DEMAND, y);
        double ms = time(graph, Nf4Kernels.BF16_BLOCK, n, y);
        int wrong = 0;
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(n);
            if ((short) (y.get(i / 4) >> 16 * (i % 4)) != Convert.toBf16(weight(form, i))) wrong++;
        }
        return new Result(ms, n, bytes(form, 2), wrong);
    }

    private Result dequantizeAny(int type, int form) throws TornadoExecutionPlanException {
        boolean bf16 = type == Elements.BF16;
        FloatArray y = new FloatArray(bf16 ? 1 : n);
        ShortArray yHalf = new ShortArray(bf16 ? n : 1);
        IntArray table = new IntArray(4);
        TaskGraph graph = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, y, yHalf, codes, absmax, absmaxCodes, nested)
                .task("kernel", Nf4Kernels::dequantize, context, table, 0, y, yHalf, type, codes, absmax, absmaxCodes, nested,
                        form, n)
                .transferToHost(DataTransferMode.UNDER_DEMAND, y, yHalf);
        double ms = time(graph, Elements.BLOCK, n, bf16 ? yHalf : y);
        int wrong = 0;
        for (int c = 0; c < CHECKED; c++) {
            int i = random.nextInt(n);
            float want = weight(form, i);
            boolean same = bf16 ? yHalf.get(i) == Convert.toBf16(want) : y.get(i) == want;
            if (!same) wrong++;
        }
        return new Result(ms, n, bytes(form, bf16 ? 2 : 4), wrong);
    }

    private static double time(TaskGraph graph, int block, int elements, Object y) throws TornadoExecutionPlanException {
        return MmaBench.time(graph, MmaBench.grid((elements + block - 1) / block, 1, Elements.GROUP), y);
    }

    // ---- products ----

    private Result product(Nf4Product nf4, LongArray x, int m, int n, int k) throws TornadoExecutionPlanException {
        MmaProduct product = nf4.product();
        FloatArray sums = new FloatArray(product.sumRows(m) * product.sumCols(n));
        sums.init(Float.NaN);
        IntArray table = new IntArray(4);
        TaskGraph graph = new TaskGraph("bench")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, table, x, codes, absmax, sums)
                .task("kernel", nf4.kernel(), context, table, 0, sums, x, codes, absmax, m, n, k)
                .transferToHost(DataTransferMode.UNDER_DEMAND, sums);
        double ms = MmaBench.time(graph, MmaBench.grid(product.groups(m, n), 1, product.threads()), sums);
        double worst = 0;
        for (int c = 0; c < CHECKED_SUMS; c++) {
            int i = random.nextInt(m);
            int j = random.nextInt(n);
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < k; l++) {
                short left = (short) (x.get((i * k + l) / 4) >> 16 * (l % 4));
                float w = weight(Nf4Kernels.PLAIN, product.byDepth() ? l * n + j : j * k + l);
                double term = (double) Convert.fromBf16(left) * Convert.fromBf16(Convert.toBf16(w));
                sum += term;
                magnitude += Math.abs(term);
            }
            worst = Math.max(worst, Math.abs(sums.get(i * product.sumCols(n) + j) - sum) / magnitude);       // NaN is worst
        }
        return new Result(ms, 2.0 * m * n * k, 2.0 * m * k + n * 0.5625 * k + 4.0 * m * n, worst);
    }

    /// The product for any device, F32.
    private Result tiled(int m, int n, int k) throws TornadoExecutionPlanException {
        FloatArray x = new FloatArray(m * k);
        for (int i = 0; i < m * k; i++) x.set(i, (float) random.nextDouble(-1, 1));
        FloatArray y = new FloatArray(m * n);
        y.init(Float.NaN);
        FloatArray[] floats = new FloatArray[4];                          // TornadoVM wants each argument to be its own array
        ShortArray[] halves = new ShortArray[4];
        Arrays.setAll(floats, i -> new FloatArray(1));
        Arrays.setAll(halves, i -> new ShortArray(1));
        IntArray table = new IntArray(8);
        int form = ProductForm.of(Elements.F32, Elements.F32, ProductForm.NF4, ProductForm.ABSENT, ProductForm.ABSENT, 0, 1, 0);
        TaskGraph graph = new TaskGraph("bench").transferToDevice(DataTransferMode.FIRST_EXECUTION, table, x, y, codes, absmax,
                        floats[0], floats[1], floats[2], floats[3], halves[0], halves[1], halves[2], halves[3])
                .task("kernel", MatmulKernels::product, context, table, 0, y, halves[0], x, halves[1], absmax, codes, floats[0],
                        halves[2], floats[1], halves[3], floats[2], floats[3], form, m, n, k, 1f)
                .transferToHost(DataTransferMode.UNDER_DEMAND, y);
        int tile = MatmulKernels.TILE;
        double ms = MmaBench.time(graph, MmaBench.grid((n + tile - 1) / tile, (m + tile - 1) / tile, MatmulKernels.GROUP), y);
        double worst = 0;
        for (int c = 0; c < CHECKED_SUMS; c++) {
            int i = random.nextInt(m);
            int j = random.nextInt(n);
            double sum = 0;
            double magnitude = 0;
            for (int l = 0; l < k; l++) {
                double term = (double) x.get(i * k + l) * weight(Nf4Kernels.PLAIN, j * k + l);
                sum += term;
                magnitude += Math.abs(term);
            }
            worst = Math.max(worst, Math.abs(y.get(i * n + j) - sum) / magnitude);
        }
        return new Result(ms, 2.0 * m * n * k, 4.0 * m * k + n * 0.5625 * k + 4.0 * m * n, worst);
    }
}
