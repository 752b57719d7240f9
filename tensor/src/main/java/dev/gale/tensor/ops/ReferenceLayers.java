package dev.gale.tensor.ops;

import static dev.gale.tensor.ops.ReferenceOps.load;
import static dev.gale.tensor.ops.ReferenceOps.store;

import dev.gale.tensor.Tensor;

/// The operations of `LayerOps` and RMSNorm in double.
final class ReferenceLayers {
    private ReferenceLayers() {}

    static void scale(Tensor y, Tensor x, float factor, float cap) {
        double[] values = load(x);
        for (int i = 0; i < values.length; i++) values[i] = Softcap.of(factor * values[i], cap);
        store(y, values, false);
    }

    static void copyColumns(Tensor dst, Tensor src, Columns columns, boolean accumulate) {
        double[] from = load(src);
        double[] to = load(dst);
        for (int r = 0; r < dst.rows(); r++) {
            for (int b = 0; b < columns.blocks(); b++) {
                boolean adds = accumulate || b > 0 && columns.toStep() == 0;
                for (int c = 0; c < columns.width(); c++) {
                    int at = r * dst.cols() + columns.to() + b * columns.toStep() + c;
                    double value = from[r * src.cols() + columns.from() + b * columns.fromStep() + c];
                    to[at] = adds ? to[at] + value : value;
                }
            }
        }
        store(dst, to, false);
    }

    static void rmsNormForward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift) {
        int width = Math.toIntExact(w.size());
        double[] values = load(x);
        double[] weight = load(w);
        double[] scales = new double[values.length / width];
        for (int r = 0; r < scales.length; r++) {
            double squares = 0;
            for (int c = 0; c < width; c++) squares += values[r * width + c] * values[r * width + c];
            scales[r] = 1 / Math.sqrt(squares / width + eps);
            for (int c = 0; c < width; c++) values[r * width + c] *= scales[r] * (shift + weight[c]);
        }
        store(y, values, false);
        store(rstd, scales, false);
    }

    static void rmsNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd,
                                float shift) {
        int width = Math.toIntExact(w.size());
        double[] normed = load(x);
        double[] upstream = load(dy);
        double[] weight = load(w);
        double[] scales = load(rstd);
        double[] weightGrad = new double[width];
        double[] inputGrad = new double[normed.length];
        for (int r = 0; r < scales.length; r++) {
            double mean = 0;
            for (int c = 0; c < width; c++) {
                int i = r * width + c;
                normed[i] *= scales[r];
                weightGrad[c] += upstream[i] * normed[i];
                mean += upstream[i] * (shift + weight[c]) * normed[i] / width;
            }
            for (int c = 0; c < width; c++) {
                int i = r * width + c;
                inputGrad[i] = scales[r] * (upstream[i] * (shift + weight[c]) - normed[i] * mean);
            }
        }
        if (dx != null) store(dx, inputGrad, accumulate);
        if (dw != null) store(dw, weightGrad, true);
    }

    static void layerNormForward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps) {
        int width = Math.toIntExact(w.size());
        double[] values = load(x);
        double[] weight = load(w);
        double[] shift = load(bias);
        double[] means = new double[Math.toIntExact(x.size() / width)];
        double[] scales = new double[Math.toIntExact(x.size() / width)];
        for (int r = 0; r < means.length; r++) {
            double squares = 0;
            for (int c = 0; c < width; c++) means[r] += values[r * width + c] / width;
            for (int c = 0; c < width; c++) squares += Math.pow(values[r * width + c] - means[r], 2);
            scales[r] = 1 / Math.sqrt(squares / width + eps);
            for (int c = 0; c < width; c++) {
                values[r * width + c] = (values[r * width + c] - means[r]) * scales[r] * weight[c] + shift[c];
            }
        }
        store(y, values, false);
        store(mean, means, false);
        store(rstd, scales, false);
    }

    static void layerNormBackward(Tensor dx, boolean accumulate, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w,
                                  Tensor mean, Tensor rstd) {
        int width = Math.toIntExact(w.size());
        double[] normed = load(x);
        double[] upstream = load(dy);
        double[] weight = load(w);
        double[] means = load(mean);
        double[] scales = load(rstd);
        double[] weightGrad = new double[width];
        double[] biasGrad = new double[width];
        double[] inputGrad = new double[normed.length];
        for (int r = 0; r < scales.length; r++) {
            double sum = 0;
            double products = 0;
            for (int c = 0; c < width; c++) {
                int i = r * width + c;
                normed[i] = (normed[i] - means[r]) * scales[r];
                weightGrad[c] += upstream[i] * normed[i];
                biasGrad[c] += upstream[i];
                sum += upstream[i] * weight[c] / width;
                products += upstream[i] * weight[c] * normed[i] / width;
            }
            for (int c = 0; c < width; c++) {
                int i = r * width + c;
                inputGrad[i] = scales[r] * (upstream[i] * weight[c] - sum - normed[i] * products);
            }
        }
        if (dx != null) store(dx, inputGrad, accumulate);
        if (dw != null) store(dw, weightGrad, true);
        if (dBias != null) store(dBias, biasGrad, true);
    }
}
