package dev.gale.tensor.cpu;

import static dev.gale.tensor.cpu.Lanes.F;
import static dev.gale.tensor.cpu.Lanes.WIDTH;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// `c = sum of terms + what it starts from`, each term a matrix product: blocked for the caches, both operands packed
/// into scratch (widening 16-bit weights on the way), all threads.
///
/// Numerics: every element of c is summed over k alone in the same order, whatever m, n, its place and the threads:
/// slices of k of a length that k fixes, one chain of fused multiply-adds in each, slices added one after the other.
/// Source: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.
final class Gemm {
    private static final int ROW_BLOCK = 24 * Tile.ROWS;               // left block of 150 KB: second-level cache
    private static final int COL_BLOCK = Math.max(256, Tile.COLS);     // right block of 320 KB
    private static final double MULTIPLY_NANOS = 2 / 65.0;             // per element, for choosing the split only
    private static final double PACK_LEFT_NANOS = 0.15;
    private static final double PACK_RIGHT_NANOS = 0.4;
    private static final double INLINE_NANOS = 4_000;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final Team team;

    Gemm(Team team) {
        this.team = team;
    }

    /// A matrix as it lies in memory, and whether the product takes it transposed.
    record Operand(Tensor tensor, boolean transposed) {
        int rows() {
            return transposed ? tensor.cols() : tensor.rows();
        }

        int cols() {
            return transposed ? tensor.rows() : tensor.cols();
        }
    }

    /// `alpha * left right`.
    record Term(Operand left, Operand right, float alpha) {
        int depth() {
            return left.cols();
        }
    }

    /// What c is before the first term: its old values with `accumulate`, else `bias + residual`, where null is zero.
    record Start(boolean accumulate, Tensor bias, Tensor residual) {
        static final Start ZERO = new Start(false, null, null);
        static final Start OLD = new Start(true, null, null);

        boolean zero() {
            return !accumulate && bias == null && residual == null;
        }
    }

    /// How [0, m) x [0, n) is cut into tasks.
    private record Split(int rowTasks, int colTasks) {}

    void run(Tensor c, Start start, Term... terms) {
        int m = c.rows();
        int n = c.cols();
        if (m == 0 || n == 0) return;
        long depth = 0;
        for (Term term : terms) depth += term.depth();
        Split split = split(m, n, depth);
        int rowTiles = (m + Tile.ROWS - 1) / Tile.ROWS;
        int colTiles = (n + Tile.COLS - 1) / Tile.COLS;
        team.tasks(split.rowTasks * split.colTasks, (task, scratch) -> {
            int i = task / split.colTasks;
            int j = task % split.colTasks;
            int row0 = border(rowTiles, i, split.rowTasks) * Tile.ROWS;
            int row1 = Math.min(m, border(rowTiles, i + 1, split.rowTasks) * Tile.ROWS);
            int col0 = border(colTiles, j, split.colTasks) * Tile.COLS;
            int col1 = Math.min(n, border(colTiles, j + 1, split.colTasks) * Tile.COLS);
            for (int col = col0; col < col1; col += COL_BLOCK) {
                columns(c, start, terms, row0, row1, col, Math.min(col1, col + COL_BLOCK), scratch);
            }
        });
    }

    private static int border(int tiles, int part, int parts) {
        return (int) ((long) tiles * part / parts);
    }

