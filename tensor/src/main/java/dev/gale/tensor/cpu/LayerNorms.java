package dev.gale.tensor.cpu;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// LayerNorm. Rows are padded with what adds nothing to a sum.
final class LayerNorms {
    private final Team team;

    LayerNorms(Team team) {
        this.team = team;
    }

    private static float[] vector(Tensor tensor) {
        float[] values = new float[Lanes.roundUp(Math.toIntExact(tensor.size()))];
        Lanes.load(values, 0, tensor, 0, (int) tensor.size());
        return values;
    }

    private static void row(float[] to, Tensor x, int row, int cols) {
        Lanes.load(to, 0, x, (long) row * cols, cols);
        Arrays.fill(to, cols, Lanes.roundUp(cols), 0f);
    }

    private static float load(Tensor tensor, int i, float[] scratch) {
        Lanes.load(scratch, 0, tensor, i, 1);
        return scratch[0];
    }

    private static void store(Tensor tensor, int i, float value, float[] scratch) {
        scratch[0] = value;
        Lanes.store(tensor, i, scratch, 0, 1);
    }

    void forward(Tensor y, Tensor mean, Tensor rstd, Tensor x, Tensor w, Tensor bias, float eps) {
        int cols = Math.toIntExact(w.size());
        int padded = Lanes.roundUp(cols);
        float[] weights = vector(w);
        float[] shifts = vector(bias);
        team.rows(Math.toIntExact(mean.size()), cols, (r, scratch) -> {
            float[] values = scratch.get(Use.A, padded);
            float[] one = scratch.get(Use.B, Lanes.WIDTH);
            row(values, x, r, cols);
            float center = Lanes.sum(values, 0, padded) / cols;
            for (int i = 0; i < padded; i += Lanes.WIDTH) Lanes.at(values, i).sub(center).intoArray(values, i);
            Arrays.fill(values, cols, padded, 0f);
            double variance = (double) Lanes.dot(values, 0, values, 0, padded) / cols;
            float inverse = (float) (1 / Math.sqrt(variance + eps));
            for (int i = 0; i < padded; i += Lanes.WIDTH) {
                FloatVector normed = Lanes.at(values, i).mul(inverse);
                normed.mul(Lanes.at(weights, i)).add(Lanes.at(shifts, i)).intoArray(values, i);
            }
            Lanes.store(y, (long) r * cols, values, 0, cols);
            store(mean, r, center, one);
            store(rstd, r, inverse, one);
        });
    }

    void backward(Tensor dx, boolean accumulate, Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor w, Tensor mean,
                  Tensor rstd) {
        if (dw != null || dBias != null) parameterGradients(dw, dBias, dy, x, mean, rstd);
        if (dx == null) return;
        int cols = Math.toIntExact(w.size());
        int padded = Lanes.roundUp(cols);
        float[] weights = vector(w);
        team.rows(Math.toIntExact(mean.size()), cols, (r, scratch) -> {
            float[] values = scratch.get(Use.A, padded);
            float[] upstream = scratch.get(Use.B, padded);
            float[] before = scratch.get(Use.C, padded);
            float center = load(mean, r, before);
            float inverse = load(rstd, r, before);
            row(values, x, r, cols);
            row(upstream, dy, r, cols);
            FloatVector sum = FloatVector.zero(Lanes.F);
            FloatVector products = FloatVector.zero(Lanes.F);
            for (int i = 0; i < padded; i += Lanes.WIDTH) {
                FloatVector normed = Lanes.at(values, i).sub(center).mul(inverse);
                FloatVector g = Lanes.at(upstream, i).mul(Lanes.at(weights, i));
                sum = sum.add(g);
                products = g.fma(normed, products);
                normed.intoArray(values, i);
                g.intoArray(upstream, i);
            }
            float gMean = Lanes.sum(sum) / cols;
            float productMean = Lanes.sum(products) / cols;
            if (accumulate) row(before, dx, r, cols);
            for (int i = 0; i < padded; i += Lanes.WIDTH) {
                FloatVector share = Lanes.at(upstream, i).sub(gMean).sub(Lanes.at(values, i).mul(productMean)).mul(inverse);
                (accumulate ? share.add(Lanes.at(before, i)) : share).intoArray(upstream, i);
            }
            Lanes.store(dx, (long) r * cols, upstream, 0, cols);
        });
    }

    private void parameterGradients(Tensor dw, Tensor dBias, Tensor dy, Tensor x, Tensor mean, Tensor rstd) {
        int rows = Math.toIntExact(mean.size());
        int cols = x.size() == 0 ? 0 : Math.toIntExact(x.size() / rows);
        team.columns(cols, rows, (from, to, scratch) -> {
            int count = to - from;
            float[] sums = scratch.get(Use.A, 2 * Team.BLOCK);
            float[] values = scratch.get(Use.B, Team.BLOCK);
            float[] upstream = scratch.get(Use.C, Team.BLOCK);
            float[] one = scratch.get(Use.D, Lanes.WIDTH);
            if (dw != null) Lanes.load(sums, 0, dw, from, count);
            if (dBias != null) Lanes.load(sums, Team.BLOCK, dBias, from, count);
            for (int r = 0; r < rows; r++) {
                float center = load(mean, r, one);
                float inverse = load(rstd, r, one);
                Lanes.load(values, 0, x, (long) r * cols + from, count);
                Lanes.load(upstream, 0, dy, (long) r * cols + from, count);
                for (int i = 0; i < count; i += Lanes.WIDTH) {
                    FloatVector normed = Lanes.at(values, i).sub(center).mul(inverse);
                    FloatVector d = Lanes.at(upstream, i);
                    normed.fma(d, Lanes.at(sums, i)).intoArray(sums, i);
                    Lanes.at(sums, Team.BLOCK + i).add(d).intoArray(sums, Team.BLOCK + i);
                }
            }
            if (dw != null) Lanes.store(dw, from, sums, 0, count);
            if (dBias != null) Lanes.store(dBias, from, sums, Team.BLOCK, count);
        });
    }
}
