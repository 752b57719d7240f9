package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// Products with one narrow side, as adapters have: their depth is split between work-groups, whose sums a second kernel
/// adds in a fixed order.
///
/// | product | tall | flat | transposed | alpha | c |
/// |---|---|---|---|---|---|
/// | low = input aᵀ | input, by row | a, by row | 0 | 1 | = |
/// | dLow = scale dy b | dy, by row | b, by depth | 0 | scale | = |
/// | dA += dLowᵀ input | input, by depth | dLow, by depth | 1 | 1 | += |
/// | dB += scale dyᵀ low | dy, by depth | low, by depth | 0 | scale | += |
public final class SkinnyKernels {
    /// Threads of a work-group.
    public static final int GROUP = 256;
    /// Rows of the tall and of the flat operand that a group takes.
    public static final int TALL = 128;
    public static final int FLAT = 16;

    private static final int DEPTH = 16;             // of a tile along the sums
    private static final int TALL_STRIDE = TALL + 2; // both strides keep stores free of bank conflicts
    private static final int FLAT_STRIDE = FLAT + 2;
    private static final int LEAST_DEPTH = 512;
    private static final int MOST_PARTS = 16;

    private SkinnyKernels() {}

    /// How much depth one part sums, from the depth alone.
    public static int partDepth(int depth) {
        return Math.max(LEAST_DEPTH, Math.ceilDiv(Math.ceilDiv(depth, MOST_PARTS), DEPTH) * DEPTH);
    }

    /// How many parts there are: 1 at least, so that a depth of 0 gives zeros.
    public static int parts(int depth) {
        return Math.max(1, Math.ceilDiv(depth, partDepth(depth)));
    }

    /// `parts[p, i, j] = sum_l tall(i, l) flat(j, l)` over the l of part p; transposed, `parts[p, j, i]`.
    /// Shapes: tall `[rows, depth]` or, by depth, `[depth, rows]`, F32, BF16 or F16; flat `[cols, depth]` or `[depth, cols]`,
    /// F32; parts F32 `[parts(depth), rows, cols]` or `[.., cols, rows]`. Operands in the table: parts, tall, flat.
    /// Launch: `ceil(rows / TALL)` x `ceil(cols / FLAT) * parts(depth)` groups of `GROUP` x 1 threads; 9.4 KB of local
    /// memory.
    /// Numerics: serial F32 sums. Writes: `=`.
    ///
    /// @param partDepth from `partDepth(depth)`
    public static void skinnyParts(KernelContext context, IntArray table, int slot, FloatArray parts, FloatArray tall,
            ShortArray tallHalf, FloatArray flat, int tallType, int tallByDepth, int flatByDepth, int transposed,
            int rows, int cols, int depth, int partDepth) {
        float[] left = context.allocateFloatLocalArray(DEPTH * TALL_STRIDE);
        float[] right = context.allocateFloatLocalArray(DEPTH * FLAT_STRIDE);
        float[] pin = new float[1];
        int atTall = table.get(slot + 1);
        int atFlat = table.get(slot + 2);
        int thread = context.localIdx;
        int flatTiles = (cols + FLAT - 1) / FLAT;
        int part = context.groupIdy / flatTiles;
        int top = context.groupIdx * TALL;
        int first = (context.groupIdy - part * flatTiles) * FLAT;
        int tallRow = tallByDepth == 1 ? thread & 127 : thread >> 4;
        int tallDepth = tallByDepth == 1 ? thread >> 7 : thread & 15;
        int flatRow = flatByDepth == 1 ? thread & 15 : thread >> 4;
        int flatDepth = flatByDepth == 1 ? thread >> 4 : thread & 15;
        int dt = tallByDepth == 1 ? 0 : 16;          // a thread's eight elements: so many rows or depths apart
        int lt = tallByDepth == 1 ? 2 : 0;
        int r = thread & 31;
        int c = thread >> 5;
        float s00 = 0f, s01 = 0f, s10 = 0f, s11 = 0f, s20 = 0f, s21 = 0f, s30 = 0f, s31 = 0f;
        int end = part * partDepth + partDepth < depth ? part * partDepth + partDepth : depth;
        for (int l = part * partDepth; l < end; l += DEPTH) {
            for (int p = 0; p < 8; p++) {
                left[(tallDepth + p * lt) * TALL_STRIDE + tallRow + p * dt] = MatmulKernels.element(tall, tallHalf,
                        tallType, atTall, tallByDepth, top + tallRow + p * dt, l + tallDepth + p * lt, rows, depth);
            }
            right[flatDepth * FLAT_STRIDE + flatRow] = MatmulKernels.element(flat, tallHalf, Elements.F32, atFlat,
                    flatByDepth, first + flatRow, l + flatDepth, cols, depth);
            context.localBarrier();
            for (int i = 0; i < DEPTH; i++) {
                int tallAt = i * TALL_STRIDE + r;
                int flatAt = i * FLAT_STRIDE + c;
                float a0 = left[tallAt], a1 = left[tallAt + 32], a2 = left[tallAt + 64], a3 = left[tallAt + 96];
                float b0 = right[flatAt], b1 = right[flatAt + 8];
                s00 += a0 * b0; s01 += a0 * b1; s10 += a1 * b0; s11 += a1 * b1;
                s20 += a2 * b0; s21 += a2 * b1; s30 += a3 * b0; s31 += a3 * b1;
            }
            pin[0] = s00;                            // a store keeps the compiler's reads of the tiles before the barrier
            context.localBarrier();
        }
        int at = table.get(slot) + part * rows * cols;
        put(parts, at, transposed, top + r, first + c, rows, cols, s00);
        put(parts, at, transposed, top + r, first + c + 8, rows, cols, s01);
        put(parts, at, transposed, top + r + 32, first + c, rows, cols, s10);
        put(parts, at, transposed, top + r + 32, first + c + 8, rows, cols, s11);
        put(parts, at, transposed, top + r + 64, first + c, rows, cols, s20);
        put(parts, at, transposed, top + r + 64, first + c + 8, rows, cols, s21);
        put(parts, at, transposed, top + r + 96, first + c, rows, cols, s30);
        put(parts, at, transposed, top + r + 96, first + c + 8, rows, cols, s31);
    }

    private static void put(FloatArray parts, int at, int transposed, int row, int col, int rows, int cols, float sum) {
        if (row < rows) {
            if (col < cols) parts.set(at + (transposed == 1 ? col * rows + row : row * cols + col), sum);
        }
    }

    /// `c[i] = alpha * sum_p parts[p, i]`.
    /// Shapes: c F32 of n elements, parts F32 `[count, n]`. Operands in the table: c, parts.
    /// Launch: `Grid.threads(n, GROUP)`. Numerics: serial F32 sum. Writes: `=` or, with accumulate, `+=`.
    public static void addParts(KernelContext context, IntArray table, int slot, FloatArray c, FloatArray parts,
            int count, int n, int accumulate, float alpha) {
        int i = context.globalIdx;
        if (i < n) {
            int atC = table.get(slot);
            int atParts = table.get(slot + 1);
            float sum = 0f;
            for (int p = 0; p < count; p++) sum += parts.get(atParts + p * n + i);
            sum *= alpha;
            if (accumulate == 1) sum += c.get(atC + i);
            c.set(atC + i, sum);
        }
    }
}
