package dev.gale.kernels.mma;

import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task16;
import uk.ac.manchester.tornado.api.common.TornadoFunctions.Task17;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.LongArray;

/// A kernel that makes gradients of attention on the matrix unit, and how it is launched.
///
/// @param <K>     the kernel's interface
/// @param dims    width of a head
/// @param rows    of keys, or of queries for dq, that a work-group keeps
/// @param threads of a work-group
public record AttentionGradient<K>(String name, K kernel, int dims, int rows, int threads) {
    /// Makes dk and dv: context, table, slot, dk, dv, q, k, v, dO, stats, ranges, heads, kvHeads, queries, keys, scale,
    /// softcap.
    @FunctionalInterface
    public interface OfKeys extends Task17<KernelContext, IntArray, Integer, IntArray, IntArray, LongArray, LongArray,
            LongArray, LongArray, FloatArray, IntArray, Integer, Integer, Integer, Integer, Float, Float> {}

    /// Makes dq: the same with dq instead of dk and dv.
    @FunctionalInterface
    public interface OfQueries extends Task16<KernelContext, IntArray, Integer, IntArray, LongArray, LongArray, LongArray,
            LongArray, FloatArray, IntArray, Integer, Integer, Integer, Integer, Float, Float> {}

    public static final List<AttentionGradient<OfKeys>> OF_KEYS = List.of(
            new AttentionGradient<>("AttentionDkDv128", AttentionDkDv128::attentionDkDv128, 128, 64, 128),
            new AttentionGradient<>("AttentionDkDv64", AttentionDkDv64::attentionDkDv64, 64, 64, 128));
    public static final List<AttentionGradient<OfQueries>> OF_QUERIES = List.of(
            new AttentionGradient<>("AttentionDq128", AttentionDq128::attentionDq128, 128, 64, 128),
            new AttentionGradient<>("AttentionDq64", AttentionDq64::attentionDq64, 64, 64, 128));

    /// Whether there are kernels for heads of this width.
    public static boolean takes(int dims) {
        return OF_KEYS.stream().anyMatch(kernel -> kernel.dims == dims);
    }

    public static AttentionGradient<OfKeys> ofKeys(int dims) {
        return OF_KEYS.stream().filter(kernel -> kernel.dims == dims).findFirst().orElseThrow();
    }

    public static AttentionGradient<OfQueries> ofQueries(int dims) {
        return OF_QUERIES.stream().filter(kernel -> kernel.dims == dims).findFirst().orElseThrow();
    }

    /// Work-groups for so many rows of so many heads.
    public int groups(int allRows, int heads) {
        return Math.multiplyExact(Math.ceilDiv(allRows, rows), heads);
    }
}
