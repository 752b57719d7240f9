package dev.gale.kernels.mma;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task10;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/// The products of the matrix unit that dequantize w on its way: with few rows of x, w is read once, and as 4 bits. They
/// give the bits of their BF16 `product` with `Nf4Kernels.dequantizeBf16` before it.
public enum Nf4Product {
    NF4_FORWARD_128X128(Nf4Forward128x128::nf4Forward128x128, MmaProduct.BF16_FORWARD_128X128),
    NF4_FORWARD_64X64(Nf4Forward64x64::nf4Forward64x64, MmaProduct.BF16_FORWARD_64X64),
    NF4_BACKWARD_128X128(Nf4Backward128x128::nf4Backward128x128, MmaProduct.BF16_BACKWARD_128X128),
    NF4_BACKWARD_64X64(Nf4Backward64x64::nf4Backward64x64, MmaProduct.BF16_BACKWARD_64X64);

    private final Kernel kernel;
    private final MmaProduct product;

    /// A kernel: context, table, slot, sums, x, codes of w, absmax, m, n, k.
    @FunctionalInterface
    public interface Kernel extends Task10<KernelContext, IntArray, Integer, FloatArray, LongArray, ShortArray, FloatArray,
            Integer, Integer, Integer> {}

    Nf4Product(Kernel kernel, MmaProduct product) {
        this.kernel = kernel;
        this.product = product;
    }

    /// The kernel for `x op(w)`.
    ///
    /// @param byDepth w is stored `[k, n]` rather than `[n, k]`
    public static Nf4Product of(boolean byDepth, int m, int n) {
        MmaProduct product = MmaProduct.of(true, byDepth, m, n);
        for (Nf4Product each : values()) if (each.product == product) return each;
        throw new AssertionError("no " + product + " of 4 bits");
    }

    /// Whether the rows of w are whole blocks and those of x whole longs, and not empty.
    public static boolean takes(boolean byDepth, int n, int k) {
        return MmaProduct.takes(byDepth, n, k) && (byDepth ? n : k) % 64 == 0;
    }

    public Kernel kernel() {
        return kernel;
    }

    /// What it is but for w: tiles, threads, groups and the shape of the sums.
    public MmaProduct product() {
        return product;
    }
}
