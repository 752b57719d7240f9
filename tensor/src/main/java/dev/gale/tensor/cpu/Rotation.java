package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import dev.gale.tensor.ops.AttentionSpec;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/// Rotary position embedding.
final class Rotation {
    private final Team team;

    Rotation(Team team) {
        this.team = team;
    }

    /// Rotates every head of x in place.
    void rotate(Tensor x, Tensor cos, Tensor sin, Tensor positions, AttentionSpec spec, boolean transpose) {
        int cols = x.cols();
        int half = cos.cols();
        int padded = Lanes.roundUp(half);
        float direction = transpose ? -1f : 1f;
        team.rows(x.rows(), cols, (r, scratch) -> {
            float[] row = scratch.get(Use.A, cols + padded);
            float[] angles = scratch.get(Use.B, 2 * padded);
            int position = Objects.checkIndex(Convert.getInt(positions.segment(), r), cos.rows());
            Lanes.load(row, 0, x, (long) r * cols, cols);
            Lanes.load(angles, 0, cos, (long) position * half, half);
            Lanes.load(angles, padded, sin, (long) position * half, half);
            Lanes.scale(angles, padded, direction, padded);
            for (int head = 0; head < cols; head += spec.headDim()) {
                if (spec.interleaved()) rotateNeighbours(row, head, angles, half);
                else rotateHead(row, head, angles, half);
            }
            Lanes.store(x, (long) r * cols, row, 0, cols);
        });
    }

    private static void rotateNeighbours(float[] row, int head, float[] angles, int half) {
        int sines = Lanes.roundUp(half);
        for (int i = 0; i < half; i++) {
            float a = row[head + 2 * i];
            float b = row[head + 2 * i + 1];
            row[head + 2 * i] = a * angles[i] - b * angles[sines + i];
            row[head + 2 * i + 1] = b * angles[i] + a * angles[sines + i];
        }
    }

    private static void rotateHead(float[] row, int head, float[] angles, int half) {
        int sines = Lanes.roundUp(half);
        int i = 0;
        for (; i <= half - Lanes.WIDTH; i += Lanes.WIDTH) {
            FloatVector a = Lanes.at(row, head + i);
            FloatVector b = Lanes.at(row, head + half + i);
            FloatVector c = Lanes.at(angles, i);
            FloatVector s = Lanes.at(angles, sines + i);
            a.mul(c).sub(b.mul(s)).intoArray(row, head + i);
            b.mul(c).add(a.mul(s)).intoArray(row, head + half + i);
        }
        for (; i < half; i++) {
            float a = row[head + i];
            float b = row[head + half + i];
            row[head + i] = a * angles[i] - b * angles[sines + i];
            row[head + half + i] = b * angles[i] + a * angles[sines + i];
        }
    }
}
