package dev.gale.tensor.cpu;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import jdk.incubator.vector.FloatVector;

/// RMSNorm.
final class Norms {
    private final Team team;
    private float[] weight = new float[0];

    Norms(Team team) {
        this.team = team;
    }

    long bytes() {
        return 4L * weight.length;
    }

    private float[] weight(Tensor w, float shift) {
        int padded = Lanes.roundUp(Math.toIntExact(w.size()));
        if (weight.length < padded) weight = new float[padded];
        Lanes.load(weight, 0, w, 0, (int) w.size());
        if (shift != 0) for (int i = 0; i < w.size(); i++) weight[i] += shift;
        return weight;
    }

    /// Reads a row; what fills the last vector is zero.
    private static void row(float[] to, Tensor x, int row, int cols) {
        Lanes.load(to, 0, x, (long) row * cols, cols);
        java.util.Arrays.fill(to, cols, Lanes.roundUp(cols), 0f);
    }

    void forward(Tensor y, Tensor rstd, Tensor x, Tensor w, float eps, float shift) {
        int cols = (int) w.size();
        int padded = Lanes.roundUp(cols);
        float[] scales = weight(w, shift);
        team.rows((int) rstd.size(), cols, (r, scratch) -> {
            float[] values = scratch.get(Use.A, padded);
            row(values, x, r, cols);
            double mean = (double) Lanes.dot(values, 0, values, 0, padded) / cols;
            float inverse = (float) (1 / Math.sqrt(mean + eps));
            for (int i = 0; i < padded; i += Lanes.WIDTH) {
                Lanes.at(values, i).mul(inverse).mul(Lanes.at(scales, i)).intoArray(values, i);
            }
            Lanes.store(y, (long) r * cols, values, 0, cols);
            scratch.get(Use.B, 1)[0] = inverse;
            Lanes.store(rstd, r, scratch.get(Use.B, 1), 0, 1);
        });
    }

    void backward(Tensor dx, boolean accumulate, Tensor dw, Tensor dy, Tensor x, Tensor w, Tensor rstd, float shift) {
        if (dw != null) weightGradient(dw, dy, x, rstd);
        if (dx == null) return;
        int cols = (int) w.size();
        int padded = Lanes.roundUp(cols);
        float[] scales = weight(w, shift);
        team.rows((int) rstd.size(), cols, (r, scratch) -> {
            float[] values = scratch.get(Use.A, padded);
            float[] upstream = scratch.get(Use.B, padded);
            float[] before = scratch.get(Use.C, padded);
            Lanes.load(before, 0, rstd, r, 1);
            float inverse = before[0];
            row(values, x, r, cols);
            row(upstream, dy, r, cols);
            FloatVector sum = FloatVector.zero(Lanes.F);
            for (int i = 0; i < padded; i += Lanes.WIDTH) {
                FloatVector normed = Lanes.at(values, i).mul(inverse);
                FloatVector g = Lanes.at(upstream, i).mul(Lanes.at(scales, i));
                sum = g.fma(normed, sum);
                normed.intoArray(values, i);
                g.intoArray(upstream, i);
            }
            float mean = Lanes.sum(sum) / cols;
            if (accumulate) row(before, dx, r, cols);
            for (int i = 0; i < padded; i += Lanes.WIDTH) {
                FloatVector share = Lanes.at(upstream, i).sub(Lanes.at(values, i).mul(mean)).mul(inverse);
                (accumulate ? share.add(Lanes.at(before, i)) : share).intoArray(upstream, i);
            }
            Lanes.store(dx, (long) r * cols, upstream, 0, cols);
        });
    }

    private void weightGradient(Tensor dw, Tensor dy, Tensor x, Tensor rstd) {
        int cols = (int) dw.size();
        int rows = (int) rstd.size();
        team.columns(cols, rows, (from, to, scratch) -> {
            int count = to - from;
            float[] sums = scratch.get(Use.A, Team.BLOCK);
            float[] values = scratch.get(Use.B, Team.BLOCK);
            float[] upstream = scratch.get(Use.C, Team.BLOCK);
            float[] inverse = scratch.get(Use.D, Lanes.WIDTH);
            Lanes.load(sums, 0, dw, from, count);
            for (int r = 0; r < rows; r++) {
                Lanes.load(inverse, 0, rstd, r, 1);
                Lanes.load(values, 0, x, (long) r * cols + from, count);
                Lanes.load(upstream, 0, dy, (long) r * cols + from, count);
                for (int i = 0; i < count; i += Lanes.WIDTH) {
                    FloatVector normed = Lanes.at(values, i).mul(inverse[0]);
                    normed.fma(Lanes.at(upstream, i), Lanes.at(sums, i)).intoArray(sums, i);
                }
            }
            Lanes.store(dw, from, sums, 0, count);
        });
    }
}
