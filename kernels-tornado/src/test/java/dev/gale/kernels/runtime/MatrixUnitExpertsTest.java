package dev.gale.kernels.runtime;

import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.ShapeException;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.GroupedLowRank;
import dev.gale.tensor.ops.GroupedLowRankGrads;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.testing.TensorAssert;
import dev.gale.tensor.testing.Trial;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Products of the rows of experts in BF16 on a device with a matrix unit are those of `ReferenceOps`, adapters included.
class MatrixUnitExpertsTest {
    private static final double ULP = Math.ulp(1f);
    private static final double BF16_ROUNDINGS = 2 * 0x1p-8;          // ours and the reference's
    private static final double ADAPTER_ROUNDINGS = 3 * 0x1p-8;       // of a factor, of low and of the other factor

    private static TornadoOps ops(List<String> kernels) {
        Device device = new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false);
        return new TornadoOps(new Remembered(DeviceLink.of(device), kernels), new Abilities(DType.BF16, true, false),
                MemoryPool.CHUNK_BYTES);
    }

    /// A linear layer of experts.
    ///
    /// @param counts    rows of each expert
    /// @param missing   the expert without an adapter, -1 for none
    /// @param scattered whether matrices lie at unlike distances
    private record Layer(String counts, int in, int out, int r, int missing, boolean scattered) {
        int[] rowCounts() {
            return Arrays.stream(counts.split(" ")).mapToInt(Integer::parseInt).toArray();
        }

        int experts() {
            return rowCounts().length;
        }

        int rows() {
            return IntStream.of(rowCounts()).sum();
        }

        int[] offsets() {
            int[] offsets = new int[experts() + 1];
            for (int e = 0; e < experts(); e++) offsets[e + 1] = offsets[e] + rowCounts()[e];
            return offsets;
        }

        /// Adds a matrix for each expert.
        void add(Trial trial, String name, DType dtype, int height, int width, boolean changes) {
            for (int e = 0; e < experts(); e++) {
                if (scattered) trial.input(name + "between" + e, new float[1 + 16 * e], 1 + 16 * e);
                float[] values = uniform(height * width, name.hashCode() + e);
                if (changes) trial.inout(name + e, values, height, width);
                else trial.input(name + e, dtype, values, height, width);
            }
        }

        List<Tensor> get(Map<String, Tensor> t, String name, boolean adapters) {
            List<Tensor> all = new ArrayList<>();
            for (int e = 0; e < experts(); e++) all.add(adapters && e == missing ? null : t.get(name + e));
            return all;
        }

        List<Tensor> weights(TensorOps ops, Map<String, Tensor> t, Quantization quantization) {
            List<Tensor> dense = get(t, "w", false);
            if (quantization == null) return dense;
            List<Tensor> all = new ArrayList<>();
            for (Tensor each : dense) {
                Tensor q = ops.allocate("q", quantization, each.shape());
                ops.quantize(q, each);
                all.add(q);
            }
            return all;
        }

        GroupedLowRank side(Map<String, Tensor> t, String low) {
            return new GroupedLowRank(t.get("x"), get(t, "a", true), get(t, "b", true), t.get(low), 1.5f);
        }

        Trial with(Trial trial) {
            int n = rows();
            trial.input("x", DType.BF16, uniform(n * in, 1), n, in).input("dy", DType.BF16, uniform(n * out, 2), n, out)
                    .ints("offsets", offsets());
            add(trial, "w", DType.BF16, out, in, false);
            add(trial, "a", DType.F32, r, in, false);
            add(trial, "b", DType.F32, out, r, false);
            return trial;
        }

        /// @param type of y
        Trial forward(Quantization quantization, DType type) {
            Trial trial = new Trial((ops, t) -> {
                List<Tensor> w = weights(ops, t, quantization);
                ops.groupedLinearForward(t.get("y"), t.get("x"), w, t.get("offsets"), side(t, "low"));
                ops.groupedLinearForward(null, t.get("x"), w, t.get("offsets"), side(t, "alone"));
                ops.groupedLinearForward(t.get("bare"), t.get("x"), w, t.get("offsets"), null);
            });
            trial.output("y", type, rows(), out).output("bare", rows(), out).output("low", rows(), r).output("alone", rows(),
                    r);
            return with(trial);
        }

        Trial backward(Quantization quantization, boolean dropping) {
            Trial trial = new Trial((ops, t) -> ops.groupedLinearBackward(t.get("dx"), !dropping, t.get("dy"),
                    weights(ops, t, quantization), t.get("offsets"), side(t, "low"), new GroupedLowRankGrads(get(t, "dA", true),
                            get(t, "dB", true), t.get("dLow"), dropping ? t.get("dInput") : null)));
            trial.inout("dx", DType.BF16, uniform(rows() * in, 3), rows(), in).output("dLow", rows(), r)
                    .input("low", uniform(rows() * r, 4), rows(), r);
            if (dropping) trial.output("dInput", DType.BF16, rows(), in);
            add(trial, "dA", DType.F32, r, in, true);
            add(trial, "dB", DType.F32, out, r, true);
            return with(trial);
        }
    }

    /// @param weights relative error of a weight
    /// @param rounded results that are BF16
    private static void assertSums(Layer layer, Trial trial, double weights, List<String> rounded) {
        Trial.Outputs want = trial.reference();
        Trial.Outputs magnitudes = trial.ofMagnitudes().reference();
        Trial.Outputs got = trial.run(ops(new ArrayList<>()));
        if (want.get("alone") != null) TensorAssert.assertEqual("low without y", got.get("low"), got.get("alone"));
        int terms = layer.in + layer.out + layer.r + layer.rows() + 8;
        want.byName().forEach((name, values) -> {
            double[] bounds = new double[values.length];
            double relative = terms * ULP + weights + (name.equals("bare") ? 0 : ADAPTER_ROUNDINGS);
            for (int i = 0; i < bounds.length; i++) {
                bounds[i] = relative * magnitudes.get(name)[i] * (1 + 8 * weights);
                if (rounded.contains(name)) bounds[i] += BF16_ROUNDINGS * Math.abs(values[i]);
            }
            TensorAssert.assertClose(name + " of " + layer, values, got.get(name), bounds);
        });
    }

    @ParameterizedTest(name = "rows {0}, {1} to {2}, r {3}, without adapter {4}, scattered {5}")
    @CsvSource({"3 0 70 1,36,68,16,-1,false", "0 75 0,64,132,8,-1,false", "2 1 0 4,132,36,64,2,false", "9 30 8,36,8,3,1,true"})
    void layersMatchTheReference(String counts, int in, int out, int r, int missing, boolean scattered) {
        Layer layer = new Layer(counts, in, out, r, missing, scattered);
        assertSums(layer, layer.forward(null, DType.BF16), 0, List.of("y"));
        assertSums(layer, layer.forward(null, DType.F32), 0, List.of());
        assertSums(layer, layer.backward(null, false), 0, List.of("dx"));
        assertSums(layer, layer.backward(null, true), 0, List.of("dx", "dInput"));
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    void quantizedLayersMatchTheReference(Quantization quantization) {
        Layer layer = new Layer("3 0 40", 64, 32, 8, -1, false);
        assertSums(layer, layer.forward(quantization, DType.BF16), 0x1p-8, List.of("y"));
        assertSums(layer, layer.backward(quantization, false), 0x1p-8, List.of("dx"));
    }

    private static List<String> kernels(Trial trial) {
        List<String> kernels = new ArrayList<>();
        trial.run(ops(kernels));
        return kernels.stream().filter(kernel -> !kernel.equals("fill")).toList();
    }

    /// One list of tiles serves all products with tiles of as many rows, one launch all weights of 4 bits.
    @Test
    void theMatrixUnitIsUsedWhereItCanBe() {
        Layer layer = new Layer("3 0 70 1", 64, 64, 16, -1, false);
        assertEquals(List.of("expertTiles", "GROUPED_BY_ROW_NARROW", "addExpertLow", "padded", "expertTiles",
                "GROUPED_FORWARD_64X64", "GROUPED_BY_ROW_NARROW", "addExpertLow", "GROUPED_FORWARD_64X64"),
                kernels(layer.forward(null, DType.BF16)));
        assertEquals(List.of("expertTiles", "GROUPED_BY_ROW_NARROW", "addExpertLow", "GROUPED_BY_DEPTH_NARROW", "addGradient",
                "GROUPED_BY_DEPTH_NARROW", "addGradient", "padded", "dequantizeBf16", "expertTiles", "GROUPED_BACKWARD_64X64"),
                kernels(layer.backward(Quantization.NF4_NESTED, false)));
        assertEquals(List.of("expertTiles", "GROUPED_FORWARD_64X64"), kernels(plain(DType.BF16, 8)));
    }

    private static Trial plain(DType dtype, int in) {
        return new Trial((ops, t) -> ops.groupedMatmul(t.get("c"), t.get("a"), List.of(t.get("w")), true, t.get("offsets"), 1f,
                false))
                .output("c", 5, 8).input("a", dtype, uniform(5 * in, 1), 5, in).input("w", dtype, uniform(8 * in, 2), 8, in)
                .ints("offsets", 0, 5);
    }

    /// F16, rows that are no whole numbers of longs, and devices that are told to.
    @Test
    void otherOperandsAreMultipliedInTiles() {
        assertEquals(List.of("groupedProduct"), kernels(plain(DType.F16, 8)));
        assertEquals(List.of("groupedProduct"), kernels(plain(DType.BF16, 6)));
        Layer odd = new Layer("5 4", 30, 6, 3, -1, false);
        assertSums(odd, odd.forward(null, DType.BF16), 0, List.of("y"));
        assertSums(odd, odd.backward(null, false), 0, List.of("dx"));
        System.setProperty(ProductEngine.PROPERTY, "tiled");
        try {
            assertEquals(List.of("groupedProduct"), kernels(plain(DType.BF16, 8)));
        } finally {
            System.clearProperty(ProductEngine.PROPERTY);
        }
    }

    @Test
    void operandsMustFit() {
        Layer layer = new Layer("2 3", 8, 12, 4, -1, false);
        Layer wide = new Layer("2 3", 8, 16, 4, -1, false);
        Trial forward = new Trial((ops, t) -> ops.groupedLinearForward(t.get("y"), t.get("x"), layer.get(t, "w", false),
                t.get("offsets"), layer.side(t, "low"))).output("y", 5, 12).output("low", 5, 3);
        Trial backward = new Trial((ops, t) -> ops.groupedLinearBackward(null, false, t.get("dy"), wide.get(t, "w", false),
                t.get("offsets"), wide.side(t, "low"), null)).output("low", 5, 4);
        assertThrows(ShapeException.class, () -> layer.with(forward).run(ops(new ArrayList<>())));
        assertThrows(ShapeException.class, () -> wide.with(backward).run(ops(new ArrayList<>())));
    }
}
