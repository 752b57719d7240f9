package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task16;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// The attention kernels of the matrix unit, by the width of a head.
public enum MmaAttention {
    FORWARD_64(AttentionForward64::attentionForward64, 64, 64),
    FORWARD_128(AttentionForward128::attentionForward128, 128, 64);

    private final Kernel kernel;
    private final int dims;
    private final int rows;

    /// A kernel: context, table, slot, o, lse, q, k, v, ranges, norms, numHeads, numKvHeads, queries, keys, scale, softcap.
    @FunctionalInterface
    public interface Kernel extends Task16<KernelContext, IntArray, Integer, LongArray, FloatArray, LongArray, LongArray,
            LongArray, IntArray, FloatArray, Integer, Integer, Integer, Integer, Float, Float> {}

    MmaAttention(Kernel kernel, int dims, int rows) {
        this.kernel = kernel;
        this.dims = dims;
        this.rows = rows;
    }

    /// Whether there is a kernel for BF16 heads of this width.
    public static boolean takes(int headDim, int keys, float scale) {
        return (headDim == FORWARD_64.dims || headDim == FORWARD_128.dims) && keys > 0 && scale > 0f;
    }

    public static MmaAttention of(int headDim) {
        return headDim == FORWARD_64.dims ? FORWARD_64 : FORWARD_128;
    }

    public Kernel kernel() {
        return kernel;
    }

    /// Elements of a head.
    public int dims() {
        return dims;
    }

    /// Queries of a work-group.
    public int rows() {
        return rows;
    }

    public int groups(int queries, int numHeads) {
        return Math.multiplyExact((queries + rows - 1) / rows, numHeads);
    }
}
