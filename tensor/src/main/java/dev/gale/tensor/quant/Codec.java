package dev.gale.tensor.quant;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/// Quantizes and dequantizes in host memory, where CPU and GPUs get their quantized weights from: see `Quantization`.
///
/// Numerics: F32, one rounding for each operation: `x * (1 / absmax)` decides the code, `value(code) * absmax` is the element,
/// `value(absmax's code) * factor + offset` a block's absmax. A block with NaN has absmax NaN; one of zeros has code 0, which
/// stands for -1 in NF4, and absmax 0. The offset is the mean, summed in double.
public final class Codec {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final float I8_LARGEST = 127f;
    private static final int TASK_BLOCKS = 1024;
    private static final float[] NF4 = values(false);
    private static final float[] FP4 = values(true);

    private Codec() {}

    private static float[] values(boolean fp4) {
        float[] values = new float[16];
        for (int code = 0; code < values.length; code++) values[code] = fp4 ? Fp4.value(code) : Nf4.value(code);
        return values;
    }

    private static int block(Tensor q) {
        return q.dtype() == DType.I8 ? q.cols() : Nf4.BLOCK;
    }

    /// `to[at + i] = q[index + i]` for count elements of the flattened tensor.
    public static void load(float[] to, int at, Tensor q, long index, int count) {
        int block = block(q);
        MemorySegment codes = q.segment();
        int done = 0;
        while (done < count) {
            long from = index + done;
            int some = (int) Math.min(count - done, block - from % block);
            float absmax = absmax(q, from / block);
            if (q.dtype() == DType.I8) loadBytes(to, at + done, codes, from, some, absmax);
            else loadNibbles(to, at + done, codes, from, some, absmax, q.dtype() == DType.FP4 ? FP4 : NF4);
            done += some;
        }
    }

    private static void loadBytes(float[] to, int at, MemorySegment codes, long from, int count, float absmax) {
        for (int i = 0; i < count; i++) to[at + i] = codes.get(ValueLayout.JAVA_BYTE, from + i) * absmax / I8_LARGEST;
    }

    private static void loadNibbles(float[] to, int at, MemorySegment codes, long from, int count, float absmax,
            float[] values) {
        int i = 0;
        if ((from & 1) == 1) to[at + i++] = values[codes.get(ValueLayout.JAVA_BYTE, from >> 1) & 15] * absmax;
        for (; i + 1 < count; i += 2) {
            int pair = codes.get(ValueLayout.JAVA_BYTE, from + i >> 1);
            to[at + i] = values[pair >> 4 & 15] * absmax;
            to[at + i + 1] = values[pair & 15] * absmax;
        }
        if (i < count) to[at + i] = values[codes.get(ValueLayout.JAVA_BYTE, from + i >> 1) >> 4 & 15] * absmax;
    }

    /// What a block's codes are multiplied with; for INT8 the row's, which is divided by 127 after.
    public static float absmax(Tensor q, long block) {
        Scales scales = q.scales();
        MemorySegment absmax = scales.absmax().segment();
        if (scales.nested() == null) return absmax.get(FLOAT, block * 4);
        MemorySegment nested = scales.nested().segment();
        int code = absmax.get(ValueLayout.JAVA_BYTE, block) & 255;
        float factor = nested.get(FLOAT, (Scales.FACTORS + block / Nf4.NESTED_BLOCK) * 4);
        return nested.get(FLOAT, code * 4L) * factor + nested.get(FLOAT, Scales.OFFSET * 4L);
    }

    /// Writes: codes and scales of q `=` those of src. Both in host memory and of the same size, src of a floating dtype.
    public static void quantize(Tensor q, Tensor src) {
        int block = block(q);
        int blocks = Math.toIntExact(q.size() / Math.max(block, 1));
        float[] absmax = new float[blocks];
        IntStream.range(0, Math.ceilDiv(blocks, TASK_BLOCKS)).parallel().forEach(task -> {
            int end = Math.min(blocks, (task + 1) * TASK_BLOCKS);
            float[] values = new float[block];
            for (int b = task * TASK_BLOCKS; b < end; b++) {
                for (int i = 0; i < block; i++) values[i] = Convert.get(src.segment(), src.dtype(), (long) b * block + i);
                absmax[b] = largest(values);
                encode(q, (long) b * block, values, absmax[b]);
            }
        });
        writeScales(q.scales(), absmax);
    }

    /// NaN if there is one.
    private static float largest(float[] values) {
        float largest = 0;
        for (float value : values) largest = Math.max(largest, Math.abs(value));
        return largest;
    }

    private static void encode(Tensor q, long from, float[] values, float absmax) {
        MemorySegment codes = q.segment();
        if (q.dtype() == DType.I8) {
            float scale = I8_LARGEST / absmax;
            for (int i = 0; i < values.length; i++) {
                double code = Math.clamp(Math.rint(values[i] * scale), -I8_LARGEST, I8_LARGEST);         // NaN: 0
                codes.set(ValueLayout.JAVA_BYTE, from + i, (byte) code);
            }
            return;
        }
        float scale = 1 / absmax;
        for (int i = 0; i < values.length; i += 2) {
            int high = code(q.dtype(), values[i] * scale);
            int low = code(q.dtype(), values[i + 1] * scale);
            codes.set(ValueLayout.JAVA_BYTE, (from + i) / 2, (byte) (high << 4 | low));
        }
    }

    private static int code(DType dtype, float x) {
        return dtype == DType.FP4 ? Fp4.code(x) : Nf4.code(x);
    }

    private static void writeScales(Scales scales, float[] absmax) {
        MemorySegment to = scales.absmax().segment();
        if (scales.nested() == null) {
            MemorySegment.copy(absmax, 0, to, FLOAT, 0, absmax.length);
            return;
        }
        MemorySegment nested = scales.nested().segment();
        float[] values = Dynamic8.signed();
        MemorySegment.copy(values, 0, nested, FLOAT, 0, values.length);
        float offset = (float) (IntStream.range(0, absmax.length).mapToDouble(b -> absmax[b]).sum() / absmax.length);
        nested.set(FLOAT, Scales.OFFSET * 4L, offset);
        for (int begin = 0; begin < absmax.length; begin += Nf4.NESTED_BLOCK) {
            int end = Math.min(absmax.length, begin + Nf4.NESTED_BLOCK);
            float factor = 0;
            for (int b = begin; b < end; b++) factor = Math.max(factor, Math.abs(absmax[b] - offset));
            nested.set(FLOAT, (Scales.FACTORS + begin / Nf4.NESTED_BLOCK) * 4L, factor);
            float scale = 1 / factor;
            for (int b = begin; b < end; b++) {
                int code = Dynamic8.nearest(values, (absmax[b] - offset) * scale);
                to.set(ValueLayout.JAVA_BYTE, b, (byte) code);
            }
        }
    }
}
