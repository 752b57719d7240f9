package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import dev.gale.tensor.ops.Columns;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;

/// Sums, copies and lookups: bound by memory.
final class Elementwise {
    private final Team team;

    Elementwise(Team team) {
        this.team = team;
    }

    void copy(Tensor dst, Tensor src) {
        team.blocks(dst.size(), (at, count, scratch) -> {
            if (dst.dtype() == src.dtype()) {
                long bytes = dst.dtype().bytes();
                MemorySegment.copy(src.segment(), at * bytes, dst.segment(), at * bytes, count * bytes);
            } else {
                float[] values = scratch.get(Use.A, Team.BLOCK);
                Lanes.load(values, 0, src, at, count);
                Lanes.store(dst, at, values, 0, count);
            }
        });
    }

    void fill(Tensor dst, float value) {
        DType dtype = dst.dtype();
        if (Float.floatToRawIntBits(value) == 0) {
            team.blocks(dst.byteSize(), (at, count, scratch) -> dst.segment().asSlice(at, count).fill((byte) 0));
            return;
        }
        team.blocks(dst.size(), (at, count, scratch) -> {
            for (int i = 0; i < count; i++) Convert.set(dst.segment(), dtype, at + i, value);
        });
    }

    void add(Tensor y, Tensor a, Tensor b) {
        team.blocks(y.size(), (at, count, scratch) -> {
            float[] left = scratch.get(Use.A, Team.BLOCK);
            float[] right = scratch.get(Use.B, Team.BLOCK);
            Lanes.load(left, 0, a, at, count);
            Lanes.load(right, 0, b, at, count);
            for (int i = 0; i < count; i += Lanes.WIDTH) Lanes.at(left, i).add(Lanes.at(right, i)).intoArray(left, i);
            Lanes.store(y, at, left, 0, count);
        });
    }

    void addScaled(Tensor y, Tensor x, float scale) {
        team.blocks(y.size(), (at, count, scratch) -> {
            float[] sum = scratch.get(Use.A, Team.BLOCK);
            float[] share = scratch.get(Use.B, Team.BLOCK);
            Lanes.load(sum, 0, y, at, count);
            Lanes.load(share, 0, x, at, count);
            Lanes.addScaled(sum, 0, scale, share, 0, Lanes.roundUp(count));
            Lanes.store(y, at, sum, 0, count);
        });
    }

    void scale(Tensor y, Tensor x, float factor, float cap) {
        team.blocks(y.size(), (at, count, scratch) -> {
            float[] values = scratch.get(Use.A, Team.BLOCK);
            Lanes.load(values, 0, x, at, count);
            for (int i = 0; i < count; i += Lanes.WIDTH) {
                FloatVector scaled = Lanes.at(values, i).mul(factor);
                (cap > 0 ? Maths.softcap(scaled, cap) : scaled).intoArray(values, i);
            }
            Lanes.store(y, at, values, 0, count);
        });
    }

    void copyColumns(Tensor dst, Tensor src, Columns columns, boolean accumulate) {
        int width = columns.width();
        boolean sums = columns.toStep() == 0;
        team.rows(dst.rows(), columns.blocks() * width, (r, scratch) -> {
            float[] values = scratch.get(Use.A, width + Lanes.WIDTH);
            float[] before = scratch.get(Use.B, width + Lanes.WIDTH);
            for (int b = 0; b < columns.blocks(); b++) {
                long at = (long) r * dst.cols() + columns.to() + (long) b * columns.toStep();
                long from = (long) r * src.cols() + columns.from() + (long) b * columns.fromStep();
                Lanes.load(values, 0, src, from, width);
                if (accumulate && !(sums && b > 0)) {
                    Lanes.load(before, 0, dst, at, width);
                    Lanes.addScaled(values, 0, 1f, before, 0, Lanes.roundUp(width));
                } else if (sums && b > 0) {
                    Lanes.addScaled(values, 0, 1f, before, 0, Lanes.roundUp(width));
                }
                if (sums && b + 1 < columns.blocks()) System.arraycopy(values, 0, before, 0, width);
                else Lanes.store(dst, at, values, 0, width);
            }
        });
    }

    void columnSum(Tensor sums, Tensor x) {
        int cols = x.cols();
        team.columns(cols, x.rows(), (from, to, scratch) -> {
            float[] total = scratch.get(Use.A, Team.BLOCK);
            float[] row = scratch.get(Use.B, Team.BLOCK);
            Lanes.load(total, 0, sums, from, to - from);
            for (int r = 0; r < x.rows(); r++) {
                Lanes.load(row, 0, x, (long) r * cols + from, to - from);
                for (int i = 0; i < to - from; i += Lanes.WIDTH) {
                    Lanes.at(total, i).add(Lanes.at(row, i)).intoArray(total, i);
                }
            }
            Lanes.store(sums, from, total, 0, to - from);
        });
    }

    void gatherRows(Tensor y, Tensor table, Tensor ids) {
        int cols = y.cols();
        team.rows(y.rows(), cols, (r, scratch) -> {
            float[] row = scratch.get(Use.A, cols);
            long from = (long) Objects.checkIndex(Convert.getInt(ids.segment(), r), table.rows()) * cols;
            Lanes.load(row, 0, table, from, cols);
            Lanes.store(y, (long) r * cols, row, 0, cols);
        });
    }

    /// Threads share the columns, so that each row of the table is summed in order of ids.
    void scatterAddRows(Tensor dTable, Tensor dy, Tensor ids) {
        int cols = dy.cols();
        for (int r = 0; r < dy.rows(); r++) Objects.checkIndex(Convert.getInt(ids.segment(), r) + 1, dTable.rows() + 1);
        team.columns(cols, dy.rows(), (from, to, scratch) -> {
            float[] total = scratch.get(Use.A, Team.BLOCK);
            float[] row = scratch.get(Use.B, Team.BLOCK);
            for (int r = 0; r < dy.rows(); r++) {
                if (Convert.getInt(ids.segment(), r) < 0) continue;
                long at = (long) Convert.getInt(ids.segment(), r) * cols + from;
                Lanes.load(total, 0, dTable, at, to - from);
                Lanes.load(row, 0, dy, (long) r * cols + from, to - from);
                for (int i = 0; i < to - from; i += Lanes.WIDTH) {
                    Lanes.at(total, i).add(Lanes.at(row, i)).intoArray(total, i);
                }
                Lanes.store(dTable, at, total, 0, to - from);
            }
        });
    }
}
