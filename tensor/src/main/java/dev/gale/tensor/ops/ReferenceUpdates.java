package dev.gale.tensor.ops;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.quant.Dynamic8;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// `OptimizerOps` as obvious loops over doubles. What codes are made from is F32, as everywhere.
final class ReferenceUpdates {
    private ReferenceUpdates() {}

    private static double[] scaled(Tensor grad, Tensor factor) {
        double scale = ReferenceOps.load(factor)[0];
        return Arrays.stream(ReferenceOps.load(grad)).map(value -> scale * value).toArray();
    }

    static void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        double[] h = ReferenceOps.load(hyper);
        double[] g = scaled(grad, factor);
        double[] p = ReferenceOps.load(param);
        double[] mean = ReferenceOps.load(m);
        for (int i = 0; i < p.length; i++) {
            p[i] = p[i] * (1 - h[0] * h[3]) - h[0] * Math.signum(h[1] * mean[i] + (1 - h[1]) * g[i]);
            mean[i] = h[2] * mean[i] + (1 - h[2]) * g[i];
        }
        ReferenceOps.store(param, p, false);
        ReferenceOps.store(m, mean, false);
    }

    static void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        double[] h = ReferenceOps.load(hyper);
        double[] g = scaled(grad, factor);
        double[] p = ReferenceOps.load(param);
        double[] momentum = m == null ? new double[p.length] : ReferenceOps.load(m);
        for (int i = 0; i < p.length; i++) {
            double change = g[i] + h[2] * p[i];
            momentum[i] = m == null ? change : h[1] * momentum[i] + change;
            p[i] -= h[0] * momentum[i];
        }
        ReferenceOps.store(param, p, false);
        if (m != null) ReferenceOps.store(m, momentum, false);
    }

    static void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor) {
        double[] h = ReferenceOps.load(hyper);
        double lr = h[0], beta1 = h[1], beta2 = h[2], eps = h[3], weightDecay = h[4], c = h[5];
        double[] g = scaled(grad, factor);
        double[] at = ReferenceOps.load(y);
        double[] base = ReferenceOps.load(z);
        double[] second = ReferenceOps.load(v);
        for (int i = 0; i < at.length; i++) {
            second[i] = beta2 * second[i] + (1 - beta2) * g[i] * g[i];
            double change = g[i] / (Math.sqrt(second[i] / h[6]) + eps) + weightDecay * at[i];
            at[i] += c * (base[i] - at[i]) + lr * (beta1 * (1 - c) - 1) * change;
            base[i] -= lr * change;
        }
        ReferenceOps.store(y, at, false);
        ReferenceOps.store(z, base, false);
        ReferenceOps.store(v, second, false);
    }

    static void adafactor(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor) {
        double[] h = ReferenceOps.load(hyper);
        double lr = h[0], beta = h[1], eps = h[2], clip = h[3], weightDecay = h[4];
        double[] g = scaled(grad, factor);
        double[] p = ReferenceOps.load(param);
        double[] change = cols == null ? elementwise(g, rows, beta, eps) : factored(g, rows, cols, beta, eps);
        double squares = 0;
        for (double value : change) squares += value * value;
        double shrink = Math.max(1, Math.sqrt(squares / p.length) / clip);
        for (int i = 0; i < p.length; i++) p[i] = p[i] * (1 - lr * weightDecay) - lr * change[i] / shrink;
        ReferenceOps.store(param, p, false);
    }

    private static double[] elementwise(double[] g, Tensor v, double beta, double eps) {
        double[] second = ReferenceOps.load(v);
        double[] change = new double[g.length];
        for (int i = 0; i < g.length; i++) {
            second[i] = beta * second[i] + (1 - beta) * (g[i] * g[i] + eps);
            change[i] = g[i] / Math.sqrt(second[i]);
        }
        ReferenceOps.store(v, second, false);
        return change;
    }

    private static double[] factored(double[] g, Tensor rows, Tensor cols, double beta, double eps) {
        double[] byRow = ReferenceOps.load(rows);
        double[] byColumn = ReferenceOps.load(cols);
        int width = byColumn.length;
        double[] rowMean = new double[byRow.length];
        double[] columnMean = new double[width];
        for (int i = 0; i < g.length; i++) {
            rowMean[i / width] += (g[i] * g[i] + eps) / width;
            columnMean[i % width] += (g[i] * g[i] + eps) / byRow.length;
        }
        for (int r = 0; r < byRow.length; r++) byRow[r] = beta * byRow[r] + (1 - beta) * rowMean[r];
        for (int c = 0; c < width; c++) byColumn[c] = beta * byColumn[c] + (1 - beta) * columnMean[c];
        double mean = Arrays.stream(byRow).sum() / byRow.length;
        double[] change = new double[g.length];
        for (int i = 0; i < g.length; i++) {
            change[i] = g[i] * Math.sqrt(mean / byRow[i / width]) / Math.sqrt(byColumn[i % width]);
        }
        ReferenceOps.store(rows, byRow, false);
        ReferenceOps.store(cols, byColumn, false);
        return change;
    }

    static void adamW8bit(Tensor param, Tensor grad, Quantized8 m, Quantized8 v, Tensor hyper, Tensor factor) {
        double[] h = ReferenceOps.load(hyper);
        double lr = h[0], beta1 = h[1], beta2 = h[2], eps = h[3], weightDecay = h[4];
        double root = Math.sqrt(h[6]);
        double[] raw = ReferenceOps.load(grad);
        double[] g = scaled(grad, factor);
        double[] p = ReferenceOps.load(param);
        double[] first = dequantized(m, Dynamic8.signed());
        double[] second = dequantized(v, Dynamic8.unsigned());
        for (int i = 0; i < p.length; i++) {
            boolean finite = Double.isFinite(raw[i]);
            first[i] = finite ? beta1 * first[i] + (1 - beta1) * g[i] : 0;
            second[i] = finite ? beta2 * second[i] + (1 - beta2) * g[i] * g[i] : 0;
            double change = lr * root / h[5] * first[i] / (Math.sqrt(second[i]) + root * eps);
            if (finite) p[i] = (p[i] - change) * (1 - lr * weightDecay);
        }
        ReferenceOps.store(param, p, false);
        quantize(m, first, true);
        quantize(v, second, false);
    }

    static void lion8bit(Tensor param, Tensor grad, Quantized8 m, Tensor hyper, Tensor factor) {
        double[] h = ReferenceOps.load(hyper);
        double[] raw = ReferenceOps.load(grad);
        double[] g = scaled(grad, factor);
        double[] p = ReferenceOps.load(param);
        double[] mean = dequantized(m, Dynamic8.signed());
        for (int i = 0; i < p.length; i++) {
            boolean finite = Double.isFinite(raw[i]);
            double sign = Math.signum(h[1] * mean[i] + (1 - h[1]) * g[i]);
            if (finite) p[i] = p[i] * (1 - h[0] * h[3]) - h[0] * sign;
            mean[i] = finite ? h[2] * mean[i] + (1 - h[2]) * g[i] : 0;
        }
        ReferenceOps.store(param, p, false);
        quantize(m, mean, true);
    }

    private static double[] dequantized(Quantized8 state, float[] values) {
        double[] absmax = ReferenceOps.load(state.absmax());
        double[] numbers = new double[Math.toIntExact(state.codes().size())];
        for (int i = 0; i < numbers.length; i++) {
            int code = Byte.toUnsignedInt(state.codes().segment().get(ValueLayout.JAVA_BYTE, i));
            numbers[i] = values[code] * absmax[i / Dynamic8.BLOCK];
        }
        return numbers;
    }

    private static void quantize(Quantized8 state, double[] numbers, boolean signed) {
        float[] values = signed ? Dynamic8.signed() : Dynamic8.unsigned();
        double[] absmax = new double[Dynamic8.blocks(numbers.length)];
        for (int i = 0; i < numbers.length; i++) {
            int block = i / Dynamic8.BLOCK;
            absmax[block] = Math.max(absmax[block], Math.abs((float) numbers[i]));
        }
        for (int i = 0; i < numbers.length; i++) {
            float largest = (float) absmax[i / Dynamic8.BLOCK];
            float share = largest > 0 ? (float) numbers[i] / largest : 0;
            int code = signed ? Dynamic8.nearestSigned(values, share) : Dynamic8.nearest(values, share);
            state.codes().segment().set(ValueLayout.JAVA_BYTE, i, (byte) code);
        }
        ReferenceOps.store(state.absmax(), absmax, false);
    }
}
