package dev.gale.tensor.cpu;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// Norms of weight rows, and columns scaled by them.
final class Scales {
    private final Team team;

    Scales(Team team) {
        this.team = team;
    }

    /// @param gram `[R, R]`, or null
    void rowNorm(Tensor norm, Tensor base, Tensor b, Tensor cross, float[] gram, float scale) {
        int r = b.cols();
        int padded = Lanes.roundUp(r);
        float[] products = gram == null ? null : padded(gram, r, padded);
        team.rows(b.rows(), gram == null ? r : r * r, (row, scratch) -> {
            float[] left = scratch.get(Use.A, padded);
            float[] right = scratch.get(Use.B, padded);
            load(left, b, row, r, padded);
            load(right, cross, row, r, padded);
            float[] one = scratch.get(Use.C, Lanes.WIDTH);
            one[0] = 0;
            if (base != null) Lanes.load(one, 0, base, row, 1);
            float sum = one[0] * one[0] + 2 * scale * Lanes.dot(left, 0, right, 0, padded);
            for (int k = 0; products != null && k < r; k++) {
                sum += scale * left[k] * (scale * Lanes.dot(products, k * padded, left, 0, padded));
            }
            one[0] = (float) Math.sqrt(sum < Float.MIN_NORMAL ? Float.MIN_NORMAL : sum);
            Lanes.store(norm, row, one, 0, 1);
        });
    }

    private static float[] padded(float[] matrix, int r, int padded) {
        float[] rows = new float[r * padded];
        for (int k = 0; k < r; k++) System.arraycopy(matrix, k * r, rows, k * padded, r);
        return rows;
    }

    private static void load(float[] to, Tensor x, int row, int cols, int padded) {
        Lanes.load(to, 0, x, (long) row * cols, cols);
        Arrays.fill(to, cols, padded, 0f);
    }

    void forward(Tensor y, Tensor x, Tensor magnitude, Tensor norm, Tensor bias, Tensor residual) {
        int cols = x.cols();
        team.columns(cols, x.rows(), (from, to, scratch) -> {
            int count = to - from;
            float[] factors = scratch.get(Use.A, Team.BLOCK);
            float[] values = scratch.get(Use.B, Team.BLOCK);
            float[] shift = scratch.get(Use.C, Team.BLOCK);
            float[] rest = scratch.get(Use.D, Team.BLOCK);
            factors(factors, values, magnitude, norm, from, count);
            Arrays.fill(shift, 0, Lanes.roundUp(count), 0f);
            if (bias != null) Lanes.load(shift, 0, bias, from, count);
            for (int r = 0; r < x.rows(); r++) {
                long at = (long) r * cols + from;
                Lanes.load(values, 0, x, at, count);
                if (residual != null) Lanes.load(rest, 0, residual, at, count);
                for (int i = 0; i < count; i += Lanes.WIDTH) {
                    FloatVector value = Lanes.at(values, i).fma(Lanes.at(factors, i), Lanes.at(shift, i));
                    (residual == null ? value : value.add(Lanes.at(rest, i))).intoArray(values, i);
                }
                Lanes.store(y, at, values, 0, count);
            }
        });
    }

    /// `factors = magnitude / norm`.
    private static void factors(float[] factors, float[] norms, Tensor magnitude, Tensor norm, int from, int count) {
        Lanes.load(factors, 0, magnitude, from, count);
        Lanes.load(norms, 0, norm, from, count);
        for (int i = 0; i < count; i++) factors[i] /= norms[i];
    }

    void backward(Tensor dx, Tensor dMagnitude, Tensor dy, Tensor x, Tensor magnitude, Tensor norm) {
        int cols = dy.cols();
        team.columns(cols, dy.rows(), (from, to, scratch) -> {
            int count = to - from;
            float[] factors = scratch.get(Use.A, Team.BLOCK);
            float[] upstream = scratch.get(Use.B, Team.BLOCK);
            float[] values = scratch.get(Use.C, Team.BLOCK);
            float[] sums = scratch.get(Use.D, Team.BLOCK);
            factors(factors, values, magnitude, norm, from, count);
            Arrays.fill(sums, 0, Lanes.roundUp(count), 0f);
            for (int r = 0; r < dy.rows(); r++) {
                long at = (long) r * cols + from;
                Lanes.load(upstream, 0, dy, at, count);
                if (dMagnitude != null) {
                    Lanes.load(values, 0, x, at, count);
                    for (int i = 0; i < count; i += Lanes.WIDTH) {
                        Lanes.at(values, i).fma(Lanes.at(upstream, i), Lanes.at(sums, i)).intoArray(sums, i);
                    }
                }
                if (dx == null) continue;
                for (int i = 0; i < count; i += Lanes.WIDTH) {
                    Lanes.at(upstream, i).mul(Lanes.at(factors, i)).intoArray(upstream, i);
                }
                Lanes.store(dx, at, upstream, 0, count);
            }
            if (dMagnitude == null) return;
            Lanes.load(values, 0, norm, from, count);
            Lanes.load(upstream, 0, dMagnitude, from, count);
            for (int i = 0; i < count; i++) upstream[i] += sums[i] / values[i];
            Lanes.store(dMagnitude, from, upstream, 0, count);
        });
    }
}
