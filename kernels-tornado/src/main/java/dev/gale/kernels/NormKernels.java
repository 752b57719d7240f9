package dev.gale.kernels;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/// Normalisation of rows.
public final class NormKernels {
    /// Threads of a work-group, which is also the number that the bodies below count with.
    public static final int GROUP = 128;
    private static final int WARP = 32;

    private NormKernels() {}

    /// `y[r,c] = x[r,c] * rstd[r] * w[c]`, `rstd[r] = 1 / sqrt(mean_c(x[r,c]^2) + eps)`.
    /// Shapes: x, y `[rows, cols]`; w `[cols]`; rstd `[rows]`. F32, row-major.
    /// Launch: one group of `GROUP` threads per row; 16 bytes of local memory.
    /// Numerics: F32 sum, a strided part per thread, then the warp, then the group: the same bits every time.
    /// Writes: `=`. y may be x.
    /// Source: Zhang & Sennrich 2019, arXiv 1910.07467.
    public static void rmsNormForward(KernelContext ctx, FloatArray y, FloatArray rstd, FloatArray x, FloatArray w,
                                      int cols, float eps) {
        float[] partial = ctx.allocateFloatLocalArray(GROUP / WARP);
        int thread = ctx.localIdx;
        int row = ctx.groupIdx;
        int base = row * cols;

        float squares = 0f;
        for (int c = thread; c < cols; c += GROUP) {
            float value = x.get(base + c);
            squares += value * value;
        }
        float sum = ctx.simdSum(squares);
        if (thread % WARP == 0) {
            partial[thread / WARP] = sum;
        }
        ctx.localBarrier();
        float total = partial[0] + partial[1] + partial[2] + partial[3];
        float scale = 1f / TornadoMath.sqrt(total / cols + eps);
        if (thread == 0) {
            rstd.set(row, scale);
        }
        for (int c = thread; c < cols; c += GROUP) {
            y.set(base + c, x.get(base + c) * scale * w.get(c));
        }
    }
}
