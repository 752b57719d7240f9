package dev.gale.kernels.runtime;

import static dev.gale.tensor.testing.Fixtures.uniform;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.MemoryPool;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.testing.TensorAssert;
import dev.gale.tensor.testing.Trial;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;

/// Products of 16-bit operands on a device with a matrix unit are those of `ReferenceOps`.
class MatrixUnitOpsTest {
    private static final double ULP = Math.ulp(1f);
    private static final double BF16_ROUNDINGS = 2 * 0x1p-8;          // ours and the reference's
    private static final double ADAPTER_ROUNDINGS = 3 * 0x1p-8;       // of A, of low and of B

    private static TornadoOps ops(boolean matrixUnit) {
        return ops(new Abilities(DType.F32, matrixUnit, false));
    }

    private static TornadoOps ops(Abilities abilities) {
        Device device = new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false);
        return new TornadoOps(DeviceLink.of(device), abilities, MemoryPool.CHUNK_BYTES);
    }

    /// Sums of `terms` products each.
    /// @param rounded the result that is BF16
    private static void assertSums(Trial trial, int terms, String rounded) {
        assertSums(trial, ops(true), terms, 0, rounded);
    }

    /// @param relative error of every product beside that of its sum, such as a library's rounding to BF16
    private static void assertSums(Trial trial, TornadoOps ops, int terms, double relative, String rounded) {
        Trial.Outputs want = trial.reference();
        Trial.Outputs magnitudes = trial.ofMagnitudes().reference();
        Trial.Outputs got = trial.run(ops);
        if (want.get("alone") != null) TensorAssert.assertEqual("low without y", got.get("low"), got.get("alone"));
        want.byName().forEach((name, values) -> {
            double[] bounds = new double[values.length];
            for (int i = 0; i < bounds.length; i++) {
                bounds[i] = (terms * ULP + relative) * magnitudes.get(name)[i];
                if (name.equals(rounded)) bounds[i] += BF16_ROUNDINGS * Math.abs(values[i]);
            }
            TensorAssert.assertClose(name, values, got.get(name), bounds);
        });
    }

    private static LowRank side(Map<String, Tensor> t, String low) {
        return new LowRank(t.get("x"), t.get("a"), t.get("b"), t.get(low), 1.5f);
    }

    private static Trial forward(int m, int in, int out, int r, DType dtype) {
        return new Trial((ops, t) -> {
            ops.linearForward(t.get("y"), t.get("x"), t.get("w"), null, null, null);
            ops.linearForward(t.get("z"), t.get("x"), t.get("w"), t.get("bias"), t.get("residual"), side(t, "low"));
            ops.linearForward(null, t.get("x"), t.get("w"), null, null, side(t, "alone"));
        }).output("y", m, out).output("z", DType.BF16, m, out).output("alone", m, r)
                .input("x", dtype, uniform(m * in, 1), m, in).input("w", dtype, uniform(out * in, 2), out, in)
                .input("bias", uniform(out, 3), out).input("residual", DType.BF16, uniform(m * out, 4), m, out)
                .input("a", uniform(r * in, 5), r, in).input("b", uniform(out * r, 6), out, r).output("low", m, r);
    }

    private static Trial backward(int m, int in, int out, int r, DType dtype) {
        return backward(m, in, out, r, dtype, DType.F32);
    }

    private static Trial backward(int m, int in, int out, int r, DType dtype, DType input) {
        return new Trial((ops, t) -> {
            ops.linearBackward(t.get("dx"), false, t.get("dy"), t.get("w"), null, null);
            ops.linearBackward(t.get("dz"), true, t.get("dy"), t.get("w"), side(t, "low"),
                    new LowRankGrads(t.get("dA"), t.get("dB"), t.get("dLow"), null));
        }).output("dx", DType.BF16, m, in).inout("dz", uniform(m * in, 1), m, in)
                .input("dy", dtype, uniform(m * out, 2), m, out).input("w", dtype, uniform(out * in, 3), out, in)
                .input("x", input, uniform(m * in, 4), m, in).input("a", uniform(r * in, 5), r, in)
                .input("b", uniform(out * r, 6), out, r).input("low", uniform(m * r, 7), m, r)
                .inout("dA", uniform(r * in, 8), r, in).inout("dB", uniform(out * r, 9), out, r).output("dLow", m, r);
    }

    @ParameterizedTest(name = "m={0} in={1} out={2} r={3} {4}")
    @CsvSource({"1,32,64,1,BF16", "70,36,132,16,BF16", "5,64,8,3,F16"})
    void linearLayersMatchTheReference(int m, int in, int out, int r, DType dtype) {
        assertSums(forward(m, in, out, r, dtype), ops(true), in + r + 8, dtype == DType.BF16 ? ADAPTER_ROUNDINGS : 0, "z");
        assertSums(backward(m, in, out, r, dtype), out + r + m + 8, "dx");
    }

    /// The matrix unit's kernels write F32 sums, which another one adds the rest to and rounds; a bias may be F16 beside BF16
    /// too.
    @ParameterizedTest(name = "activations in {0}, weights in {1}, bias in {2}")
    @CsvSource({"F16,F16,F16", "F16,F16,F32", "F16,BF16,F16", "BF16,BF16,F16"})
    void layersInHalvesMatchTheReference(DType dtype, DType weight, DType biasType) {
        int m = 21;
        int in = 36;
        int out = 68;
        int r = 8;
        Trial forward = new Trial((ops, t) -> {
            ops.linearForward(t.get("y"), t.get("x"), t.get("w"), null, null, null);
            ops.linearForward(t.get("z"), t.get("x"), t.get("w"), t.get("bias"), t.get("residual"), side(t, "low"));
        }).output("y", dtype, m, out).output("z", dtype, m, out).input("x", dtype, uniform(m * in, 1), m, in)
                .input("w", weight, uniform(out * in, 2), out, in).input("bias", biasType, uniform(out, 3), out)
                .input("residual", dtype, uniform(m * out, 4), m, out).input("a", uniform(r * in, 5), r, in)
                .input("b", uniform(out * r, 6), out, r).output("low", m, r);
        Trial backward = new Trial((ops, t) -> ops.linearBackward(t.get("dx"), true, t.get("dy"), t.get("w"), side(t, "low"),
                new LowRankGrads(t.get("dA"), t.get("dB"), t.get("dLow"), null)))
                .inout("dx", dtype, uniform(m * in, 1), m, in).input("dy", dtype, uniform(m * out, 2), m, out)
                .input("w", weight, uniform(out * in, 3), out, in).input("x", dtype, uniform(m * in, 4), m, in)
                .input("a", uniform(r * in, 5), r, in).input("b", uniform(out * r, 6), out, r)
                .input("low", uniform(m * r, 7), m, r)
                .inout("dA", uniform(r * in, 8), r, in).inout("dB", uniform(out * r, 9), out, r).output("dLow", m, r);
        double rounding = dtype == DType.F16 ? 0x1p-10 : BF16_ROUNDINGS;
        double adapter = dtype == DType.F16 ? 0 : ADAPTER_ROUNDINGS;
        for (Trial trial : List.of(forward, backward)) {
            Trial.Outputs want = trial.reference();
            Trial.Outputs magnitudes = trial.ofMagnitudes().reference();
            Trial.Outputs got = trial.run(ops(new Abilities(dtype, true, false)));
            want.byName().forEach((name, values) -> {
                double[] bounds = new double[values.length];
                for (int i = 0; i < bounds.length; i++) {
                    bounds[i] = ((out + m + r) * ULP + adapter) * magnitudes.get(name)[i] + rounding * Math.abs(values[i]);
                }
                TensorAssert.assertClose(name, values, got.get(name), bounds);
            });
        }
    }

    @ParameterizedTest(name = "m={0} in={1} out={2} r={3}")
    @CsvSource({"70,36,132,16", "3,128,4,24", "65,4,256,3", "129,64,60,65"})
    void adaptersOnTheMatrixUnitMatchTheReference(int m, int in, int out, int r) {
        assertSums(backward(m, in, out, r, DType.BF16, DType.BF16), ops(true), out + r + m + 8, ADAPTER_ROUNDINGS, "dx");
        Trial apart = new Trial((ops, t) -> ops.linearBackward(t.get("dx"), true, t.get("dy"), t.get("w"), side(t, "low"),
                new LowRankGrads(null, t.get("dB"), t.get("dLow"), t.get("dInput"))))
                .inout("dx", uniform(m * in, 1), m, in).output("dInput", DType.BF16, m, in).output("dLow", m, r)
                .input("dy", DType.BF16, uniform(m * out, 2), m, out).input("w", DType.BF16, uniform(out * in, 3), out, in)
                .input("x", DType.BF16, uniform(m * in, 4), m, in).input("a", uniform(r * in, 5), r, in)
                .input("b", uniform(out * r, 6), out, r).input("low", uniform(m * r, 7), m, r)
                .inout("dB", uniform(out * r, 9), out, r);
        assertSums(apart, ops(true), out + r + m + 8, ADAPTER_ROUNDINGS, "dInput");
    }

    /// On a device without cuBLAS, the stand-in's loop.
    @ParameterizedTest(name = "m={0} in={1} out={2} r={3}")
    @CsvSource({"70,36,132,16", "3,128,4,24", "65,4,256,3"})
    void linearLayersOnCublasMatchTheReference(int m, int in, int out, int r) {
        assumeTrue(TornadoExecutionPlan.getDevice(0, 0).getClass().getName().startsWith("dev.gale.")
                || CublasLibrary.isPresent(), "no cuBLAS here");
        Abilities abilities = new Abilities(DType.BF16, true, true);
        assertSums(forward(m, in, out, r, DType.BF16), ops(abilities), in + r + 8, 0x1p-8, "z");
        assertSums(backward(m, in, out, r, DType.BF16), ops(abilities), out + r + m + 8, 0x1p-8, "dx");
    }

    @ParameterizedTest(name = "products of {0}, activations in {1}")
    @CsvSource({"TILED,F32", "MMA,BF16", "CUBLAS,BF16"})
    void headAndLossMatchTheReference(ProductEngine engine, DType dtype) {
        int rows = 9;
        int cols = 32;
        int vocab = 68;
        Trial trial = new Trial((ops, t) -> ops.linearCrossEntropy(t.get("stats"), t.get("loss"), t.get("dx"), null, t.get("x"),
                t.get("w"), t.get("targets"), CrossEntropySpec.chunked(4)))
                .output("loss", rows).output("dx", dtype, rows, cols).inout("stats", new float[2], 2)
                .input("x", dtype, uniform(rows * cols, 1), rows, cols).input("w", dtype, uniform(vocab * cols, 2), vocab, cols)
                .ints("targets", 3, 67, CrossEntropySpec.IGNORE, 0, 5, 66, 1, 2, 4);
        boolean matrixUnit = engine != ProductEngine.TILED;
        Trial.Outputs got = trial.run(ops(new Abilities(dtype, matrixUnit, engine == ProductEngine.CUBLAS)));
        Trial.Outputs want = trial.reference();
        double logit = dtype == DType.BF16 ? 0x1p-8 * 8 : 1e-4;            // logits here are below 8
        TensorAssert.assertClose("loss", want.get("loss"), got.get("loss"), logit);
        TensorAssert.assertClose("dx", want.get("dx"), got.get("dx"), 2 * logit);
    }

    private static Trial rows(int rows, int heads, int dims, DType weight) {
        int cols = heads * dims;
        int n = rows * cols;
        AttentionSpec spec = new AttentionSpec(heads, heads, dims, 1f, 0f);
        return new Trial((ops, t) -> {
            ops.gatherRows(t.get("gathered"), t.get("x"), t.get("ids"));
            ops.rmsNormForward(t.get("y"), t.get("rstd"), t.get("x"), t.get("w"), 1e-5f);
            ops.rmsNormBackward(t.get("dx"), false, null, t.get("dy"), t.get("x"), t.get("w"), t.get("rstd"));
            ops.copy(t.get("sum"), t.get("dy"));
            ops.rmsNormBackward(t.get("sum"), true, null, t.get("dy"), t.get("x"), t.get("w"), t.get("rstd"));
            ops.gluForward(t.get("glu"), t.get("x"), t.get("dy"), Activation.SILU);
            ops.gluBackward(t.get("dGate"), t.get("dUp"), t.get("dy"), t.get("x"), t.get("gathered"), Activation.SILU);
            ops.copy(t.get("q"), t.get("x"));
            ops.copy(t.get("k"), t.get("dy"));
            ops.rope(t.get("q"), t.get("k"), t.get("cos"), t.get("sin"), t.get("ids"), spec, true);
        }).input("x", DType.BF16, uniform(n, 1), rows, cols).input("dy", DType.BF16, uniform(n, 2), rows, cols)
                .input("w", weight, uniform(cols, 3), cols).ints("ids", 2, 0, 1).output("rstd", rows)
                .input("cos", uniform(rows * dims / 2, 4), rows, dims / 2)
                .input("sin", uniform(rows * dims / 2, 5), rows, dims / 2)
                .output("gathered", DType.BF16, rows, cols).output("y", DType.BF16, rows, cols)
                .output("dx", DType.BF16, rows, cols).output("sum", DType.BF16, rows, cols)
                .output("glu", DType.BF16, rows, cols)
                .output("dGate", DType.BF16, rows, cols).output("dUp", DType.BF16, rows, cols)
                .output("q", DType.BF16, rows, cols).output("k", DType.BF16, rows, cols);
    }

    /// What lies between matrix products: with kernels for four BF16 at a time, and, of other widths, without.
    @ParameterizedTest(name = "{0} heads of {1}, weights in {2}")
    @CsvSource({"5,8,BF16", "3,16,F32", "3,6,BF16"})
    void rowsMatchTheReference(int heads, int dims, DType weight) {
        Trial.Outputs got = rows(3, heads, dims, weight).run(ops(new Abilities(DType.BF16, true, false)));
        rows(3, heads, dims, weight).reference().byName().forEach((name, want) -> {
            double[] bounds = new double[want.length];
            for (int i = 0; i < bounds.length; i++) bounds[i] = BF16_ROUNDINGS * Math.abs(want[i]) + 64 * ULP;
            TensorAssert.assertClose(name, want, got.get(name), bounds);
        });
    }

    /// Widths that are no whole numbers of longs, and operands of two types or on their side.
    @Test
    void otherOperandsAreMultipliedInTiles() {
        assertSums(forward(3, 30, 5, 2, DType.BF16), 40, "z");
        assertSums(backward(3, 6, 8, 2, DType.BF16), 40, "dx");
        assertSums(product(DType.BF16, DType.F16, false), 40, "");
        assertSums(product(DType.BF16, DType.BF16, true), 40, "");
    }

    private static Trial product(DType left, DType right, boolean transposed) {
        return new Trial((ops, t) -> ops.matmul(t.get("c"), t.get("a"), transposed, t.get("b"), true, 0.7f, true))
                .input("a", left, uniform(8 * 32, 1), transposed ? 32 : 8, transposed ? 8 : 32)
                .input("b", right, uniform(4 * 32, 2), 4, 32).inout("c", uniform(8 * 4, 3), 8, 4);
    }

    private static List<String> kernels(boolean matrixUnit, Trial trial) {
        Device device = new Device(TornadoExecutionPlan.getDevice(0, 0), new KernelContext(), false);
        Remembered link = new Remembered(DeviceLink.of(device), new ArrayList<>());
        trial.run(new TornadoOps(link, new Abilities(DType.F32, matrixUnit, false), MemoryPool.CHUNK_BYTES));
        return link.kernels();
    }

    @Test
    void theMatrixUnitIsUsedWhereItCanBe() {
        assertEquals(List.of("product"), kernels(false, product(DType.BF16, DType.BF16, false)));
        assertEquals(List.of("BF16_FORWARD_64X64"), kernels(true, product(DType.BF16, DType.BF16, false)));
        assertEquals(List.of("F16_FORWARD_64X64"), kernels(true, product(DType.F16, DType.F16, false)));
        assertEquals(List.of("F16_FORWARD_64X64", "finish"), kernels(true, new Trial((ops, t) -> ops.linearForward(t.get("y"),
                t.get("x"), t.get("w"), null, null, null)).output("y", DType.F16, 8, 32)
                .input("x", DType.F16, uniform(8 * 64, 1), 8, 64).input("w", DType.F16, uniform(32 * 64, 2), 32, 64)));
        assertEquals(List.of("BF16_FORWARD_64X64", "BY_ROW_16", "addLow", "padded", "BF16_FORWARD_64X64", "BY_ROW_16",
                "addLow"), kernels(true, forward(8, 64, 32, 16, DType.BF16)));
        assertEquals(List.of("BF16_BACKWARD_64X64", "BY_ROW_64", "addLow", "BY_DEPTH_64", "addGradient", "BY_DEPTH_64",
                "addGradient", "padded", "BF16_BACKWARD_64X64"),
                kernels(true, backward(8, 64, 32, 17, DType.BF16, DType.BF16)));
    }

    @Test
    void enginesHaveNames() {
        System.setProperty(ProductEngine.PROPERTY, "mma");
        try {
            assertEquals(ProductEngine.MMA, ProductEngine.of(Abilities.NONE));
            System.setProperty(ProductEngine.PROPERTY, "fast");
            String message = assertThrows(IllegalArgumentException.class, () -> ProductEngine.of(Abilities.NONE)).getMessage();
            assertTrue(message.contains("gale.products is \"fast\", but must be one of [tiled, mma, cublas]"), message);
        } finally {
            System.clearProperty(ProductEngine.PROPERTY);
        }
    }
}
