package dev.gale.tensor.quant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.testing.Fixtures;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Codes, scales and elements against bitsandbytes' rules, written out as they are told: one comparison with each border.
class CodecTest {
    private static final float[] NF4 = {-1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
            -0.28444138169288635f,
        -0.18477343022823334f, -0.09105003625154495f, 0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f,
        0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1f};
    private static final float[] NF4_BORDERS = {-0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f,
        -0.33967943489551544f, -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
        0.1202552504837513f, 0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f, 0.5016634166240692f,
        0.6427869200706482f, 0.8614784178118011f};
    private static final double[] FP4 = {0, .0625 / 12, 8 / 12., 1, 4 / 12., 6 / 12., 2 / 12., 3 / 12.};

    /// A weight quantized the slow way.
    private record Expected(int[] codes, float[] values) {
        static Expected of(float[] w, Quantization quantization, int cols) {
            int block = quantization == Quantization.INT8 ? cols : 64;
            float[] absmax = new float[w.length / block];
            int[] codes = new int[w.length];
            for (int i = 0; i < w.length; i++) absmax[i / block] = Math.max(absmax[i / block], Math.abs(w[i]));
            for (int i = 0; i < w.length; i++) {
                float largest = absmax[i / block];
                codes[i] = switch (quantization.dtype()) {
                    case NF4 -> nf4(w[i] * (1 / largest));
                    case FP4 -> fp4(w[i] * (1 / largest));
                    default -> (int) Math.clamp(Math.rint(w[i] * (127 / largest)), -127.0, 127.0);
                };
            }
            if (quantization.nested()) absmax = nested(absmax);
            float[] values = new float[w.length];
            for (int i = 0; i < w.length; i++) {
                values[i] = switch (quantization.dtype()) {
                    case NF4 -> NF4[codes[i]] * absmax[i / block];
                    case FP4 -> (float) (codes[i] < 8 ? FP4[codes[i]] : -FP4[codes[i] - 8]) * absmax[i / block];
                    default -> codes[i] * absmax[i / block] / 127;
                };
            }
            return new Expected(codes, values);
        }

        private static int nf4(float x) {
            return (int) IntStream.range(0, 15).filter(k -> x > NF4_BORDERS[k]).count();
        }

        private static int fp4(float x) {
            Integer[] order = {0, 1, 6, 7, 4, 5, 2, 3};
            int rank = 0;
            while (rank < 7 && Math.abs(x) > (float) ((FP4[order[rank]] + FP4[order[rank + 1]]) / 2)) rank++;
            return order[rank] + (x < 0 ? 8 : 0);
        }

        private static float[] nested(float[] absmax) {
            float[] map = Dynamic8.signed();
            double sum = 0;
            for (float value : absmax) sum += value;
            float offset = (float) (sum / absmax.length);
            float[] restored = new float[absmax.length];
            for (int from = 0; from < absmax.length; from += 256) {
                int to = Math.min(absmax.length, from + 256);
                float factor = 0;
                for (int b = from; b < to; b++) factor = Math.max(factor, Math.abs(absmax[b] - offset));
                for (int b = from; b < to; b++) {
                    float x = (absmax[b] - offset) * (1 / factor);
                    int best = 0;
                    for (int code = 1; code < 256; code++) {
                        if (x > 0.5f * (map[code - 1] + map[code])) best = code;
                    }
                    restored[b] = map[best] * factor + offset;
                }
            }
            return restored;
        }
    }

    private static void check(float[] w, Quantization quantization, int cols) {
        Expected want = Expected.of(w, quantization, cols);
        try (ReferenceOps ops = new ReferenceOps()) {
            Tensor src = ops.allocate("w", DType.F32, Shape.of(w.length / cols, cols));
            Tensor q = ops.allocate("q", quantization, src.shape());
            ops.write(src, w);
            ops.quantize(q, src);
            float[] got = new float[w.length];
            Codec.load(got, 0, q, 0, w.length);
            for (int i = 0; i < w.length; i++) {
                int code = quantization == Quantization.INT8 ? q.segment().get(ValueLayout.JAVA_BYTE, i)
                        : q.segment().get(ValueLayout.JAVA_BYTE, i / 2) >> (i % 2 == 0 ? 4 : 0) & 15;
                assertEquals(want.codes[i], code, quantization + " code " + i);
                assertEquals(want.values[i], got[i], quantization + " element " + i);
            }
            for (int from : new int[] {0, 1, 63, 64, 65}) {
                for (int count : new int[] {1, 2, 63, 64, 130}) {
                    float[] part = new float[count + 2];
                    Codec.load(part, 1, q, from, count);
                    for (int i = 0; i < count; i++) assertEquals(got[from + i], part[i + 1]);
                    assertEquals(0f, part[count + 1]);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Quantization.class)
    void codesAndElementsAreThoseOfTheRules(Quantization quantization) {
        int n = 64 * 300;
        check(Fixtures.normal(n, 0.02, 1), quantization, 192);
        check(Fixtures.uniform(n, 2), quantization, 192);
        check(new float[n], quantization, 192);
        float[] constant = new float[n];
        Arrays.fill(constant, -0.37f);
        check(constant, quantization, 192);
        float[] denormal = Fixtures.uniform(n, 3);
        for (int i = 0; i < n; i++) denormal[i] *= 1e-42f;
        check(denormal, quantization, 192);
        float[] huge = Fixtures.uniform(n, 4);
        for (int i = 0; i < n; i++) huge[i] *= 3e38f;
        check(huge, quantization, 192);
        float[] onBorders = new float[n];
        for (int i = 0; i < n; i++) onBorders[i] = i % 64 == 0 ? 1f : NF4_BORDERS[i % 15];
        check(onBorders, quantization, 192);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void theErrorOfFourBitsIsThatOfTheFormat(boolean nested) {
        float[] w = Fixtures.normal(64 * 1000, 1, 9);
        Expected got = Expected.of(w, nested ? Quantization.NF4_NESTED : Quantization.NF4, 640);
        double squares = 0;
        for (int i = 0; i < w.length; i++) squares += Math.pow(w[i] - got.values[i], 2);
        double error = Math.sqrt(squares / w.length);
        assertTrue(error > 0.06 && error < 0.1, "root of the mean squared error " + error);
    }

    @Test
    void aBlockWithNaNIsNaN() {
        float[] w = Fixtures.uniform(128, 1);
        w[70] = Float.NaN;
        try (ReferenceOps ops = new ReferenceOps()) {
            Tensor src = ops.allocate("w", DType.F32, Shape.of(2, 64));
            Tensor q = ops.allocate("q", Quantization.NF4, src.shape());
            ops.write(src, w);
            ops.quantize(q, src);
            float[] got = new float[128];
            Codec.load(got, 0, q, 0, 128);
            for (int i = 0; i < 128; i++) assertEquals(i >= 64, Float.isNaN(got[i]));
        }
    }
}