    /// The split with the least estimated time of the slowest thread. More tasks even out threads that the system
    /// disturbs, fewer pack less.
    private Split split(int m, int n, long depth) {
        int threads = team.workers.threads();
        Split best = new Split(1, 1);
        if (threads == 1 || m * (double) n * depth * MULTIPLY_NANOS < INLINE_NANOS) return best;
        double least = Double.POSITIVE_INFINITY;
        int rowTiles = (m + Tile.ROWS - 1) / Tile.ROWS;
        int colTiles = (n + Tile.COLS - 1) / Tile.COLS;
        int most = 4 * threads;
        for (int colTasks = 1; colTasks <= Math.min(colTiles, most); colTasks++) {
            for (int rowTasks = 1; rowTasks <= Math.min(rowTiles, most / colTasks); rowTasks++) {
                double rows = Tile.ROWS * Math.ceilDiv(rowTiles, rowTasks);
                double cols = Tile.COLS * Math.ceilDiv(colTiles, colTasks);
                double one = depth * (rows * cols * MULTIPLY_NANOS + cols * PACK_RIGHT_NANOS
                        + rows * Math.ceil(cols / COL_BLOCK) * PACK_LEFT_NANOS);
                double time = (Math.ceilDiv(rowTasks * colTasks, threads) + 0.1) * one;
                if (time < least) {
                    least = time;
                    best = new Split(rowTasks, colTasks);
                }
            }
        }
        return best;
    }

    private static void columns(Tensor c, Start start, Term[] terms, int row0, int row1, int col0, int col1,
                                Scratch scratch) {
        float[] left = scratch.get(Use.LEFT, ROW_BLOCK * Tile.DEPTH);
        float[] right = scratch.get(Use.PANELS, COL_BLOCK * Tile.DEPTH);
        float[] stage = scratch.get(Use.STAGE, Tile.COLS * Tile.DEPTH + COL_BLOCK);
        float[] tile = scratch.get(Use.TILE, Tile.ROWS * Tile.COLS);
        boolean fresh = start.zero();
        if (!fresh && !start.accumulate) begin(c, start, row0, row1, col0, col1, stage);
        for (Term term : terms) {
            int depth = term.depth();
            int slices = Math.ceilDiv(depth, Tile.DEPTH);
            for (int s = 0; s < slices; s++) {
                int k0 = (int) ((long) depth * s / slices);
                int k1 = (int) ((long) depth * (s + 1) / slices);
                packRight(right, stage, term.right, k0, k1, col0, col1);
                for (int row = row0; row < row1; row += ROW_BLOCK) {
                    int end = Math.min(row1, row + ROW_BLOCK);
                    packLeft(left, stage, term.left, row, end, k0, k1);
                    block(c, term.alpha, fresh, row, end, col0, col1, left, right, k1 - k0, tile);
                }
                fresh = false;
            }
        }
        if (fresh) fillZero(c, row0, row1, col0, col1);
    }

    private static void block(Tensor c, float alpha, boolean fresh, int row0, int row1, int col0, int col1,
                              float[] left, float[] right, int depth, float[] tile) {
        MemorySegment to = c.segment();
        long stride = c.cols();
        for (int col = col0; col < col1; col += Tile.COLS) {
            int cols = Math.min(Tile.COLS, col1 - col);
            for (int row = row0; row < row1; row += Tile.ROWS) {
                Tile.multiply(left, (row - row0) * Tile.DEPTH, right, (col - col0) * depth, depth,
                        tile, 0, Tile.COLS, false);
                int rows = Math.min(Tile.ROWS, row1 - row);
                long at = (row * stride + col) * 4;
                if (cols == Tile.COLS) merge(to, at, stride * 4, tile, rows, alpha, fresh);
                else mergePart(to, at, stride * 4, tile, rows, cols, alpha, fresh);
            }
        }
    }

    /// `c = alpha * tile` when fresh, else `c += alpha * tile`.
    private static void merge(MemorySegment c, long at, long stride, float[] tile, int rows, float alpha,
                              boolean fresh) {
        FloatVector scale = FloatVector.broadcast(F, alpha);
        for (int r = 0; r < rows; r++, at += stride) {
            FloatVector first = FloatVector.fromArray(F, tile, r * Tile.COLS);
            FloatVector second = FloatVector.fromArray(F, tile, r * Tile.COLS + WIDTH);
            long next = at + 4L * WIDTH;
            if (fresh) {
                first.mul(scale).intoMemorySegment(c, at, ORDER);
                second.mul(scale).intoMemorySegment(c, next, ORDER);
            } else {
                first.fma(scale, FloatVector.fromMemorySegment(F, c, at, ORDER)).intoMemorySegment(c, at, ORDER);
                second.fma(scale, FloatVector.fromMemorySegment(F, c, next, ORDER)).intoMemorySegment(c, next, ORDER);
            }
        }
    }

