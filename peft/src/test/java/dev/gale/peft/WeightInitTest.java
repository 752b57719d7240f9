package dev.gale.peft;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.testing.Fixtures;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class WeightInitTest {
    private static final int OUT = 48;
    private static final int IN = 80;
    private static final int R = 6;
    private static final float SCALE = 2.5f;
    private static final double UNIT = 0x1p-24;

    private final TensorOps ops = new ReferenceOps();

    @AfterEach
    void close() {
        ops.close();
    }

    private Parameter weight(DType dtype, float[] values, int rows, int cols) {
        Tensor tensor = ops.allocate("w", dtype, Shape.of(rows, cols));
        ops.write(tensor, values);
        return Parameter.frozen("w", tensor);
    }

    private WeightInit.Start start(LoraConfigBuilder config, Parameter weight, float scale) {
        try (WeightInit init = new WeightInit(ops, config.build(), name -> Optional.empty())) {
            return init.of(weight, R, scale);
        }
    }

    private static LoraConfigBuilder config(String init) {
        return LoraConfig.builder().r(R).initLoraWeights(InitLoraWeights.of(init).orElseThrow());
    }

    /// `scale * B A` in double, and the sum of its terms' magnitudes.
    private static double[][] product(LoraInit.Values values, int out, int in, float scale) {
        double[][] sums = new double[2][out * in];
        for (int o = 0; o < out; o++) {
            for (int c = 0; c < in; c++) {
                for (int i = 0; i < R; i++) {
                    double term = (double) scale * values.b()[o * R + i] * values.a()[i * in + c];
                    sums[0][o * in + c] += term;
                    sums[1][o * in + c] += Math.abs(term);
                }
            }
        }
        return sums;
    }

    /// Elements in which base and adapter are further from W than roundings explain: one per term, one for the sum, and
    /// half an ulp of the base's dtype.
    private static int wrong(float[] w, float[] base, LoraInit.Values values, float scale, int out, int in, double half) {
        double[][] product = product(values, out, in, scale);
        int wrong = 0;
        for (int i = 0; i < w.length; i++) {
            double bound = (R + 3) * UNIT * (Math.abs(w[i]) + product[1][i]) + half * Math.abs(base[i]);
            if (Math.abs(w[i] - (base[i] + product[0][i])) > bound) wrong++;
        }
        return wrong;
    }

    @ParameterizedTest
    @CsvSource({"pissa,F32", "pissa,BF16", "pissa,F16", "pissa_niter_2,F32", "pissa_niter_4,BF16", "olora,F32", "olora,F16"})
    void baseAndAdapterAddUpToTheWeight(String init, DType dtype) {
        for (boolean wide : new boolean[] {true, false}) {
            int out = wide ? OUT : IN;
            int in = wide ? IN : OUT;
            Parameter weight = weight(dtype, Fixtures.normal(OUT * IN, 0.3, 1), out, in);
            float[] w = ops.toFloats(weight.value());
            WeightInit.Start start = start(config(init), weight, SCALE);
            assertEquals(dtype, start.base().dtype());
            float[] base = ops.toFloats(start.base());
            double half = dtype == DType.F32 ? 0 : dtype == DType.BF16 ? 0x1p-8 : 0x1p-11;
            assertEquals(0, wrong(w, base, start.values(), SCALE, out, in, half));
            assertTrue(wrong(w, base, start.values(), SCALE * 1.001f, out, in, 0) > OUT, "the bound proves nothing");
            assertArrayEquals(w, ops.toFloats(weight.value()));
        }
    }

    @Test
    void pissaTakesTheLargestParts() {
        float[] w = Fixtures.normal(OUT * IN, 0.3, 1);
        double[] s = LowRankSvdTest.singularValues(w, OUT, IN);
        WeightInit.Start start = start(config("pissa"), weight(DType.F32, w, OUT, IN), SCALE);
        assertEquals(LowRankSvdTest.tail(s, R), Trained.norm(ops.toFloats(start.base())), 1e-5 * s[0]);
        for (int i = 0; i < R; i++) {                          // A's and B's i-th parts have the same length
            double a = 0;
            double b = 0;
            for (int c = 0; c < IN; c++) a += Math.pow(start.values().a()[i * IN + c], 2);
            for (int o = 0; o < OUT; o++) b += Math.pow(start.values().b()[o * R + i], 2);
            assertEquals(s[i] / SCALE, a, 1e-3 * s[0]);
            assertEquals(a, b, 1e-4 * a);
        }
    }

    @Test
    void oloraIsTheBeginningOfAQrDecomposition() {
        float[] w = Fixtures.normal(OUT * IN, 0.3, 1);
        LoraInit.Values values = start(config("olora"), weight(DType.F32, w, OUT, IN), SCALE).values();
        for (int i = 0; i < R; i++) {
            for (int j = 0; j < R; j++) {
                double dot = 0;
                for (int o = 0; o < OUT; o++) dot += (double) values.b()[o * R + i] * values.b()[o * R + j];
                assertEquals(i == j ? 1 : 0, dot, 1e-6);
                if (j < i) assertEquals(0, values.a()[i * IN + j], 1e-6);        // R is upper triangular
            }
        }
        double[] first = product(values, OUT, IN, 1)[0];
        for (int o = 0; o < OUT; o++) {
            for (int c = 0; c < R; c++) assertEquals(w[o * IN + c], first[o * IN + c], 1e-6);
        }
    }

    /// Norm of `W - (Q + scale * B A)`.
    private double lack(float[] w, WeightInit.Start start, float scale) {
        float[] base = ops.toFloats(start.base());
        double[] product = product(start.values(), OUT, IN, scale)[0];
        double sum = 0;
        for (int i = 0; i < w.length; i++) sum += Math.pow(w[i] - base[i] - product[i], 2);
        return Math.sqrt(sum);
    }

    @ParameterizedTest
    @ValueSource(floats = {1f, 2.5f})
    void loftqComesCloserThanQuantizationAloneAndWithEachIteration(float scale) {
        float[] w = Fixtures.normal(OUT * IN, 0.3, 5);
        float[] quantized = roundTrip(w);
        double before = Trained.norm(Trained.minus(w, quantized));
        for (int iterations = 1; iterations <= 5; iterations++) {
            WeightInit.Start start = start(config("loftq").loftqConfig(new LoftqConfig(4, iterations)),
                    weight(DType.F32, w, OUT, IN), scale);
            double lack = lack(w, start, scale);
            assertTrue(lack < before * (iterations == 1 ? 0.95 : 1), iterations + " iterations: " + lack
                    + ", before " + before);
            before = lack;
            float[] base = ops.toFloats(start.base());
            float[] again = roundTrip(base);
            for (int i = 0; i < base.length; i++) assertEquals(base[i], again[i], 4 * UNIT * Math.abs(base[i]));
            if (iterations == 1) assertArrayEquals(quantized, base);
        }
    }

    private float[] roundTrip(float[] values) {
        Tensor dense = ops.allocate("dense", DType.F32, Shape.of(OUT, IN));
        Tensor quantized = ops.allocate("quantized", Quantization.NF4, dense.shape());
        ops.write(dense, values);
        ops.quantize(quantized, dense);
        ops.dequantize(dense, quantized);
        return ops.toFloats(dense);
    }

    /// W comes from the file, so that the base's quantization is that of what is left, and better than that of W.
    @ParameterizedTest
    @CsvSource({"pissa,NF4", "olora,NF4_NESTED", "loftq,NF4", "loftq,NF4_NESTED", "pissa,INT8"})
    void aQuantizedBaseIsQuantizedAgain(String init, Quantization kind) {
        float[] w = Fixtures.normal(OUT * IN, 0.02, 5);
        for (int i = 0; i < w.length; i++) w[i] += 0.3f * (float) (Math.sin(i / IN) * Math.cos(i % IN));   // of rank 1
        Parameter file = weight(DType.F32, w, OUT, IN);
        Tensor quantized = ops.allocate("w", kind, file.value().shape());
        ops.quantize(quantized, file.value());
        Tensor dense = ops.allocate("dense", DType.F32, quantized.shape());
        ops.dequantize(dense, quantized);
        double lost = Trained.norm(Trained.minus(w, ops.toFloats(dense)));
        try (WeightInit weights = new WeightInit(ops, config(init).build(), name -> Optional.of(file.value()))) {
            WeightInit.Start start = weights.of(Parameter.frozen("w", quantized), R, SCALE);
            assertEquals(kind, Quantization.of(start.base()));
            ops.dequantize(dense, start.base());
            double[] product = product(start.values(), OUT, IN, SCALE)[0];
            float[] base = ops.toFloats(dense);
            double squares = 0;
            for (int i = 0; i < w.length; i++) squares += Math.pow(w[i] - base[i] - product[i], 2);
            double share = init.equals("olora") ? SCALE : 0.95;      // olora takes parts scale times, as PEFT does
            assertTrue(Math.sqrt(squares) < share * lost, Math.sqrt(squares) + " against " + lost);
        }
    }

    @Test
    void orthogonalFactorsHaveNoProduct() {
        LoraInit.Values values = new LoraInit(3, 1).values(InitLoraWeights.Method.ORTHOGONAL, R, IN, OUT);
        double[][] product = product(values, OUT, IN, 1);
        for (int i = 0; i < product[0].length; i++) assertEquals(0, product[0][i], 8 * UNIT * product[1][i]);
        assertTrue(Trained.norm(values.a()) > 1 && Trained.norm(values.b()) > 1);
        assertThrows(IllegalArgumentException.class,
                () -> new LoraInit(3, 1).values(InitLoraWeights.Method.PISSA, R, IN, OUT));
    }
}
