package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// The load-balancing loss of experts and its gradient. Formulas: `ExpertOps.balanceForward`, `balanceBackward`.
public final class BalanceKernels {
    /// Threads of a work-group, and tokens of a block.
    public static final int GROUP = 256;

    private BalanceKernels() {}

    /// Choices and sums of probabilities of each block of `GROUP` tokens.
    /// Shapes: shares F32 `[blocks, 2, count]`, experts I32 `[rows, k]`, logits `[rows, count]`, F32, BF16 or F16; present I32
    /// `[rows]`. Operands in the table in that order.
    /// Launch: `ceil(rows / GROUP)` work-groups of `GROUP` threads: a thread has a token, then experts; 3 KB of local memory.
    /// Numerics: F32, in order of tokens. Writes: `=`.
    public static void balanceShares(KernelContext context, IntArray table, int slot, FloatArray shares, IntArray experts,
            FloatArray logits, ShortArray logitsHalf, int type, IntArray present, int rows, int count, int k) {
        float[] tops = context.allocateFloatLocalArray(GROUP);
        float[] inverses = context.allocateFloatLocalArray(GROUP);
        int[] seen = context.allocateIntLocalArray(GROUP);
        float[] pin = new float[2];                  // keeps reads where they stand: see Reduce
        int block = context.groupIdx;
        int thread = context.localIdx;
        int t = block * GROUP + thread;
        float top = 0f;
        float inverse = 0f;
        int here = 0;
        if (t < rows) here = present.get(table.get(slot + 3) + t);
        if (here > 0) {
            int at = table.get(slot + 2) + t * count;
            top = Elements.get(logits, logitsHalf, type, at);
            for (int e = 1; e < count; e++) top = TornadoMath.max(top, Elements.get(logits, logitsHalf, type, at + e));
            float sum = 0f;
            for (int e = 0; e < count; e++) sum += TornadoMath.exp(Elements.get(logits, logitsHalf, type, at + e) - top);
            inverse = 1f / sum;
        }
        tops[thread] = top;
        inverses[thread] = inverse;
        seen[thread] = here;
        context.localBarrier();
        int sharesAt = table.get(slot) + block * 2 * count;
        int expertsAt = table.get(slot + 1) + block * GROUP * k;
        int logitsAt = table.get(slot + 2) + block * GROUP * count;
        for (int e = thread; e < count; e += GROUP) {
            pin[0] = 0f;
            pin[1] = 0f;
            for (int j = 0; j < GROUP; j++) {
                if (seen[j] > 0) {
                    for (int s = 0; s < k; s++) if (experts.get(expertsAt + j * k + s) == e) pin[0] = pin[0] + 1f;
                    float z = Elements.get(logits, logitsHalf, type, logitsAt + j * count + e);
                    pin[1] = pin[1] + TornadoMath.exp(z - tops[j]) * inverses[j];
                }
            }
            shares.set(sharesAt + e, pin[0]);
            shares.set(sharesAt + count + e, pin[1]);
        }
    }

    /// Adds up what the blocks have.
    /// Shapes: sums F32 `[n]`, shares of `balanceShares` F32 `[blocks, n]`.
    /// Launch: `ceil(n / GROUP)` work-groups of `GROUP` threads. Numerics: F32, in order of blocks. Writes: `+=`.
    public static void addShares(KernelContext context, IntArray table, int slot, FloatArray sums, FloatArray shares,
            int blocks, int n) {
        int i = context.globalIdx;
        if (i < n) {
            int at = table.get(slot) + i;
            int sharesAt = table.get(slot + 1) + i;
            float sum = 0f;
            for (int b = 0; b < blocks; b++) sum += shares.get(sharesAt + b * n);
            sums.set(at, sums.get(at) + sum);
        }
    }

    /// Gradient of the loss by the logits.
    /// Shapes: dLogits, logits `[rows, count]`, of one type, F32, BF16 or F16; sums F32 `[2, count]`, present I32 `[rows]`,
    /// factor F32 `[1]`. Operands in the table: dLogits, sums, logits, present, factor.
    /// Launch: `ceil(rows / GROUP)` work-groups of `GROUP` threads, a thread a token. Numerics: F32. Writes: `=` or, with
    /// accumulate 1, `+=`.
    ///
    /// @param k choices of a token
    public static void balanceBackward(KernelContext context, IntArray table, int slot, FloatArray dLogits,
            ShortArray dLogitsHalf, FloatArray sums, FloatArray logits, ShortArray logitsHalf, int type, IntArray present,
            FloatArray factor, int rows, int count, int k, int accumulate) {
        int t = context.globalIdx;
        if (t < rows) {
            int dAt = table.get(slot) + t * count;
            int sumsAt = table.get(slot + 1);
            int at = table.get(slot + 2) + t * count;
            int here = present.get(table.get(slot + 3) + t);
            float choices = 0f;
            for (int e = 0; e < count; e++) choices += sums.get(sumsAt + e);
            float n = choices / k;
            float scale = factor.get(table.get(slot + 4)) * (count / n);
            float top = Elements.get(logits, logitsHalf, type, at);
            for (int e = 1; e < count; e++) top = TornadoMath.max(top, Elements.get(logits, logitsHalf, type, at + e));
            float sum = 0f;
            float products = 0f;
            for (int e = 0; e < count; e++) {
                float p = TornadoMath.exp(Elements.get(logits, logitsHalf, type, at + e) - top);
                sum += p;
                products += p * (sums.get(sumsAt + e) / n);
            }
            float mean = products / sum;
            for (int e = 0; e < count; e++) {
                float gradient = 0f;
                if (here > 0) {
                    float p = TornadoMath.exp(Elements.get(logits, logitsHalf, type, at + e) - top) / sum;
                    gradient = scale * p * (sums.get(sumsAt + e) / n - mean);
                }
                if (accumulate == 1) gradient += Elements.get(dLogits, dLogitsHalf, type, dAt + e);
                Elements.set(dLogits, dLogitsHalf, type, dAt + e, gradient);
            }
        }
    }
}