    private static void mergePart(MemorySegment c, long at, long stride, float[] tile, int rows, int cols, float alpha,
                                  boolean fresh) {
        for (int r = 0; r < rows; r++, at += stride) {
            for (int j = 0; j < cols; j++) {
                float value = tile[r * Tile.COLS + j];
                float sum = fresh ? alpha * value : Math.fma(alpha, value, c.get(FLOAT, at + 4L * j));
                c.set(FLOAT, at + 4L * j, sum);
            }
        }
    }

    /// `c = bias + residual`.
    private static void begin(Tensor c, Start start, int row0, int row1, int col0, int col1, float[] stage) {
        int cols = col1 - col0;
        int padded = Lanes.roundUp(cols);
        if (start.bias != null) Lanes.load(stage, 0, start.bias, col0, cols);
        else Arrays.fill(stage, 0, cols, 0f);
        for (int row = row0; row < row1; row++) {
            long at = (long) row * c.cols() + col0;
            if (start.residual == null) {
                Lanes.store(c, at, stage, 0, cols);
                continue;
            }
            Lanes.load(stage, padded, start.residual, at, cols);
            for (int j = 0; j < padded; j += WIDTH) {
                Lanes.at(stage, j).add(Lanes.at(stage, padded + j)).intoArray(stage, padded + j);
            }
            Lanes.store(c, at, stage, padded, cols);
        }
    }

    private static void fillZero(Tensor c, int row0, int row1, int col0, int col1) {
        for (int row = row0; row < row1; row++) {
            c.segment().asSlice(((long) row * c.cols() + col0) * 4, (col1 - col0) * 4L).fill((byte) 0);
        }
    }

    /// Rows of the left operand, `DEPTH` apart; rows that fill the last tile are zero.
    private static void packLeft(float[] left, float[] stage, Operand operand, int row0, int row1, int k0, int k1) {
        Tensor tensor = operand.tensor;
        long stride = tensor.cols();
        int rows = row1 - row0;
        int depth = k1 - k0;
        if (operand.transposed) {
            for (int k = 0; k < depth; k++) {
                Lanes.load(stage, 0, tensor, (k0 + k) * stride + row0, rows);
                for (int r = 0; r < rows; r++) left[r * Tile.DEPTH + k] = stage[r];
            }
        } else {
            for (int r = 0; r < rows; r++) Lanes.load(left, r * Tile.DEPTH, tensor, (row0 + r) * stride + k0, depth);
        }
        for (int r = rows; r < Tile.paddedRows(rows); r++) {
            Arrays.fill(left, r * Tile.DEPTH, r * Tile.DEPTH + depth, 0f);
        }
    }

    private static void packRight(float[] right, float[] stage, Operand operand, int k0, int k1, int col0, int col1) {
        Tensor tensor = operand.tensor;
        long stride = tensor.cols();
        int depth = k1 - k0;
        if (operand.transposed) {
            for (int col = col0; col < col1; col += Tile.COLS) {
                int cols = Math.min(Tile.COLS, col1 - col);
                for (int j = 0; j < cols; j++) {
                    Lanes.load(stage, j * Tile.DEPTH, tensor, (col + j) * stride + k0, depth);
                }
                Tile.panelTransposed(right, (col - col0) * depth, stage, 0, Tile.DEPTH, cols, depth);
            }
        } else {
            for (int k = 0; k < depth; k++) {
                Lanes.load(stage, 0, tensor, (k0 + k) * stride + col0, col1 - col0);
                Tile.spread(right, k * Tile.COLS, depth * Tile.COLS, stage, 0, col1 - col0);
            }
        }
    }
}
