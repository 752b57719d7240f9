package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;

/// Adafactor: means over rows and columns of a matrix instead of a second moment for every element.
/// Numerics: F32 elements, F64 sums, in an order that shapes alone decide.
final class Adafactor {
    private final Team team;
    private double[] partial = new double[1];

    Adafactor(Team team) {
        this.team = team;
    }

    long bytes() {
        return 8L * partial.length;
    }

    private record Numbers(float lr, float beta, float eps, double clip, float keep, float scale) {
        static Numbers of(Tensor hyper, Tensor factor) {
            float[] h = Updates.numbers(hyper);
            return new Numbers(h[0], h[1], h[2], h[3], (float) (1 - (double) h[0] * h[4]),
                    Convert.get(factor.segment(), DType.F32, 0));
        }
    }

    /// A vector is one row, and its second moment one of it.
    void run(Tensor param, Tensor grad, Tensor rows, Tensor cols, Tensor hyper, Tensor factor) {
        Numbers numbers = Numbers.of(hyper, factor);
        int width = param.cols();
        int height = param.rows();
        if (param.size() == 0) return;
        if (partial.length < height) partial = new double[height];
        double mean = 1;
        if (cols != null) {
            team.rows(height, width, (r, scratch) -> rowMean(r, scratch, grad, rows, numbers));
            columnMeans(grad, cols, numbers);
            mean = 0;
            for (int r = 0; r < height; r++) mean += Convert.get(rows.segment(), DType.F32, r);
            mean /= height;
        }
        double rowsMean = mean;
        team.rows(height, width, (r, scratch) -> {
            float[] change = scratch.get(Use.A, width);
            if (cols == null) updateMoment(r, scratch, grad, rows, numbers);
            change(r, change, scratch, grad, rows, cols, rowsMean, numbers);
            double squares = 0;
            for (int c = 0; c < width; c++) squares += (double) change[c] * change[c];
            partial[r] = squares;
        });
        double squares = 0;
        for (int r = 0; r < height; r++) squares += partial[r];
        float rate = (float) (numbers.lr / Math.max(1, Math.sqrt(squares / param.size()) / numbers.clip));
        team.rows(height, width, (r, scratch) -> {
            float[] change = scratch.get(Use.A, width);
            float[] p = scratch.get(Use.B, width);
            change(r, change, scratch, grad, rows, cols, rowsMean, numbers);
            Lanes.load(p, 0, param, (long) r * width, width);
            for (int c = 0; c < width; c++) p[c] = p[c] * numbers.keep - rate * change[c];
            Lanes.store(param, (long) r * width, p, 0, width);
        });
    }

    private static void rowMean(int r, Scratch scratch, Tensor grad, Tensor rows, Numbers numbers) {
        int width = grad.cols();
        float[] g = gradients(r, scratch, grad, numbers);
        double sum = 0;
        for (int c = 0; c < width; c++) sum += g[c] * g[c] + numbers.eps;
        float before = Convert.get(rows.segment(), DType.F32, r);
        Convert.set(rows.segment(), DType.F32, r, numbers.beta * before + (1 - numbers.beta) * (float) (sum / width));
    }

    private static float[] gradients(int r, Scratch scratch, Tensor grad, Numbers numbers) {
        int width = grad.cols();
        float[] g = scratch.get(Use.C, width);
        Lanes.load(g, 0, grad, (long) r * width, width);
        for (int c = 0; c < width; c++) g[c] *= numbers.scale;
        return g;
    }

    private void columnMeans(Tensor grad, Tensor cols, Numbers numbers) {
        int width = grad.cols();
        int height = grad.rows();
        team.columns(width, height, (from, to, scratch) -> {
            double[] sums = new double[to - from];
            float[] g = scratch.get(Use.A, Team.BLOCK);
            for (int r = 0; r < height; r++) {
                Lanes.load(g, 0, grad, (long) r * width + from, to - from);
                for (int c = 0; c < sums.length; c++) {
                    float scaled = g[c] * numbers.scale;
                    sums[c] += scaled * scaled + numbers.eps;
                }
            }
            for (int c = 0; c < sums.length; c++) {
                float before = Convert.get(cols.segment(), DType.F32, from + c);
                Convert.set(cols.segment(), DType.F32, from + c,
                        numbers.beta * before + (1 - numbers.beta) * (float) (sums[c] / height));
            }
        });
    }

    private static void updateMoment(int r, Scratch scratch, Tensor grad, Tensor v, Numbers numbers) {
        int width = grad.cols();
        float[] g = gradients(r, scratch, grad, numbers);
        float[] second = scratch.get(Use.D, width);
        Lanes.load(second, 0, v, (long) r * width, width);
        for (int c = 0; c < width; c++) {
            second[c] = numbers.beta * second[c] + (1 - numbers.beta) * (g[c] * g[c] + numbers.eps);
        }
        Lanes.store(v, (long) r * width, second, 0, width);
    }

    /// `change = u` of row r, before it is clipped.
    private static void change(int r, float[] change, Scratch scratch, Tensor grad, Tensor rows, Tensor cols, double rowsMean,
            Numbers numbers) {
        int width = grad.cols();
        float[] g = gradients(r, scratch, grad, numbers);
        float[] second = scratch.get(Use.D, width);
        float byRow = 1;
        if (cols == null) {
            Lanes.load(second, 0, rows, (long) r * width, width);
        } else {
            Lanes.load(second, 0, cols, 0, width);
            byRow = (float) Math.sqrt(rowsMean / Convert.get(rows.segment(), DType.F32, r));
        }
        for (int c = 0; c < width; c++) change[c] = g[c] * byRow / (float) Math.sqrt(second[c]);
    }
}
