package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import dev.gale.tensor.ops.Quantized8;
import dev.gale.tensor.quant.Dynamic8;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Optimizers whose states are 8-bit codes: a block is read, updated and written at a time, so its F32 numbers never leave
/// the first-level cache.
final class Updates8bit {
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    private final Team team;
    private final float[] signed = Dynamic8.signed();
    private final float[] unsigned = Dynamic8.unsigned();
    private final CodeTable signedCodes = new CodeTable(signed);
    private final CodeTable unsignedCodes = new CodeTable(unsigned);

    Updates8bit(Team team) {
        this.team = team;
    }

    /// A body that takes one block, whose elements begin at `at`.
    @FunctionalInterface
    private interface Body {
        void run(int block, long at, int count, Scratch scratch);
    }

    private void blocks(long n, Body body) {
        team.rows(Dynamic8.blocks(n), Dynamic8.BLOCK, (block, scratch) -> {
            long at = (long) block * Dynamic8.BLOCK;
            body.run(block, at, (int) Math.min(Dynamic8.BLOCK, n - at), scratch);
        });
    }

    void adamW(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        float[] h = Updates.numbers(hyper);
        float root = (float) Math.sqrt((double) h[6]);
        float step = (float) ((double) h[0] * Math.sqrt((double) h[6]) / h[5]);
        float keep = (float) (1 - (double) h[0] * h[4]);
        float scale = Convert.get(factor.segment(), DType.F32, 0);
        blocks(param.size(), (block, at, count, scratch) -> {
            float[] p = scratch.get(Use.A, Dynamic8.BLOCK);
            float[] g = scratch.get(Use.B, Dynamic8.BLOCK);
            float[] first = scratch.get(Use.C, Dynamic8.BLOCK);
            float[] second = scratch.get(Use.D, Dynamic8.BLOCK);
            Lanes.load(p, 0, param, at, count);
            Lanes.load(g, 0, grad, at, count);
            load(first, m, signed, block, at, count);
            load(second, v, unsigned, block, at, count);
            for (int i = 0; i < count; i++) {
                boolean finite = Math.abs(g[i]) < Float.POSITIVE_INFINITY;
                float gradient = g[i] * scale;
                first[i] = finite ? h[1] * first[i] + (1 - h[1]) * gradient : 0;
                second[i] = finite ? h[2] * second[i] + (1 - h[2]) * gradient * gradient : 0;
                float change = step * (first[i] / ((float) Math.sqrt(second[i]) + root * h[3]));
                if (finite) p[i] = (p[i] - change) * keep;
            }
            Lanes.store(param, at, p, 0, count);
            store(m, first, true, block, at, count);
            store(v, second, false, block, at, count);
        });
    }

    void lion(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        float[] h = Updates.numbers(hyper);
        float keep = (float) (1 - (double) h[0] * h[3]);
        float scale = Convert.get(factor.segment(), DType.F32, 0);
        blocks(param.size(), (block, at, count, scratch) -> {
            float[] p = scratch.get(Use.A, Dynamic8.BLOCK);
            float[] g = scratch.get(Use.B, Dynamic8.BLOCK);
            float[] mean = scratch.get(Use.C, Dynamic8.BLOCK);
            Lanes.load(p, 0, param, at, count);
            Lanes.load(g, 0, grad, at, count);
            load(mean, m, signed, block, at, count);
            for (int i = 0; i < count; i++) {
                boolean finite = Math.abs(g[i]) < Float.POSITIVE_INFINITY;
                float gradient = g[i] * scale;
                if (finite) p[i] = p[i] * keep - h[0] * Math.signum(h[1] * mean[i] + (1 - h[1]) * gradient);
                mean[i] = finite ? h[2] * mean[i] + (1 - h[2]) * gradient : 0;
            }
            Lanes.store(param, at, p, 0, count);
            store(m, mean, true, block, at, count);
        });
    }

    private static void load(float[] to, Quantized8 from, float[] values, int block, long at, int count) {
        MemorySegment codes = from.codes().segment();
        float absmax = Convert.get(from.absmax().segment(), DType.F32, block);
        for (int i = 0; i < count; i++) to[i] = values[codes.get(BYTE, at + i) & 0xff] * absmax;
    }

    private void store(Quantized8 to, float[] from, boolean sign, int block, long at, int count) {
        MemorySegment codes = to.codes().segment();
        float absmax = 0;
        for (int i = 0; i < count; i++) absmax = Math.max(absmax, Math.abs(from[i]));
        for (int i = 0; i < count; i++) {
            float share = absmax > 0 ? from[i] / absmax : 0;
            codes.set(BYTE, at + i, (byte) (sign ? signedCodes.nearestSigned(share) : unsignedCodes.nearest(share)));
        }
        Convert.set(to.absmax().segment(), DType.F32, block, absmax);
    }
}
